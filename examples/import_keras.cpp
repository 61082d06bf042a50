// Makes a C++ header of a Keras model: its type, and a function that loads it.
#include <CLI/CLI.hpp>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/io/keras_import.hpp>
#include <filesystem>
#include <iostream>

namespace {

void write(const std::string& path, const void* data, std::size_t size) {
  digitnet::AtomicFile file(path);
  file.write(data, size);
  file.commit();
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
    const auto imported = digitnet::keras::import_model(path, name, embed, stem + ".bin");
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
