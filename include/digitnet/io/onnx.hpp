// The header has moved to onnx/onnx.hpp; this one keeps older code compiling.
#pragma once
#include "digitnet/onnx/onnx.hpp"
