// expect: A report refers to its test set: give the test set a name
#include <digitnet/digitnet.hpp>
#include <digitnet/report/content.hpp>

using namespace digitnet;
using Model = Sequential<Input<4>, Dense<2>>;

report::Content content(const Model& model) { return report::content_of(model, datasets::mnist().test); }
