// expect: The layer has no parameter of this name
#include <digitnet/digitnet.hpp>

using namespace digitnet;

struct Scale {
  static constexpr std::string_view class_name = "Scale";
  Initializer initializer = Ones{};
  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    using Parameters = ParameterList<Parameter<"scale", Shape<1>, &Scale::initializer>>;
    static void forward(const auto& io) { io.y.data[0] = get<"scael">(io.parameters).data[0]; }
    static void backward(const auto&) {}
  };
};
const Matrix answer = Sequential<Input<1>, Scale>().predict(Matrix());
