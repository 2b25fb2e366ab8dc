#include "tabletserver/storage/wiredtiger/thread_reads.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

#include "common/base/descriptor.h"

namespace ebla::tabletserver {

std::optional<uint64_t> ThreadReads() {
  thread_local const Descriptor file(::open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC));
  thread_local uint64_t own = 0;  // asking is a read, too, and counted from the next time on
  char text[256];
  const ssize_t length = file.valid() ? ::pread(file.get(), text, sizeof text, 0) : -1;
  if (length <= 0) return std::nullopt;
  constexpr std::string_view kName = "syscr: ";
  const std::string_view all(text, static_cast<size_t>(length));
  const size_t at = all.find(kName);
  if (at == all.npos) return std::nullopt;
  uint64_t reads = 0;
  std::from_chars(all.data() + at + kName.size(), all.data() + all.size(), reads);
  return reads - own++;
}

}  // namespace ebla::tabletserver
