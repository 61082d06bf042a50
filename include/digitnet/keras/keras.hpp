// Keras' model files, both ways: whole models as .h5 and .keras, weights as .weights.h5. Needs HDF5, libzip
// and nlohmann/json (CMake: digitnet::keras).
#pragma once
#include "digitnet/keras/load.hpp"
#include "digitnet/keras/resume.hpp"
#include "digitnet/keras/save.hpp"
