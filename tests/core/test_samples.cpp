#include <cstdint>
#include <digitnet/core/arena.hpp>
#include <digitnet/core/dataset.hpp>
#include <digitnet/core/samples.hpp>
#include <vector>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xview.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

std::vector<float> copied(const Samples& samples) {
  std::vector<float> values(samples.count() * samples.size());
  for (std::size_t i = 0; i < samples.count(); ++i) samples.copy(i, values.data() + i * samples.size());
  return values;
}

std::vector<float> copied(const Targets& targets) {
  return {targets.row(0), targets.row(0) + targets.count() * targets.size()};
}

const std::vector<float> in_order{0, 1, 2, 3, 4, 5};

Matrix three_by_two() { return {{0, 1}, {2, 3}, {4, 5}}; }

Dataset dataset(std::size_t count) {
  Dataset data{Images::from_shape({count, 1, 2, 1}), Labels::from_shape({count})};
  for (std::size_t i = 0; i < count; ++i) {
    data.images(i, 0, 0, 0) = data.images(i, 0, 1, 0) = static_cast<std::uint8_t>(i);
    data.labels(i) = static_cast<std::uint32_t>(100 * i);
  }
  return data;
}

template <class T>
void check_labels() {
  xt::xtensor<T, 1> array{3, 0, 127};
  const std::vector<T> vector(array.begin(), array.end());
  for (const LabelView& labels : {LabelView(array), LabelView(vector)}) {
    CHECK(labels.size() == 3);
    CHECK(labels(0) == 3);
    CHECK(labels(1) == 0);
    CHECK(labels(2) == 127);
  }
  CHECK_NOTHROW(Targets(vector).check(128));
  CHECK_ERROR("Label 127 of sample 2 is beyond the last class 126", Targets(array).check(127));
  if constexpr (std::is_signed_v<T>) {
    array(1) = -2;
    CHECK_ERROR("Label -2 of sample 1 is negative: the first class is 0", Targets{array});
  }
}

}  // namespace

TEST_CASE("samples and targets are read in row-major order, however they lie") {
  const Matrix rows = three_by_two();
  const xt::xtensor<float, 2, xt::layout_type::column_major> columns = rows;
  const Matrix other{{0, 2, 4}, {1, 3, 5}};
  const xt::xarray<float> dynamic = rows;
  const xt::xtensor<float, 2, xt::layout_type::dynamic> strided(rows);
  const Matrix wide{{9, 0, 1, 9}, {9, 2, 3, 9}, {9, 4, 5, 9}};
  CHECK(copied(Samples(rows)) == in_order);
  CHECK(copied(Samples(columns)) == in_order);
  CHECK(copied(Samples(xt::transpose(other))) == in_order);
  CHECK(copied(Samples(dynamic)) == in_order);
  CHECK(copied(Samples(strided)) == in_order);
  CHECK(copied(Samples(xt::view(wide, xt::all(), xt::range(1, 3)))) == in_order);
  CHECK(copied(Samples(rows * 2.0f / 2.0f)) == in_order);
  CHECK(copied(Targets(columns)) == in_order);
  CHECK(copied(Targets(xt::transpose(other))) == in_order);
  xt::xtensor<std::uint8_t, 4, xt::layout_type::column_major> images({2, 2, 3, 1});
  for (std::size_t i = 0; i < 12; ++i) images(i / 6, i / 3 % 2, i % 3, 0) = static_cast<std::uint8_t>(i);
  const std::vector<float> pixels = copied(Samples(images));
  for (std::size_t i = 0; i < 12; ++i) CHECK(pixels[i] == doctest::Approx(static_cast<double>(i) / 255));
  const xt::xtensor<int, 2, xt::layout_type::column_major> labels{{3}, {1}};
  CHECK(LabelView(labels)(1) == 1);
}

TEST_CASE("what is given as a temporary is kept, what has a name is not copied") {
  const Matrix rows = three_by_two();
  const Samples named(rows), temporary(three_by_two());
  CHECK(Targets(rows).row(0) == rows.data());
  CHECK(copied(named) == in_order);
  const Samples copy = temporary;
  CHECK(copied(copy) == in_order);
  const Targets targets(three_by_two()), classes(std::vector<int>{1, 2});
  CHECK(copied(targets) == in_order);
  CHECK(classes.label(1) == 2);
  const DataView view = dataset(3), of_slice(slice(dataset(9), 4, 3));
  CHECK(copied(view.samples)[5] == doctest::Approx(2.0 / 255));
  CHECK(view.targets.label(2) == 200);
  CHECK(of_slice.targets.label(0) == 400);
}

TEST_CASE("labels may be of any integer type") {
  check_labels<std::int8_t>();
  check_labels<std::uint8_t>();
  check_labels<std::int16_t>();
  check_labels<std::uint16_t>();
  check_labels<int>();
  check_labels<unsigned>();
  check_labels<std::int64_t>();
  check_labels<std::size_t>();
  CHECK(LabelView{4, 5}(1) == 5);
  CHECK_ERROR("an array of 2 axes was given: one-hot rows are floats",
              Targets(xt::xtensor<int, 2>{{0, 1}, {1, 0}}));
  CHECK_ERROR("Label 18446744073709551615 of sample 0 is beyond the last class 9",
              Targets(std::vector<std::uint64_t>{~std::uint64_t{0}}).check(10));
}

TEST_CASE("floats in a row are targets of a single output") {
  const std::vector<float> values{1.5f, -2};
  CHECK_NOTHROW(Targets(values).check(1));
  CHECK(*Targets(xt::xtensor<float, 1>{1.5f, -2}).row(1) == -2);
  CHECK_ERROR("the targets are one float each: classes are given as integers, values as rows of 3",
              Targets(values).check(3));
  CHECK_ERROR("rows without a number", Targets(Matrix::from_shape({2, 0})));
}

TEST_CASE("a slice ends where the data ends") {
  const Dataset data = dataset(5);
  CHECK(slice(data, 3, 2).labels(1) == 400);
  CHECK(slice(data, 5, 0).size() == 0);
  CHECK_ERROR("3 samples from number 3 on were asked for, but the dataset has 5", slice(data, 3, 3));
  CHECK_ERROR("the dataset has 5", slice(data, 6, 0));
  CHECK_ERROR("the dataset has 5", slice(data, 1, ~std::size_t{0}));
  CHECK_ERROR("5 images but 4 labels", slice({data.images, slice(data, 0, 4).labels}, 0, 4));
}

TEST_CASE("what is assigned to a view of numbers is written there") {
  float from[] = {1, 2, 3, 4}, to[4] = {};
  const View<float, Shape<2>> x{from, 2}, y{to, 2};
  auto dx = y.array();
  dx = x.array();
  CHECK(to[3] == 4);
  to[0] = 7;
  CHECK(from[0] == 1);
  CHECK(dx(0, 0) == 7);
  y.array() = x.array();
  CHECK(to[0] == 1);
  auto other = x.array();
  dx = std::move(other);
  dx = 2 * x.array() + dx;
  CHECK(to[1] == 6);
  CHECK(from[1] == 2);
  TensorView<float, Shape<4>> flat{to};
  flat.array() = TensorView<float, Shape<4>>{from}.array();
  CHECK(to[3] == 4);
  CHECK_ERROR("the shapes must be equal", dx = (View<float, Shape<2>>{from, 1}.array()));
  CHECK_ERROR("the shapes must be equal", flat.array() = x.array());
}

TEST_CASE("an arena survives being copied to itself, moved from and asked for too much") {
  Arena<float> a(3), b(3), c(5);
  a.fill(2);
  const float* const place = b.data();
  b = a;
  CHECK(b.data() == place);
  CHECK(b.data()[2] == 2);
  c = a;
  CHECK(c.size() == 3);
  Arena<float>& itself = a;
  a = itself;
  a = std::move(itself);
  CHECK(a.size() == 3);
  CHECK(a.data()[0] == 2);
  const Arena<float> taken = std::move(a);
  CHECK(a.size() == 0);
  CHECK(a.span().empty());
  a = taken;
  CHECK(a.data()[1] == 2);
  CHECK_THROWS_AS(Arena<double>(~std::size_t{0} / 8), std::bad_array_new_length);
}
