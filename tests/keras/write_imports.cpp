// Imports models whose files have hostile names: import0.hpp, import1.hpp and import1.cpp, ...
//   write_imports FOLDER
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/keras/import.hpp>
#include <filesystem>
#include <iostream>

#include "keras/hostile_imports.hpp"

using namespace digitnet;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const std::string folder = std::string(argv[1]) + "/";
    const auto write = [&](const std::string& path, const void* data, std::size_t size) {
      AtomicFile file(path);
      file.write(data, size);
      file.commit();
    };
    const auto model = hostile_imports::model();
    std::size_t number = 0;
    for (const std::string& name : hostile_imports::names) {
      // Some of the names are of folders as well.
      std::filesystem::create_directories(std::filesystem::path(folder + name).parent_path());
      save_keras(model, folder + name + ".keras");
      const bool embed = number % 2 == 1;
      const std::string text = to_text(number++), blob = folder + name + ".bin";
      const auto imported = keras::import_model(folder + name + ".keras", "Import" + text, embed, blob);
      write(folder + "import" + text + ".hpp", imported.header.data(), imported.header.size());
      if (!embed) continue;
      write(folder + "import" + text + ".cpp", imported.source.data(), imported.source.size());
      write(blob, imported.parameters.data(), imported.parameters.size());
    }
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
