// tests/integration/next_function.h
// For libraries that LD_PRELOAD puts before the C library's functions.
// Threads: any.
#pragma once

#include <dlfcn.h>

namespace ebla::testing {

// The function that the program would have called.
template <class Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace ebla::testing
