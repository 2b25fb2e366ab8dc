// Kills the program that it is loaded into at one of its steps, like a SIGKILL at that moment. The program is the
// shipped one, without any change for this test.
//   LD_PRELOAD=libkill_at_step.so EBLA_KILL_AT=7:/dir   before its seventh call that changes, fills or keeps a file of
//                                                       /dir, or /dir
//   LD_PRELOAD=libkill_at_step.so EBLA_KILL_AT=7:       before its seventh write to a socket
// Place:   backup_kill_test.cc loads it, and so does the storage's wt_crash_test.cc.
// Threads: any.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/integration/next_function.h"

namespace {

using ebla::testing::Next;

std::atomic<long> steps{0};

void Step(bool on_socket, std::string_view path) {
  const char* const given = std::getenv("EBLA_KILL_AT");
  if (given == nullptr) return;
  char* end = nullptr;
  const long last = std::strtol(given, &end, 10);
  const std::string_view below = end + 1;
  if (on_socket != below.empty() || !path.starts_with(below)) return;
  if (++steps == last) kill(getpid(), SIGKILL);
}
void StepOfFile(int fd) {
  char path[4096];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  if (size > 0) Step(false, {path, static_cast<size_t>(size)});
}
void StepOfSocket(int fd) {
  struct stat is;
  if (fstat(fd, &is) == 0 && S_ISSOCK(is.st_mode)) Step(true, "");
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if ((flags & O_CREAT) != 0) Step(false, path);
  return Next<int(const char*, int, ...)>("open")(path, flags, mode);
}
int mkdir(const char* path, mode_t mode) {
  Step(false, path);
  return Next<int(const char*, mode_t)>("mkdir")(path, mode);
}
int fflush(FILE* file) {
  if (file != nullptr && file != stdout && file != stderr) StepOfFile(fileno(file));
  return Next<int(FILE*)>("fflush")(file);
}
int fsync(int fd) {
  StepOfFile(fd);
  return Next<int(int)>("fsync")(fd);
}
int fdatasync(int fd) {
  StepOfFile(fd);
  return Next<int(int)>("fdatasync")(fd);
}
int ftruncate(int fd, off_t size) {
  StepOfFile(fd);
  return Next<int(int, off_t)>("ftruncate")(fd, size);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  StepOfFile(fd);
  return Next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, bytes, size, at);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  StepOfFile(fd);
  return Next<ssize_t(int, const iovec*, int, off_t)>("pwritev")(fd, parts, count, at);
}
int unlink(const char* path) {
  Step(false, path);
  return Next<int(const char*)>("unlink")(path);
}
int rename(const char* from, const char* to) {
  Step(false, to);
  return Next<int(const char*, const char*)>("rename")(from, to);
}
int remove(const char* path) {
  Step(false, path);
  return Next<int(const char*)>("remove")(path);
}
int rmdir(const char* path) {
  Step(false, path);
  return Next<int(const char*)>("rmdir")(path);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  StepOfSocket(fd);
  return Next<ssize_t(int, const void*, size_t, int)>("send")(fd, bytes, size, flags);
}
ssize_t write(int fd, const void* bytes, size_t size) {
  StepOfSocket(fd);
  return Next<ssize_t(int, const void*, size_t)>("write")(fd, bytes, size);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  StepOfSocket(fd);
  return Next<ssize_t(int, const iovec*, int)>("writev")(fd, parts, count);
}

}  // extern "C"
#pragma GCC visibility pop
