// The networks of the contest (contest.hpp) as digitnet's types.
#pragma once
#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>
#include <digitnet/digitnet.hpp>

namespace contest {

using namespace digitnet;

using A = Sequential<Input<784>, Dense<100>, ReLU, Dense<10>, Softmax>;
using B = Sequential<Input<784>, Dense<512>, ReLU, Dense<512>, ReLU, Dense<10>, Softmax>;
using C = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                     MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
using D = applications::ResNet<>;
using E = applications::MobileNet<>;
using F = applications::ResNet<Input<28, 28, 1>, 14, 64>;
using G = applications::MobileNet<Input<96, 96, 3>>;

}  // namespace contest
