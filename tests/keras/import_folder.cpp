// Imports every model of a folder as the program import_keras does: those that can be read become one header,
// which calls check(NAME, FILES, load) for each of them; the others' reasons are printed.
//   import_folder FOLDER HEADER
#include <algorithm>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/keras/import.hpp>
#include <filesystem>
#include <iostream>

namespace fs = std::filesystem;

int main(int, char** argv) {
  std::vector<fs::path> models;
  for (const auto& entry : fs::directory_iterator(argv[1]))
    if (const auto kind = entry.path().extension(); kind == ".keras" || kind == ".h5")
      models.push_back(entry.path());
  std::sort(models.begin(), models.end());
  std::string header = "// Made by import_folder.\n#pragma once\n", checks;
  for (const fs::path& model : models) {
    // A number, because not every name of a file is one of C++.
    const std::string number = std::to_string(&model - models.data());
    std::string text;
    try {
      text = digitnet::keras::import_model(model.string(), "Written" + number, false).header;
    } catch (const digitnet::Error& error) {
      checks +=
          "  refused(\"" + model.filename().string() + "\", R\"reasons(" + error.what() + ")reasons\");\n";
      continue;
    }
    header += text.substr(text.find("#include <string>"));
    checks += "  check(\"" + model.stem().string() + "\", \"" + model.filename().string() +
              "\", [] { return load_written" + number + "(); });\n";
  }
  header +=
      "\ntemplate <class Check, class Refused>\nvoid check_all(const Check& check, const Refused& refused) "
      "{\n" +
      checks + "}\n";
  digitnet::AtomicFile file(argv[2]);
  file.write(header.data(), header.size());
  file.commit();
  return 0;
}
