#include <cfenv>
#include <digitnet/core/number_text.hpp>
#include <limits>
#include <locale>
#include <random>

#include "support/support.hpp"

using namespace digitnet;

TEST_CASE("numbers that are not wholly a number of their type are refused") {
  CHECK(parse_number<std::uint64_t>("18446744073709551615") == ~std::uint64_t{0});
  for (const char* const text :
       {"", " 1", "1 ", "+1", "-1", "1e3", "0x10", "5x", "1.0", "18446744073709551616"})
    CHECK_UNARY(!parse_number<std::uint64_t>(text));
  CHECK(parse_number<float>("0.05") == 0.05f);
  for (const char* const text : {"", "0,05", "1.5x", "1e99", "0x1p3"})
    CHECK_UNARY(!parse_number<float>(text));
}

TEST_CASE("numbers survive every rounding mode and locale") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  std::mt19937_64 bits(1);
  for (int i = 0; i < 2000; ++i) {
    const double number =
        static_cast<double>(bits() % 100000) / 1000 + (i % 2 ? static_cast<double>(bits()) : 0);
    const auto rounded = static_cast<float>(number);
    const std::string text = to_text(number), nine = to_text(number, 9), fixed = to_fixed_text(number, 4);
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
      std::fesetround(mode);
      const bool same = to_text(number) == text && to_text(number, 9) == nine &&
                        to_fixed_text(number, 4) == fixed && parse_number<double>(text) == number &&
                        parse_number<float>(to_text(rounded)) == rounded;
      const bool kept = std::fegetround() == mode;
      std::fesetround(FE_TONEAREST);
      CHECK_UNARY(same && kept);
    }
  }
  std::locale::global(before);
}
