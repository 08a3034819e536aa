# find_package(lambda_invoke CONFIG): lambda_invoke::lambda_invoke, the shared library, and lambda_invoke::static.
# Paths are taken from where this file lies, so that the installation may be moved.
get_filename_component(_lambda_invoke_libdir "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_lambda_invoke_includedir "${CMAKE_CURRENT_LIST_DIR}/@INCLUDE_FROM_CMAKE@" ABSOLUTE)

if(NOT TARGET lambda_invoke::lambda_invoke)
  add_library(lambda_invoke::lambda_invoke SHARED IMPORTED)
  set_target_properties(lambda_invoke::lambda_invoke PROPERTIES
    IMPORTED_LOCATION "${_lambda_invoke_libdir}/liblambda_invoke.so"
    IMPORTED_SONAME "liblambda_invoke.so.@ABI@"
    INTERFACE_INCLUDE_DIRECTORIES "${_lambda_invoke_includedir}")

  # A shared object with a copy of the library inside stays loaded until the program ends, as the shared library does: a
  # name lookup that a call gave up, or a thread that ends later, may still need its code.
  add_library(lambda_invoke::static STATIC IMPORTED)
  set_target_properties(lambda_invoke::static PROPERTIES
    IMPORTED_LOCATION "${_lambda_invoke_libdir}/liblambda_invoke.a"
    INTERFACE_LINK_LIBRARIES "@PRIVATE_LIBS@"
    INTERFACE_LINK_OPTIONS
      "$<$<IN_LIST:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY$<SEMICOLON>MODULE_LIBRARY>:LINKER:-z,nodelete>"
    INTERFACE_INCLUDE_DIRECTORIES "${_lambda_invoke_includedir}")
endif()

unset(_lambda_invoke_libdir)
unset(_lambda_invoke_includedir)
