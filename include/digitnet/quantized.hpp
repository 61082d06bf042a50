// Models on bytes: quantize(), the Quantized<Model> that it gives, its summary and its files. digitnet.hpp
// does not include this. ONNX: digitnet/onnx/quantized.hpp.
#pragma once
#include "digitnet/inspect/quantized.hpp"
#include "digitnet/io/quantized.hpp"
#include "digitnet/model/quantize.hpp"
