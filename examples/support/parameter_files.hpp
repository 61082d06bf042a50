// A model's parameters in files, in the format that the file's ending says.
#pragma once
#include <digitnet/inspect/description.hpp>
#include <span>
#include <string>

namespace program {

/// Fills a model's parameters from a file, or writes them, in the format that its ending says: .safetensors,
/// or, in a program built with them, .keras, .h5 and .weights.h5, and .onnx (written only). `check_save_path`
/// refuses other endings, and places that cannot be written. Files are read in a child process with limits of
/// memory and time: whatever a file does to its reader ends in an Error.
void load_parameters(const digitnet::ModelDescription& model, std::span<float> parameters,
                     const std::string& path);
void save_parameters(const digitnet::ModelDescription& model, std::span<const float> parameters,
                     const std::string& path);
void check_save_path(const std::string& path);

}  // namespace program
