// A layer, a loss and an optimizer that the library does not know go through every file as its own do.
#include <digitnet/keras/import.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "keras/own_layer.hpp"
#include "support/support.hpp"

namespace mine {

using namespace digitnet;

/// The largest error alone.
struct LargestError {
  static constexpr bool classifies = false;
  float power = 2;

  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    std::size_t worst = 0;
    const auto error = [&](std::size_t i) { return output[i] - target.value<T>(i, outputs); };
    for (std::size_t i = 1; i < outputs; ++i)
      if (std::abs(error(i)) > std::abs(error(worst))) worst = i;
    for (std::size_t i = 0; gradient && i < outputs; ++i) gradient[i] = i == worst ? 2 * error(i) : T{0};
    return error(worst) * error(worst);
  }
};
inline std::vector<std::any> file_entries(const LargestError& loss) {
  return {keras::LossEntry{.name = "largest_error",
                           .class_name = "LargestError",
                           .settings = {{"power", loss.power}},
                           .registered_name = "mine>LargestError"}};
}

/// Steps by the running mean of gradients.
struct Mean {
  static constexpr std::string_view class_name = "Mean";
  LearningRate learning_rate = 0.125f;
  float decay = 0.5f;
  GradientTreatment treatment() const { return {}; }
  std::vector<OptimizerSetting> settings() const { return {{"decay", decay, OptimizerSetting::below_one}}; }

  struct Formula {
    static constexpr std::size_t slots = 1;
    static constexpr float initial = 0;
    float rate, decay;
    template <class V>
    V operator()(V w, V g, std::array<V, 1>& state) const {
      state[0] = V(decay) * state[0] + V(1 - decay) * g;
      return w - V(rate) * state[0];
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t, float rate, Visit&& visit) const {
    visit(Formula{rate, decay});
  }
};
inline std::vector<std::any> file_entries(const Mean&) {
  return {keras::OptimizerEntry{.registered_name = "mine>Mean", .slots = {{{"mean", 0}}}}};
}

// Those that say nothing.
struct SilentLoss : MeanSquaredError {};
struct SilentMean : Mean {
  static constexpr std::string_view class_name = "SilentMean";
};
std::vector<std::any> file_entries(const SilentMean&) = delete;
struct Half {
  static constexpr std::string_view class_name = "Half";
  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    static constexpr LayerTraits traits{.backward_reads_x = false, .backward_reads_y = false};
    static void forward(const auto& io) {
      for (std::size_t i = 0; i < io.x.size(); ++i) io.y.data[i] = io.x.data[i] / 2;
    }
    static void backward(const auto& io) {
      if constexpr (std::decay_t<decltype(io)>::wants_dx)
        for (std::size_t i = 0; i < io.x.size(); ++i) io.dx.data[i] = io.dy.data[i] / 2;
    }
  };
};
/// Called as a layer of the library is.
struct Tanh {
  static constexpr std::string_view class_name = "Tanh";
  template <class In>
  struct On : Half::On<In> {};
};
inline std::vector<std::any> file_entries(const Tanh&) { return {keras::own_layer<Tanh>("mine")}; }
template <std::size_t>
struct SilentHalf : Half {
  static constexpr std::string_view class_name = "SilentHalf";
};

}  // namespace mine

namespace {

using namespace digitnet;
using mine::Repeat;
using mine::Side;

auto make(std::uint64_t seed) {
  return Sequential{Seed{seed}, Input<4>{},
                    Dense<3>{}, Repeat<2>{.strength = 0.5f, .side = Side::right},
                    Tanh{},     Residual{Repeat<1>{}},
                    Dense<2>{}};
}
const Matrix& samples() {
  static const Matrix x = [] {
    Matrix numbers = Matrix::from_shape({8, 4});
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers.data()[i] = static_cast<float>(i % 7) / 8 - 0.25f;
    return numbers;
  }();
  return x;
}
const Matrix& targets() {
  static const Matrix y = [] {
    Matrix numbers = Matrix::from_shape({8, 2});
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers.data()[i] = static_cast<float>(i % 5) / 4;
    return numbers;
  }();
  return y;
}
template <class Trainer>
void train(Trainer& trainer, std::size_t epochs) {
  trainer.fit(samples(), targets(),
              {.epochs = epochs, .batch_size = 8, .shuffle = false, .verbose = Verbose::silent});
}
template <class Model>
std::vector<float> numbers(const Model& model) {
  return {model.parameters().begin(), model.parameters().end()};
}

}  // namespace

TEST_CASE("the own layer's gradients are right") {
  CHECK_NOTHROW(digitnet::testing::check_gradients<Repeat<2>, Shape<5>>());
}

TEST_CASE("an own layer's model is saved and loaded in every format") {
  const support::Folder folder;
  auto model = make(1);
  model.parameter("repeat/gain")(1) = 3;
  for (const std::string name : {"a.keras", "a.h5", "a.weights.h5", "a.safetensors"}) {
    CAPTURE(name);
    auto other = make(2);
    if (name.ends_with("safetensors")) {
      save_safetensors(model, folder / name);
      load_safetensors(other, folder / name);
    } else {
      save_keras(model, folder / name);
      load_keras(other, folder / name);
    }
    CHECK(numbers(other) == numbers(model));
    CHECK(other.predict(samples()) == model.predict(samples()));
  }
  // Settings are compared.
  for (const char* name : {"a.keras", "a.h5"}) {
    auto other = Sequential{Seed{2},    Input<4>{},
                            Dense<3>{}, Repeat<2>{.strength = 0.25f, .side = Side::right},
                            Tanh{},     Residual{Repeat<1>{}},
                            Dense<2>{}};
    CHECK_ERROR(
        "layer repeat is Repeat (times 2, strength 0.25, side right) in the model, Repeat (times 2, strength "
        "0.5, side right) in the file (repeat)",
        load_keras(other, folder / name));
  }
  // A model's description is enough, as callbacks have it.
  keras_files(describe(model), model.parameters(), folder / "b.keras");
  auto other = make(2);
  load_keras(other, folder / "b.keras");
  CHECK(numbers(other) == numbers(model));
}

TEST_CASE("an own layer may be called as one of the library, beside it") {
  const support::Folder folder;
  using Both = Sequential<Input<4>, Dense<3>, mine::Tanh, Dense<2>, Tanh>;
  const Both model{Seed{1}};
  const auto modern = keras::write_config(describe(model), keras::Generation::keras3);
  CHECK(modern.config["config"]["layers"][2]["registered_name"] == "mine>Tanh");
  CHECK(modern.config["config"]["layers"][3]["config"]["activation"] == "tanh");
  for (const char* name : {"a.keras", "a.h5"}) {
    save_keras(model, folder / name);
    Both other{Seed{2}};
    load_keras(other, folder / name);
    CHECK(numbers(other) == numbers(model));
    Sequential<Input<4>, Dense<3>, Tanh, Dense<2>, mine::Tanh> wrong{Seed{2}};
    CHECK_ERROR("layer tanh is Tanh in the model, Tanh in the file", load_keras(wrong, folder / name));
  }
}

TEST_CASE("an own layer shows in summary, plan and description") {
  const auto model = make(1);
  CHECK(support::contains(model.summary(), "repeat (Repeat)"));
  CHECK(support::contains(model.plan(), "repeat"));
  CHECK(describe(model).layers[1].text() == "Repeat (times 2, strength 0.5, side right)");
}

TEST_CASE("configurations name the own class as Keras registers it") {
  const auto modern = keras::write_config(describe(make(1)), keras::Generation::keras3);
  const auto both = keras::write_config(describe(make(1)), keras::Generation::keras2_and_3);
  const keras::Json layer = modern.config["config"]["layers"][2];
  CHECK(layer["class_name"] == "Repeat");
  CHECK(layer["registered_name"] == "mine>Repeat");
  CHECK(layer["module"].is_null());
  CHECK(layer["config"]["times"] == 2);
  CHECK(layer["config"]["strength"] == 0.5);
  CHECK(layer["config"]["side"] == "right");
  CHECK(both.config["config"]["layers"][2]["class_name"] == "mine>Repeat");
}

TEST_CASE("an own layer is imported, where its entry is given") {
  const support::Folder folder;
  save_keras(make(1), folder / "a.keras");
  save_keras(make(1), folder / "a.h5");
  for (const char* name : {"a.keras", "a.h5"}) {
    const auto imported =
        keras::import_model(folder / name, "Own", false, "", keras::Registry({mine::repeat_entry()}));
    CHECK(support::contains(imported.header, "#include \"keras/own_layer.hpp\""));
    CHECK(support::contains(imported.header, "mine::Repeat<2>,"));
    CHECK(support::contains(imported.header, "mine::Repeat<2>{.strength = 0.5f, .side = mine::Side::right}"));
    CHECK(support::contains(imported.header, "Residual<mine::Repeat<1>>"));
    CHECK(support::contains(imported.header, "parameter_count == 38"));
    CHECK_ERROR("there is no mine>Repeat here: say what it is, with file_entries and keras::own_layer",
                keras::import_model(folder / name, "Own", false));
  }
}

TEST_CASE(
    "a training with an own loss and optimizer goes on from Keras' files and checkpoints, bit for bit") {
  const support::Folder folder;
  auto model = make(1);
  Trainer trainer{model, mine::Mean{}, mine::LargestError{}};
  train(trainer, 2);
  save_keras(trainer, folder / "a.keras");
  save_keras(trainer, folder / "a.h5");
  trainer.save(folder / "a.checkpoint");
  train(trainer, 2);
  for (const std::string name : {"a.keras", "a.h5", "a.checkpoint"}) {
    CAPTURE(name);
    auto other = make(2);
    Trainer again{other, mine::Mean{}, mine::LargestError{}};
    if (name.ends_with("checkpoint"))
      again.resume(folder / name);
    else
      load_keras(again, folder / name);
    CHECK(again.steps() == 2);
    train(again, 2);
    CHECK(numbers(other) == numbers(model));
  }
  auto other = make(2);
  Trainer adam{other, Adam{}, mine::LargestError{}};
  CHECK_ERROR("the optimizer is Adam, in the file mine>Mean", load_keras(adam, folder / "a.keras"));

  const keras::Compiled compiled = keras::compiled(trainer);
  CHECK(compiled.compile_config()["optimizer"]["registered_name"] == "mine>Mean");
  CHECK(compiled.compile_config()["optimizer"]["config"]["decay"] == 0.5);
  CHECK_FALSE(compiled.compile_config()["optimizer"]["config"].contains("clipnorm"));
  CHECK(compiled.compile_config()["loss"]["registered_name"] == "mine>LargestError");
  CHECK(compiled.training_config()["optimizer_config"]["class_name"] == "mine>Mean");
  CHECK(compiled.training_config()["loss"]["class_name"] == "mine>LargestError");
  CHECK(compiled.training_config()["loss"]["config"]["power"] == 2);
}

TEST_CASE("what does not say how is refused by name, with a cure") {
  const support::Folder folder;
  using Silent = Sequential<Input<4>, mine::Half, Dense<2>>;
  Silent model;
  for (const char* name : {"a.keras", "a.h5", "a.weights.h5"})
    CHECK_ERROR(
        "The layer \"half\" cannot be written to Keras' files: Keras has no Half: say what it is there, with "
        "file_entries and keras::own_layer (docs/files.md)",
        save_keras(model, folder / name));
  save_safetensors(model, folder / "a.safetensors");
  CHECK_ERROR("The layer \"silent_half\" cannot be written: SilentHalf does not say its settings",
              save_keras(Sequential<Input<4>, mine::SilentHalf<1>, Dense<2>>{}, folder / "a.h5"));

  Sequential<Input<4>, Dense<2>> line;
  Trainer with_loss{line, SGD{}, mine::SilentLoss{}};
  CHECK_ERROR(
      "Keras has no loss mine::SilentLoss: say what it is there, with file_entries and a keras::LossEntry "
      "(docs/files.md), or write the model alone, with save_keras(trainer.model(), path)",
      save_keras(with_loss, folder / "a.keras"));
  Trainer with_optimizer{line, mine::SilentMean{}, MeanSquaredError{}};
  CHECK_ERROR(
      "Keras has no optimizer SilentMean: say what it is there, with file_entries and a "
      "keras::OptimizerEntry",
      save_keras(with_optimizer, folder / "a.keras"));
  CHECK(folder.files() == std::vector<std::string>{"a.safetensors"});
}
