// Keras' model files, both ways: whole models as .h5 and .keras, weights as .weights.h5. Needs HDF5, libzip
// and nlohmann/json (CMake: digitnet::keras).
#pragma once
#include "digitnet/io/keras_load.hpp"
#include "digitnet/io/keras_resume.hpp"
#include "digitnet/io/keras_save.hpp"
