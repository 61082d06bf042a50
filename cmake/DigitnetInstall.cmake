# Installs headers, the CMake package and the pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/digitnet)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/digitnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS digitnet digitnet_native EXPORT digitnet)
if(TARGET import_keras AND DIGITNET_BUILD_IMPORTER AND NOT DIGITNET_EXAMPLES)
  install(TARGETS import_keras EXPORT digitnet)
endif()
if(DIGITNET_BUILD_COMPILED)
  install(TARGETS digitnet_compiled EXPORT digitnet)
endif()
install(EXPORT digitnet NAMESPACE digitnet:: FILE digitnetTargets.cmake DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/digitnetConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/digitnetConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/digitnetConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/digitnetConfig.cmake ${PROJECT_BINARY_DIR}/digitnetConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/DigitnetDependencies.cmake ${CMAKE_CURRENT_LIST_DIR}/DigitnetImport.cmake
              ${CMAKE_CURRENT_LIST_DIR}/DigitnetProcessors.cmake
        DESTINATION ${package_folder})

# Relative, so that the installed tree can be moved.
file(RELATIVE_PATH DIGITNET_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
set(DIGITNET_PC_DOWNLOAD_REQUIRES "")
set(DIGITNET_PC_DOWNLOAD_FLAGS "")
if(CURL_FOUND AND OPENSSL_FOUND)
  set(DIGITNET_PC_DOWNLOAD_REQUIRES ", libcurl, libcrypto")
  set(DIGITNET_PC_DOWNLOAD_FLAGS " -DDIGITNET_WITH_DOWNLOAD")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/digitnet.pc.in ${PROJECT_BINARY_DIR}/digitnet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/digitnet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
