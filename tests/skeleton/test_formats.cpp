// The skeleton's layers and its optimizer in files of other programs.
#include <digitnet/keras/import.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/trainer.hpp>

#include "onnx/written.hpp"
#include "skeleton/formats.hpp"

using namespace digitnet;
using namespace digitnet::skeleton;

namespace {

auto make(std::uint64_t seed) {
  return Sequential{Seed{seed},          Input<6, 6, 1>{}, Conv2D<3, 3>{}, LayerScale{},
                    Swish{.beta = 1.5f}, Flatten{},        Dense<4>{},     Softmax{}};
}

}  // namespace

TEST_CASE("ONNX has the nodes that the entries say") {
  const auto graph = written::write(networks::with_random_parameters(make(1), 5), "skeleton");
  CHECK(written::nodes_of(graph) ==
        "Transpose Conv Transpose Mul Mul Sigmoid Mul Flatten Gemm Softmax Identity");
}

TEST_CASE("a training goes on from Keras' files, bit for bit, and its model is imported") {
  const support::Folder folder;
  auto model = make(1);
  const Matrix rows = networks::samples_for(model, 20);
  const xt::xtensor<float, 4> x = xt::reshape_view(rows, {20, 6, 6, 1});
  std::vector<int> labels;
  for (int i = 0; i < 20; ++i) labels.push_back(i % 4);
  const FitOptions options{.epochs = 2, .shuffle = false, .verbose = Verbose::silent};
  Trainer trainer{model, Signum{}, CategoricalCrossentropy{}};
  trainer.fit(x, labels, options);
  save_keras(trainer, folder / "a.keras");
  auto other = make(2);
  Trainer rest{other, Signum{}, CategoricalCrossentropy{}};
  load_keras(rest, folder / "a.keras");
  trainer.fit(x, labels, options);
  rest.fit(x, labels, options);
  CHECK(std::equal(model.parameters().begin(), model.parameters().end(), other.parameters().begin()));

  const auto imported =
      keras::import_model(folder / "a.keras", "Net", false, "",
                          keras::Registry({keras::own_layer<Swish>("digitnet", "skeleton/activation.hpp"),
                                           keras::own_layer<LayerScale>("digitnet", "skeleton/layer.hpp")}));
  CHECK(support::contains(imported.header, "skeleton::Swish{.beta = 1.5f}"));
  CHECK(support::contains(imported.header, "#include \"skeleton/layer.hpp\""));
}
