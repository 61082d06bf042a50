# digitnet_import_keras(TARGET MODEL NAME Name [EMBED]): at build time, makes the header name.hpp (snake case) from
# MODEL, a Keras model (.h5 or .keras), with the type Name and the function load_name(), for TARGET to include. With
# EMBED its parameters become part of the program, which then needs neither the file nor HDF5.
function(digitnet_import_keras target model)
  cmake_parse_arguments(PARSE_ARGV 2 import "EMBED" "NAME" "")
  if(NOT import_NAME)
    message(FATAL_ERROR "digitnet_import_keras needs NAME, the name of the model's type")
  endif()
  if(NOT TARGET digitnet::import_keras)
    message(FATAL_ERROR "digitnet_import_keras needs the program import_keras, which this digitnet was built without. "
                        "Configure digitnet with -DDIGITNET_BUILD_IMPORTER=ON where HDF5, libzip, nlohmann/json and "
                        "CLI11 are (Debian: libhdf5-dev libzip-dev nlohmann-json3-dev libcli11-dev)")
  endif()
  if(NOT import_NAME MATCHES "^[A-Za-z][A-Za-z0-9_]*$")
    message(FATAL_ERROR "digitnet_import_keras: NAME is \"${import_NAME}\", but must be the name of a C++ type")
  endif()
  get_filename_component(model "${model}" ABSOLUTE)
  # As keras_import.hpp does it.
  string(REGEX REPLACE "(.)([A-Z][a-z])" "\\1_\\2" snake ${import_NAME})
  string(REGEX REPLACE "([a-z])([A-Z])" "\\1_\\2" snake ${snake})
  string(REGEX REPLACE "__+" "_" snake ${snake})
  string(TOLOWER ${snake} snake)
  get_target_property(imported ${target} DIGITNET_IMPORTED)
  if(snake IN_LIST imported)
    message(FATAL_ERROR "digitnet_import_keras: ${target} has a ${snake}.hpp already; give ${import_NAME} another NAME")
  endif()
  set_property(TARGET ${target} APPEND PROPERTY DIGITNET_IMPORTED ${snake})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/digitnet_import/${target})
  file(MAKE_DIRECTORY ${folder})
  set(outputs ${folder}/${snake}.hpp)
  set(flags "")
  if(import_EMBED)
    list(APPEND outputs ${folder}/${snake}.cpp ${folder}/${snake}.bin)
    set(flags --embed)
  endif()
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND digitnet::import_keras "${model}" --name ${import_NAME} --output ${folder}/${snake}.hpp ${flags}
    DEPENDS "${model}" digitnet::import_keras
    COMMENT "Importing ${model}"
    VERBATIM)
  target_sources(${target} PRIVATE ${outputs})
  target_include_directories(${target} PRIVATE ${folder})
  if(import_EMBED)
    set_source_files_properties(${folder}/${snake}.cpp PROPERTIES OBJECT_DEPENDS ${folder}/${snake}.bin)
    target_link_libraries(${target} PRIVATE digitnet::digitnet)
  else()
    target_link_libraries(${target} PRIVATE digitnet::keras)
  endif()
endfunction()
