// The header has moved to keras/keras.hpp; this one keeps older code compiling.
#pragma once
#include "digitnet/keras/keras.hpp"
