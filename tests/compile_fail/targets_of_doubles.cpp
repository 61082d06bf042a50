// expect: Targets are labels, an array of an integer type, or rows of float
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const Targets targets(std::vector<double>{0.5, 1.5});
