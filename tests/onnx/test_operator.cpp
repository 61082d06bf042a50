// Layers that the library does not know, defined here alone, in ONNX.
#include <any>

#include "onnx/written.hpp"

using namespace digitnet;

namespace mine {

struct Elementwise : LayerDefaults {
  static constexpr LayerTraits traits{.backward_reads_y = false};
};

// x sigmoid(beta x)
struct Swish {
  static constexpr std::string_view class_name = "Swish";
  float beta = 1;
  static constexpr auto settings = std::tuple{setting<"beta">(&Swish::beta)};

  template <class In>
  struct On : Elementwise {
    using Output = In;
    static void forward(const auto& io) {
      for (std::size_t i = 0; i < io.x.size(); ++i)
        io.y.data[i] = io.x.data[i] / (1 + std::exp(-io.layer.beta * io.x.data[i]));
    }
    static void backward(const auto&) {}
  };
};
void write_swish(OnnxGraph& graph, const LayerDescription& layer) {
  const std::string x = graph.value();
  graph.step("Mul", {graph.number(layer.attribute<double>("beta"))});
  graph.step("Sigmoid");
  graph.step("Mul", {x});
}
std::vector<std::any> file_entries(const Swish&) { return {OnnxOperator{write_swish}}; }

// A parameter for each channel. Its name is that of another layer in the library, which must not matter.
struct Shift {
  static constexpr std::string_view class_name = "Dense";
  static constexpr auto settings = std::tuple{};
  Initializer offset_initializer = Zeros{};

  template <class In>
  struct On : Elementwise {
    using Output = In;
    using Parameters = ParameterList<Parameter<"offset", Shape<In::last>, &Shift::offset_initializer>>;
    static void forward(const auto& io) {
      for (std::size_t i = 0; i < io.x.size(); ++i)
        io.y.data[i] = io.x.data[i] + get<"offset">(io.parameters).data[i % In::last];
    }
    static void backward(const auto&) {}
  };
};
std::vector<std::any> file_entries(const Shift&) {
  return {std::string("of another format"), OnnxOperator{[](OnnxGraph& graph, const LayerDescription& layer) {
            graph.channels_last();
            graph.step("Add", {graph.weight(layer.weights[0])});
          }}};
}

// Says nothing for ONNX.
struct Mystery : Swish {
  static constexpr std::string_view class_name = "Mystery";
  static constexpr auto settings = std::tuple{setting<"beta">(&Mystery::beta)};
};
std::vector<std::any> file_entries(const Mystery&) { return {}; }

// Says how, but not its setting.
struct Silent : Elementwise {
  static constexpr std::string_view class_name = "Silent";
  float strength = 1;

  template <class In>
  struct On : Elementwise {
    using Output = In;
    static void forward(const auto&) {}
    static void backward(const auto&) {}
  };
};
std::vector<std::any> file_entries(const Silent&) { return {OnnxOperator{write_swish}}; }

}  // namespace mine

TEST_CASE("layers of a user's own are written as they say") {
  const auto graph = written::write(
      networks::with_random_parameters(
          Sequential{Input<6, 5, 2>{}, Conv2D<3, 3>{}, mine::Swish{.beta = 1.5f}, mine::Shift{},
                     Residual{mine::Swish{.beta = 0.25f}, mine::Shift{}}, Flatten{}, Dense<4>{}, Softmax{}},
          8),
      "own_layers");
  CHECK(written::nodes_of(graph) ==
        "Transpose Conv Mul Sigmoid Mul Transpose Add Mul Sigmoid Mul Add Transpose Transpose Sum Transpose "
        "Flatten Gemm Softmax Identity");
}

TEST_CASE("a layer that does not say how is refused by name, with the cure") {
  const support::Folder folder;
  CHECK_ERROR(
      "The layer \"mystery\" cannot be written as ONNX: there is no rule for Mystery (beta 2). Say how "
      "with a function file_entries(const Mystery&) that returns an OnnxOperator "
      "(digitnet/onnx/operator.hpp)",
      save_onnx(Sequential{Input<3>{}, mine::Mystery{{.beta = 2}}, Dense<2>{}}, folder / "a.onnx"));
  CHECK_ERROR("Silent does not say its settings",
              save_onnx(Sequential{Input<3>{}, mine::Silent{}}, folder / "a.onnx"));
  CHECK(folder.files().empty());
}
