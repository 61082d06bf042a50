# Every header compiles alone, and twice in a row.
file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp)
set(sources "")
foreach(header ${headers})
  string(MAKE_C_IDENTIFIER ${header} name)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include <${header}>\n#include <${header}>\n")
  list(APPEND sources ${source})
endforeach()
# Checked, not compiled: no code is made of them.
add_library(header_check OBJECT ${sources})
target_link_libraries(header_check PRIVATE digitnet_own)
target_compile_options(header_check PRIVATE -O0)
