#include <clocale>
#include <digitnet/keras/import.hpp>
#include <filesystem>
#include <fstream>
#include <locale>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

// C++ without its comments and the insides of its literals.
std::string bare(const std::string& code) {
  std::string result;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code.compare(i, 2, "//") == 0) {
      while (i < code.size() && code[i] != '\n') ++i;
      result += '\n';
    } else if (code[i] == '"') {
      for (++i; i < code.size() && code[i] != '"'; ++i)
        if (code[i] == '\\') ++i;
      result += "\"\"";
    } else {
      result += code[i];
    }
  }
  return result;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

void write_archive(const std::string& path, const std::string& config,
                   const std::vector<std::byte>& weights) {
  const auto text = bytes_of(config);
  const auto bytes = zip::write({{"config.json", {text.begin(), text.end()}}, {"model.weights.h5", weights}});
  support::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// The same, with something else in the place of each value in turn.
void for_each_change(keras::Json& value, const keras::Json& other, const std::function<void()>& visit) {
  if (value.is_structured()) {
    for (auto& part : value) for_each_change(part, other, visit);
    return;
  }
  const keras::Json before = value;
  value = other;
  visit();
  value = before;
}

// Numbers with commas, in C's and in C++'s locale.
class German {
 public:
  German() {
    std::system(("localedef -i de_DE -f UTF-8 '" + folder_ / "de_DE.UTF-8" + "' 2>/dev/null >&2").c_str());
    ::setenv("LOCPATH", folder_.path().c_str(), 1);
    if (!std::setlocale(LC_ALL, "de_DE.UTF-8")) MESSAGE("there is no German locale here: only C++'s is set");
    before_ = std::locale::global(std::locale(std::locale(), new Comma));
  }
  ~German() {
    std::locale::global(before_);
    std::setlocale(LC_ALL, "C");
    ::unsetenv("LOCPATH");
  }
  German(const German&) = delete;
  German& operator=(const German&) = delete;

 private:
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  support::Folder folder_;
  std::locale before_;
};

}  // namespace

TEST_CASE("literals of any text hold no quote, line, backslash or letter that would end or change them") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  CHECK(bare(cpp::literal(all)) == "\"\"");
  CHECK(cpp::literal("a\"b\\c\nd?\?/e\xc3\xa9") == R"("a\"b\\c\012d\?\?/e\303\251")");
  CHECK(cpp::literal("model.keras") == "\"model.keras\"");
  CHECK(cpp::assembler_literal("/a b/50%{x|y}\"\\\n.bin") ==
        R"("/a b/50\045\173x\174y\175\042\134\012.bin")");
  CHECK(cpp::float_literal(0.1f, "it") == "0.1f");
  CHECK(cpp::float_literal(2, "it") == "2.0f");
  CHECK(cpp::float_literal(1e-7f, "it") == "1e-07f");
  CHECK_ERROR("it is inf, but must be a finite float", cpp::float_literal(INFINITY, "it"));
  CHECK_ERROR("it is nan", cpp::float_literal(NAN, "it"));
  CHECK_ERROR("it is 1e+39", cpp::float_literal(1e39, "it"));
  CHECK_ERROR("mode is \"a\\\"b\", but must be one of x, y", cpp::enumerator("a\"b", {"x", "y"}, "mode"));
}

TEST_CASE("names of types are checked: no keyword, nothing reserved, no other signs") {
  for (const char* name : {"Cnn", "x", "My_Model2", "CNN", "Model", "path"}) CHECK(cpp::is_identifier(name));
  for (const char* name :
       {"",          "2d",     "a-b",  "a b", "_A",       "_a",   "a__b",  "class", "and", "co_await",
        "constinit", "module", "NULL", "std", "digitnet", "main", "linux", "A;",    "A\n", "\xc3\xa9"}) {
    CAPTURE(name);
    CHECK(!cpp::is_identifier(name));
  }
  const support::Folder folder;
  save_keras(networks::ann(1), folder / "a.keras");
  CHECK_ERROR("is no name of a C++ type", keras::import_model(folder / "a.keras", "using", false));
  CHECK_ERROR("is no name of a C++ type",
              keras::import_model(folder / "a.keras", "A; int x = system(\"true\"); struct B", false));
  CHECK(support::contains(keras::import_model(folder / "a.keras", "My_Cnn2D", false).header,
                          "load_my_cnn2d(const std::string& path"));
}

TEST_CASE("nothing that a model's file says becomes code") {
  const support::Folder folder;
  const auto check = [&](const auto& model, std::size_t every) {
    save_keras(model, folder / "a.keras");
    const std::vector<std::byte> archive = read_file(folder / "a.keras");
    const auto weights = zip::read(archive, "a.keras", "model.weights.h5");
    const auto text = zip::read(archive, "a.keras", "config.json");
    auto config = keras::Json::parse(std::string(reinterpret_cast<const char*>(text.data()), text.size()));
    const std::string wanted = bare(keras::import_model(folder / "a.keras", "A", false).header);
    // The first of these at every place, the others at every fourth or so.
    const keras::Json evils[] = {
        "horizontal == FlipMode::vertical ? FlipMode::vertical : (evil(), FlipMode::horizontal)",
        "x\nint evil = system(\"evil\"); /*\\\n?\?/\n)\" R\"(*/", 1e300, -7};
    std::size_t imported = 0;
    for (std::size_t kind = 0; kind < std::size(evils); ++kind) {
      std::size_t place = kind;
      for_each_change(config, evils[kind], [&] {
        if (++place % (kind == 0 ? every : 4 * every) != 0) return;
        write_archive(folder / "b.keras", config.dump(), weights);
        std::string header;
        try {
          header = bare(keras::import_model(folder / "b.keras", "A", false).header);
        } catch (const Error&) {
          return;
        }
        ++imported;
        if (kind < 2 && header != wanted) FAIL_CHECK(header);
        if (support::contains(header, "evil") || support::contains(header, "1e+300")) FAIL_CHECK(header);
      });
      CHECK(place > 400);
    }
    CHECK(imported > 20);
  };
  check(networks::branches(1), 1);
  check(networks::every_layer(1), 3);
}

TEST_CASE("no output overwrites the model or another output") {
  const support::Folder folder;
  support::write_file(folder / "cnn.bin", "a model");
  std::filesystem::create_symlink(folder / "cnn.bin", folder / "link.hpp");
  keras::check_outputs(folder / "cnn.bin", {folder / "a.hpp", folder / "a.bin", folder / "a.cpp"});
  for (const std::string name : {"cnn.bin", "link.hpp", "./x/../cnn.bin"})
    CHECK_ERROR("is the model itself", keras::check_outputs(folder / "cnn.bin", {folder / name}));
  CHECK_ERROR(
      "Two outputs would be the file",
      keras::check_outputs(folder / "cnn.bin", {folder / "a.cpp", folder / "a.bin", folder / "a.cpp"}));
}

TEST_CASE("files of Keras and generated code are the same under a locale with decimal commas") {
  const support::Folder folder;
  const auto model = networks::every_layer(1);
  const auto other = networks::branches(2);
  const auto header = [&](const char* name) { return keras::import_model(folder / name, "A", false).header; };
  const auto write = [&](const std::string& prefix) {
    save_keras(model, folder / (prefix + "a.h5"));
    save_keras(other, folder / (prefix + "b.h5"));
  };
  write("");
  std::vector<std::string> wanted;
  for (const char* name : {"a.h5", "b.h5"}) wanted.push_back(header(name));
  {
    const German german;
    write("german-");
    std::size_t i = 0;
    for (const char* name : {"a.h5", "b.h5"}) CHECK(header(name) == wanted[i++]);
    auto read = networks::every_layer(3);
    load_keras(read, folder / "a.h5");
    CHECK(networks::parameters(read) == networks::parameters(model));
    CHECK(snake_case("InputLayer") == "input_layer");
  }
  // The paths differ, which are the last words of a header.
  const auto types = [](const std::string& text) { return text.substr(0, text.find("/// The model with")); };
  CHECK(types(header("german-a.h5")).substr(40) == types(wanted[0]).substr(33));
  CHECK(types(header("german-b.h5")).substr(40) == types(wanted[1]).substr(33));
}
