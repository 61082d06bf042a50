// See imported_training.cpp.
#pragma once
#include <string>

/// Whether the trainings of Keras' files in a folder can be taken over.
bool trainings_go_on(const std::string& folder);
