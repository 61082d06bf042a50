# cmake -DOUTPUT=page_files.cpp "-DFILES=a;b" -P embed.cmake: files as constants of a C++ source.
set(source "#include \"page_files.hpp\"\n\nnamespace draw {\n\nnamespace {\n\n")
set(entries "")
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  # Literals have a largest length; neighbours are joined.
  string(REGEX REPLACE "(................................................................................)" "\\1\"\n    \"" bytes "${bytes}")
  file(SIZE ${path} size)
  string(APPEND source "constexpr char ${identifier}[] =\n    \"${bytes}\";\n")
  string(APPEND entries "    {\"${name}\", {${identifier}, ${size}}},\n")
endforeach()
string(APPEND source "\nconstexpr PageFile files[] = {\n${entries}};\n\n}  // namespace\n\n"
                     "std::span<const PageFile> page_files() { return files; }\n\n}  // namespace draw\n")
file(WRITE ${OUTPUT} "${source}")
