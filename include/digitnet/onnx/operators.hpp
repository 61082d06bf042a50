// The layers of this library that save_onnx can write: one header for each layer or family.
#pragma once
#include "digitnet/onnx/operators/activations.hpp"
#include "digitnet/onnx/operators/batch_normalization.hpp"
#include "digitnet/onnx/operators/convolution.hpp"
#include "digitnet/onnx/operators/dense.hpp"
#include "digitnet/onnx/operators/layer_normalization.hpp"
#include "digitnet/onnx/operators/merge.hpp"
#include "digitnet/onnx/operators/pooling.hpp"
#include "digitnet/onnx/operators/rescaling.hpp"
#include "digitnet/onnx/operators/reshape.hpp"
#include "digitnet/onnx/operators/softmax.hpp"
#include "digitnet/onnx/operators/training_only.hpp"
#include "digitnet/onnx/operators/zero_padding.hpp"
