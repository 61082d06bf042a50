# digitnet_for_processors(TARGET SOURCE [PROCESSOR...]): compiles SOURCE into TARGET once for each processor (all:
# baseline avx2 avx512 avx512_bf16), of which a digitnet::Entry chooses when the program runs (digitnet/core/entry.hpp).
# TARGET itself is compiled for the baseline: it links digitnet::digitnet, not digitnet::native. SOURCE has no global
# objects with constructors, which would run on every processor.
function(digitnet_for_processors target source)
  set(processors ${ARGN})
  if(NOT processors)
    set(processors baseline avx2 avx512 avx512_bf16)
  endif()
  set(options_baseline "")
  set(options_avx2 -march=x86-64-v3)
  set(options_avx512 -march=x86-64-v4)
  set(options_avx512_bf16 -march=x86-64-v4 -mavx512bf16 -mavx512vnni)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(processors baseline)
  endif()
  get_filename_component(name ${source} NAME_WE)
  # In this order behind the target's own sources: of functions that several have (the standard library's), the linker
  # keeps the first, which every processor can run.
  foreach(processor baseline avx2 avx512 avx512_bf16)
    if(NOT processor IN_LIST processors)
      continue()
    endif()
    add_library(${target}_${name}_${processor} OBJECT ${source})
    target_compile_options(${target}_${name}_${processor} PRIVATE ${options_${processor}})
    target_link_libraries(${target}_${name}_${processor} PRIVATE $<TARGET_PROPERTY:${target},LINK_LIBRARIES>)
    target_include_directories(${target}_${name}_${processor} PRIVATE $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${name}_${processor}>)
    list(REMOVE_ITEM processors ${processor})
  endforeach()
  if(processors)
    message(FATAL_ERROR "digitnet_for_processors: ${processors}: processors are baseline, avx2, avx512 and avx512_bf16")
  endif()
endfunction()
