// The program's CRC-32C is the library's.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <wiredtiger.h>

#include <random>
#include <string>

namespace ebla::tabletserver::testing {
namespace {

using Function = decltype(wiredtiger_crc32c_func());

Function OfTheLibrary() {
  void* const library = dlopen("libwiredtiger.so.0", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  return reinterpret_cast<decltype(&wiredtiger_crc32c_func)>(dlsym(library, "wiredtiger_crc32c_func"))();
}

TEST(WtChecksumTest, IsTheLibrarysForAnyBytes) {
  const Function own = wiredtiger_crc32c_func(), library = OfTheLibrary();
  ASSERT_NE(library, nullptr);
  ASSERT_NE(own, library) << "the program's definition is not linked";
  EXPECT_EQ(own("123456789", 9), 0xe3069283) << "as RFC 3720 has it";
  std::mt19937 random(7);
  std::string bytes(20'000, 0);
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t size = 0; size <= 800; ++size) ASSERT_EQ(own(bytes.data(), size), library(bytes.data(), size)) << size;
  for (int i = 0; i < 2000; ++i) {
    const size_t at = random() % 100, size = random() % (bytes.size() - at);
    ASSERT_EQ(own(bytes.data() + at, size), library(bytes.data() + at, size)) << size << " from " << at;
  }
}

}  // namespace
}  // namespace ebla::tabletserver::testing
