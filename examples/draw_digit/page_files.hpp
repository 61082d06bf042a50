// The page's files, which are part of the program: embed.cmake writes page_files.cpp from the folder page.
#pragma once
#include <span>
#include <string_view>

namespace draw {

struct PageFile {
  std::string_view name;  ///< "draw.js"
  std::string_view content;
};
std::span<const PageFile> page_files();

}  // namespace draw
