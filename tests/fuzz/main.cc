// EBLA_FUZZ_TARGET names one of targets.h.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebla::fuzz::EBLA_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
