# ebla_library(name [COLD] SOURCES ... DEPS ...)  a static library of one module
# ebla_binary(name [COLD] COMPONENT c SOURCES ... DEPS ...)  an installed executable; c: server or client; COLD, too:
#                                                    compiled with EBLA_COLD_OPTIMIZATION
# ebla_test(name SOURCES ... DEPS ... [LABELS ...] [TIMEOUT s] [CLUSTER [TIMED] | SIMULATED] [COST s] [SHARDS n]
#           [LONG | LONG_COST s])                    one GoogleTest executable, one ctest test; ebla_schedule takes the
#                                                    rest
# Takes up to a third less time to compile. It is for what need not be fast, which is a test's own code (the tested code
# is optimized as it is for users) and the operator's tools, and for nothing that a server links with. A function that
# several sources have compiled is linked as the first of them has it.
set(EBLA_COLD_OPTIMIZATION "$<$<CONFIG:Release>:-O1>")

add_library(ebla_flags INTERFACE)
add_compile_options(-pthread)
target_compile_features(ebla_flags INTERFACE cxx_std_23)
target_compile_options(ebla_flags INTERFACE -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
  -Werror=return-type -Werror=unused-result
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # In KB. From 128 MB on GCC would look for garbage, and find little, because most sources need several times as much
  # to the end. It takes 7 to 12 % of a compile.
  target_compile_options(ebla_flags INTERFACE --param=ggc-min-heapsize=524288)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overruns and uninitialized members in inlined std::string and std::expected that are not there.
  target_compile_options(ebla_flags INTERFACE -Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict
    -Wno-stringop-overflow)
endif()
# A warning of the compiler that every developer and CI has (Debian 12's) is an error; one of another compiler is none.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13 AND
   CMAKE_BUILD_TYPE STREQUAL "Release")
  # GCC 12 sees overreads of strings that are not there, too.
  target_compile_options(ebla_flags INTERFACE -Werror -Wno-error=stringop-overread)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(ebla_flags INTERFACE -Werror=thread-safety)
endif()
target_include_directories(ebla_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/client/include
  ${PROJECT_BINARY_DIR}/gen)
if(EBLA_SANITIZE)
  target_compile_options(ebla_flags INTERFACE -fsanitize=${EBLA_SANITIZE} -fno-sanitize-recover=all)
  # Thrift's headers turn whatever type a peer names into an enum before they look at it; hostile_test.cc sends the
  # worst.
  target_compile_options(ebla_flags INTERFACE -fno-sanitize=enum)
  target_link_options(ebla_flags INTERFACE -fsanitize=${EBLA_SANITIZE})
endif()

# Precompiled headers, made once for each of the two kinds of target: what is tested, and tests (at -O1, with
# GoogleTest).
function(ebla_make_pch name header)
  file(WRITE ${PROJECT_BINARY_DIR}/gen/${name}.cc "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/gen/${name}.cc)
  target_link_libraries(${name} PRIVATE ebla_flags)
  target_precompile_headers(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/${header})
endfunction()
if(EBLA_PCH)
  ebla_make_pch(ebla_pch pch.h)
  if(EBLA_TESTS)
    ebla_make_pch(ebla_test_pch test_pch.h)
    target_compile_options(ebla_test_pch PRIVATE ${EBLA_COLD_OPTIMIZATION})
    target_link_libraries(ebla_test_pch PRIVATE GTest::gmock)
  endif()
endif()
function(ebla_precompile target)
  if(EBLA_PCH)
    target_precompile_headers(${target} REUSE_FROM ebla_pch)
  endif()
endfunction()

# Paths of the checkout and the binaries, for tests: #include "test_paths.h".
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/gen/test_paths.h CONTENT "#pragma once
inline constexpr char kSourceDir[] = \"${PROJECT_SOURCE_DIR}\";
inline constexpr char kBinaryDir[] = \"${PROJECT_BINARY_DIR}\";
" @ONLY)

function(ebla_library name)
  cmake_parse_arguments(ARG "COLD" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ebla_flags ${ARG_DEPS})
  if(ARG_COLD)
    target_compile_options(${name} PRIVATE ${EBLA_COLD_OPTIMIZATION})
  endif()
  ebla_precompile(${name})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${EBLA_UNITY} UNITY_BUILD_BATCH_SIZE 16)
endfunction()

# All installed binaries: what ./quickstart builds.
add_custom_target(ebla-binaries)

function(ebla_binary name)
  cmake_parse_arguments(ARG "COLD" "COMPONENT" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ebla_flags ${ARG_DEPS} ebla_malloc)
  if(ARG_COLD)
    target_compile_options(${name} PRIVATE ${EBLA_COLD_OPTIMIZATION})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  ebla_precompile(${name})
  add_dependencies(ebla-binaries ${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${ARG_COMPONENT})
endfunction()

# Which tests run beside which: ebla_schedule(name [CLUSTER [TIMED] | SIMULATED] [COST s]).
#   CLUSTER    has many real processes. One such test runs at a time.
#   TIMED      has limits in real time besides: it comes before other clusters, while there are simulated tests to run
#              beside it.
#   SIMULATED  only computes, and real time decides nothing in it. It gives way to whatever runs beside it: its command
#              begins with ${EBLA_GIVES_WAY}.
#   COST       about how many seconds it takes: the long ones of each kind come first.
# Under a sanitizer a cluster takes all cores, and runs alone.
set(EBLA_GIVES_WAY nice -n 10)
function(ebla_schedule name)
  cmake_parse_arguments(ARG "CLUSTER;TIMED;SIMULATED" "COST" "" ${ARGN})
  set(cost 0)
  if(ARG_COST)
    set(cost ${ARG_COST})
  endif()
  if(ARG_CLUSTER)
    math(EXPR cost "${cost} + 2000")
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK cluster)
    if(EBLA_SANITIZE)
      set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
    endif()
  endif()
  if(ARG_TIMED OR ARG_SIMULATED)
    math(EXPR cost "${cost} + 1000")
  endif()
  # ctest takes 0 for what it remembers of earlier runs.
  set_tests_properties(${name} PROPERTIES COST ${cost})
endfunction()

# One ctest test of a GoogleTest program, with the words of ebla_test and ebla_schedule.
function(ebla_add_test name program)
  cmake_parse_arguments(ARG "CLUSTER;TIMED;SIMULATED" "FILTER;TIMEOUT;COST;SHARDS" "LABELS" ${ARGN})
  set(command $<TARGET_FILE:${program}>)
  if(ARG_FILTER)
    list(APPEND command --gtest_filter=${ARG_FILTER})
  endif()
  if(ARG_SHARDS AND NOT EBLA_SANITIZE)
    list(PREPEND command ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/shards.py ${ARG_SHARDS})
  endif()
  if(ARG_SIMULATED)
    list(PREPEND command ${EBLA_GIVES_WAY})
  endif()
  add_test(NAME ${name} COMMAND ${command})
  set(schedule COST ${ARG_COST})
  foreach(kind CLUSTER TIMED SIMULATED)
    if(ARG_${kind})
      list(APPEND schedule ${kind})
    endif()
  endforeach()
  ebla_schedule(${name} ${schedule})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(EBLA_SANITIZE)
    math(EXPR ARG_TIMEOUT "4 * ${ARG_TIMEOUT}")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# Which tests run when, and in how many processes:
#   SHARDS     so many processes run the program's tests at once. For tests that wait, each of them by itself.
#   LONG       the test runs under `./dev test --long` alone.
#   LONG_COST  the suites whose names begin with Long run under --long alone, as a test of their own, NAME_long. Its
#              COST is this.
function(ebla_test name)
  if(NOT EBLA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG
    "CLUSTER;TIMED;SIMULATED;LONG" "TIMEOUT;COST;SHARDS;LONG_COST" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  # Lets ./dev find the executable of a test by the test's name.
  foreach(source ${ARG_SOURCES})
    set_property(GLOBAL APPEND_STRING PROPERTY EBLA_TEST_SOURCES "${name} ${CMAKE_CURRENT_SOURCE_DIR}/${source}\n")
  endforeach()
  target_link_libraries(${name} PRIVATE ebla_flags ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test
    UNITY_BUILD ${EBLA_UNITY} UNITY_BUILD_BATCH_SIZE 4)
  target_compile_options(${name} PRIVATE ${EBLA_COLD_OPTIMIZATION})
  if(EBLA_PCH)
    target_precompile_headers(${name} REUSE_FROM ebla_test_pch)
  endif()
  if("integration" IN_LIST ARG_LABELS)
    add_dependencies(${name} ebla-binaries)
  endif()
  set(how "")
  foreach(kind CLUSTER TIMED SIMULATED)
    if(ARG_${kind})
      list(APPEND how ${kind})
    endif()
  endforeach()
  foreach(number TIMEOUT COST SHARDS)
    if(ARG_${number})
      list(APPEND how ${number} ${ARG_${number}})
    endif()
  endforeach()
  set(of_long ${ARG_LABELS} long)
  if(ARG_LONG)
    ebla_add_test(${name} ${name} ${how} LABELS ${of_long})
  elseif(ARG_LONG_COST)
    ebla_add_test(${name} ${name} FILTER -Long* ${how} LABELS ${ARG_LABELS})
    ebla_add_test(${name}_long ${name} FILTER Long* ${how} COST ${ARG_LONG_COST} LABELS ${of_long})
  else()
    ebla_add_test(${name} ${name} ${how} LABELS ${ARG_LABELS})
  endif()
endfunction()
