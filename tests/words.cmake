# One word for one thing. This fails on words that the project has given up for the field's, and on comments that stand
# behind what they speak of.
#   cmake -DSOURCE=. -P words.cmake
cmake_minimum_required(VERSION 3.20)
get_filename_component(SOURCE "${SOURCE}" ABSOLUTE)
file(GLOB_RECURSE files RELATIVE ${SOURCE} ${SOURCE}/include/digitnet/*.hpp ${SOURCE}/docs/*.md)
list(APPEND files README.md CONTRIBUTING.md)
set(wrong "")

# refuse WORDS CURE [FILES REGEX] [USES REGEX]: no line may have WORDS, save in files whose path matches FILES and save for
# USES, an ordinary use of the word.
function(refuse words cure)
  cmake_parse_arguments(except "" "FILES;USES" "" ${ARGN})
  foreach(file ${files})
    if(NOT EXISTS ${SOURCE}/${file} OR (except_FILES AND file MATCHES "${except_FILES}"))
      continue()
    endif()
    file(STRINGS ${SOURCE}/${file} lines REGEX "${words}")
    foreach(line ${lines})
      if(except_USES)
        string(REGEX REPLACE "${except_USES}" "" line "${line}")
      endif()
      # A line with a semicolon comes in pieces: only the one with the word counts.
      if(line MATCHES "${words}")
        string(STRIP "${line}" line)
        string(APPEND wrong "\n  ${file}: ${line}\n    ${cure}")
      endif()
    endforeach()
  endforeach()
  set(wrong "${wrong}" PARENT_SCOPE)
endfunction()

refuse("[Ss]ynchroni[sz]" "what waits for the whole batch is a batch barrier")
refuse("(^|[^a-z])phases?($|[^a-z_])" "what lies between two batch barriers is a stage")
refuse("(^|[^a-z])leads?($|[^a-z])" "a shard waits at a batch barrier" USES "leads? (on )?(to|nowhere|through)")
refuse("GradientProduct|(^|[^A-Za-z])(Kept|kept_)|[a-z]_kept" "it is a deferred weight gradient")
refuse("(^|[^A-Za-z])prepared?($|[^A-Za-z])" "parameters are packed" USES "prepare_slots|MNIST was prepared")
refuse("[Rr]ecompute|computed again|run again|_again|again\\[" "a value that is not stored is rematerialized")
refuse("dx_over_dy" "it is computed in place")
refuse("[Ww]inner" "the place of the largest value is the argmax")
refuse("(^|[^A-Za-z])[Ff]ramed($|[^A-Za-z])" "an image with a border of zeros is padded"
       FILES "digitnet/report/|docs/drawing.md" USES "framed as in TFRecord")
refuse("(^|[^A-Za-z])Together" "it is a fusion rule")
refuse("(^|[^A-Za-z])[Ll]anes?($|[^A-Za-z])" "a lane is one of a SIMD vector; a part of the batch with its own gradients is a shard"
       FILES "core/(simd|one_lane).hpp|digitnet/kernels/|data/augment.hpp")
refuse("///<" "a comment stands above its member")

if(wrong)
  message(FATAL_ERROR "Words that mean something else here, or nothing:${wrong}")
endif()
list(LENGTH files count)
message(STATUS "${count} files use one word for one thing")
