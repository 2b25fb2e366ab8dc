# The libraries that Ebla links with, all of them Debian packages (./dev has the list to install).
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_program(THRIFT_COMPILER thrift REQUIRED)

pkg_check_modules(THRIFT REQUIRED IMPORTED_TARGET thrift)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent libevent_pthreads)
pkg_check_modules(LIBEVENT_OPENSSL REQUIRED IMPORTED_TARGET libevent_openssl)
pkg_check_modules(GLOG REQUIRED IMPORTED_TARGET libglog)
find_package(OpenSSL 3 REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)  # compresses backups
find_package(CURL 7.87 REQUIRED)  # signs requests to S3
find_package(gflags REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
# Lua as Redis has it, for the gateway's scripts, and its library of bit operations.
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.1 lua5.1-bitop)
pkg_check_modules(LZF REQUIRED IMPORTED_TARGET liblzf)  # values as Redis dumps them
find_package(absl REQUIRED CONFIG)  # tables in memory, gateways

# Neither ZooKeeper's C client nor WiredTiger ships a CMake package; both are one header and one library.
function(ebla_import name header library)
  find_path(${name}_INCLUDE ${header} REQUIRED)
  find_library(${name}_LIBRARY ${library} REQUIRED)
  add_library(Ebla::${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(Ebla::${name} SYSTEM INTERFACE ${${name}_INCLUDE})
  target_link_libraries(Ebla::${name} INTERFACE ${${name}_LIBRARY} ${ARGN})
endfunction()
ebla_import(zookeeper zookeeper/zookeeper.h zookeeper_mt Threads::Threads)
ebla_import(wiredtiger wiredtiger.h wiredtiger)
ebla_import(readline readline/readline.h readline)

# The binaries' malloc: a put's memory is taken on one thread and given back on another, where glibc's costs a fifth of
# a server's CPU. Sanitizers bring their own.
add_library(ebla_malloc INTERFACE)
if(NOT EBLA_SANITIZE)
  pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
  target_link_libraries(ebla_malloc INTERFACE -Wl,--no-as-needed PkgConfig::JEMALLOC -Wl,--as-needed)
endif()

if(EBLA_TESTS)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  # Debian's RapidCheck has headers and a library, and a pkg-config file for neither extra.
  ebla_import(rapidcheck rapidcheck.h rapidcheck)
endif()
