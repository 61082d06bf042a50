// expect: Labels are whole numbers: give an array of an integer type, such as int
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const double part = accuracy(std::vector<float>{0, 1}, std::vector<int>{0, 1});
