// Makes a C++ header of a Keras model: its type, and a function that loads it.
#include <CLI/CLI.hpp>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/io/read_in_child.hpp>
#include <digitnet/keras/import.hpp>
#include <filesystem>
#include <iostream>

namespace {

void write(const std::string& path, const void* data, std::size_t size) {
  digitnet::AtomicFile file(path);
  file.write(data, size);
  file.commit();
}

// The model is read by a process of its own, with limits: a fault of its reader ends in an error. What it
// hands back are three sizes and their bytes.
digitnet::keras::ImportedModel import_in_child(const std::string& path, const std::string& name, bool embed,
                                               const std::string& blob) {
  digitnet::ChildLimits limits = digitnet::limits_for_file(path, 0);
  limits.result = limits.memory;
  const std::vector<std::byte> bytes = digitnet::read_in_child(path, limits, [&] {
    const auto model = digitnet::keras::import_model(path, name, embed, blob);
    std::vector<std::byte> result;
    const auto add = [&](const void* data, std::size_t size) {
      const auto* const begin = static_cast<const std::byte*>(data);
      result.insert(result.end(), begin, begin + size);
    };
    const std::uint64_t sizes[] = {model.header.size(), model.source.size(), model.parameters.size()};
    result.reserve(sizeof sizes + sizes[0] + sizes[1] + sizes[2]);
    add(sizes, sizeof sizes);
    add(model.header.data(), sizes[0]);
    add(model.source.data(), sizes[1]);
    add(model.parameters.data(), sizes[2]);
    return result;
  });
  std::size_t at = 0;
  const auto take = [&](std::uint64_t size) {
    if (size > bytes.size() - at) digitnet::fail(path + " cannot be read: less came back than was said");
    at += size;
    return bytes.data() + at - size;
  };
  std::uint64_t sizes[3];
  std::memcpy(sizes, take(sizeof sizes), sizeof sizes);
  digitnet::keras::ImportedModel model;
  model.header.assign(reinterpret_cast<const char*>(take(sizes[0])), sizes[0]);
  model.source.assign(reinterpret_cast<const char*>(take(sizes[1])), sizes[1]);
  const std::byte* const parameters = take(sizes[2]);
  model.parameters.assign(parameters, parameters + sizes[2]);
  return model;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model, name = "Model", output;
  bool embed = false;
  CLI::App app{
      "Prints a C++ header with the type of a Keras model (.h5 or .keras) and a function that loads it."};
  app.add_option("model", model, "the model's file")->required();
  app.add_option("--name", name, "name of the type")->capture_default_str();
  app.add_option("--output", output, "header to write instead of printing it");
  app.add_flag("--embed", embed,
               "beside it, write a .cpp and a .bin that bring the parameters into the program")
      ->needs("--output");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    const std::string stem =
        output.empty() ? "" : std::filesystem::absolute(output).replace_extension().string();
    const std::string path = std::filesystem::absolute(model).string();
    if (!output.empty())
      digitnet::keras::check_outputs(
          path, embed ? std::vector{output, stem + ".bin", stem + ".cpp"} : std::vector{output});
    const auto imported = import_in_child(path, name, embed, stem + ".bin");
    if (output.empty()) {
      std::cout << imported.header;
      return 0;
    }
    if (embed) {
      write(stem + ".bin", imported.parameters.data(), imported.parameters.size());
      write(stem + ".cpp", imported.source.data(), imported.source.size());
    }
    write(output, imported.header.data(), imported.header.size());
    return 0;
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}
