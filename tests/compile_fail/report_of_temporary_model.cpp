// expect: A report refers to its model: give the model a name
#include <digitnet/digitnet.hpp>
#include <digitnet/report/content.hpp>

using namespace digitnet;
using Model = Sequential<Input<4>, Dense<2>>;

report::Content content(const Dataset& data) { return report::content_of(Model{}, data); }
