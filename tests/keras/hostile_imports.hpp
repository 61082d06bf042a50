// Names of files that would be code if they were not escaped, and the model that lies in each.
#pragma once
#include <string>

#include "io/every_layer.hpp"

namespace hostile_imports {

inline auto model() {
  return networks::with_random_parameters(
      digitnet::Sequential{digitnet::Input<3>{}, digitnet::Dense<2>{}, digitnet::ReLU{}}, 1);
}

inline const std::string names[] = {"line\nint evil = 1;\n",
                                    "line\n.global evil\n\"; int evil; //",
                                    ")\" R\"(\\",
                                    "50%{x|y} \"quoted\\",
                                    "?\?/ back\\",
                                    "?\?/ \t'; .error \"evil\"",
                                    "*/ #error evil $(evil) \xc3\xa9\xe2\x80\xae",
                                    "\"\n  .incbin \"evil\" \xc3\xa9"};

}  // namespace hostile_imports
