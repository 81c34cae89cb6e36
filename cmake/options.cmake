# Warnings, sanitizers, ccache and the two helpers every folder uses.
option(TOLLGATE_FUZZ "Build only the libFuzzer targets (needs clang)" OFF)
set(TOLLGATE_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, such as address,undefined")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header is cached by what it holds; two checkouts share their objects.
  set(ccache_env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
                 CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env ${ccache_env} ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                    -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports overflows inside its own std::string and vector code at -O2 and above.
  add_compile_options(-Wno-stringop-overflow -Wno-array-bounds -Wno-restrict -Wno-dangling-pointer)
  add_compile_options(-fpch-preprocess)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -fno-plt")
if(TOLLGATE_SANITIZE)
  add_compile_options(-fsanitize=${TOLLGATE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TOLLGATE_SANITIZE})
  if(TOLLGATE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()

# What ships is hardened; tests/gateway/hardening_test.py looks at the program. Tests are linked so,
# and compiled without.
include(CheckPIESupported)
check_pie_supported()
option(TOLLGATE_HARDEN "Stack protector, fortified calls and CET in what ships" OFF)
add_library(tollgate_hardened INTERFACE)
if(NOT TOLLGATE_SANITIZE)
  target_link_options(tollgate_hardened INTERFACE
    -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()
if(TOLLGATE_HARDEN AND NOT TOLLGATE_SANITIZE)
  target_compile_options(tollgate_hardened INTERFACE
    -fPIE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(tollgate_hardened INTERFACE -fcf-protection=full)
    # The linker drops CET's marks, since Debian's Scrt1.o has none. Its _start leaves the shadow
    # stack alone, so that mark is true; it has no endbr64, so IBT's would not be.
    target_link_options(tollgate_hardened INTERFACE -Wl,-z,shstk)
  endif()
  # It needs optimisation, and would warn without.
  target_compile_options(tollgate_hardened INTERFACE
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=3>)
endif()

# Structs of 100 to 500 octets are cleared and copied several times a message: "rep stos" and
# "rep movs", g++'s choice for them, take longer to start than the stores themselves.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(stores unrolled_loop:1024:noalign,libcall:-1:noalign)
  target_compile_options(tollgate_hardened INTERFACE
    "$<$<CONFIG:Release>:-mmemset-strategy=${stores};-mmemcpy-strategy=${stores}>")
endif()

# tollgate_library(NAME SOURCES... [PUBLIC libs...] [PRIVATE libs...])
function(tollgate_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(tollgate_${name} STATIC ${arg_SOURCES})
  target_include_directories(tollgate_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(tollgate_${name} PUBLIC ${arg_PUBLIC}
    PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:tollgate_hardened>)
endfunction()

# tollgate_test(NAME SOURCES... LIBS... [ARGS...]): a Catch2 program that ctest runs as NAME.
# Every test program shares the one object with Catch2's main and the one precompiled catch.hpp.
function(tollgate_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tollgate_catch ${arg_LIBS})
  target_precompile_headers(${name} REUSE_FROM tollgate_catch)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
