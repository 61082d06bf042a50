// The header has moved to keras/import.hpp; this one keeps older code compiling.
#pragma once
#include "digitnet/keras/import.hpp"
