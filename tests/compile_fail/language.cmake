# Compiles HEADER in a language that digitnet is not written in, or with a library that it cannot use (FLAGS), and
# checks that the compiler says SENTENCE and nothing behind it.
file(WRITE ${OUTPUT} "#include <${HEADER}>\nint main() {}\n")
execute_process(COMMAND ${COMPILER} ${FLAGS} -fsyntax-only ${OUTPUT} RESULT_VARIABLE status ERROR_VARIABLE output)
if(status EQUAL 0)
  message(FATAL_ERROR "${HEADER} compiles with ${FLAGS}, but should be refused")
endif()
string(REGEX MATCHALL "error: [^\n]*" errors "${output}")
list(LENGTH errors count)
list(GET errors 0 first)
string(FIND "${first}" "${SENTENCE}" place)
# The second one is the missing file at which the compiler stops.
if(place EQUAL -1 OR count GREATER 2)
  message(FATAL_ERROR "${HEADER} should be refused with \"${SENTENCE}\" alone:\n${output}")
endif()
