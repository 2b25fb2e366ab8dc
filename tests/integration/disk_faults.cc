// Makes the disk of the program that it is loaded into fail or dawdle. The program is the shipped one, without any
// change for this test.
//   LD_PRELOAD=libdisk_faults.so EBLA_DISK_FAULTS=FILE
// Each line of FILE is a fault: CALL PATH EFFECT [TIMES], where
//   CALL    is read, write or sync; a write is also what takes room in a file
//   PATH    is a part of the path of the files that are meant
//   EFFECT  is an errno's number, such as 5 (EIO) or 28 (ENOSPC), or wait:MILLISECONDS
//   TIMES   is how many calls it meets; none: all
// The first fault that fits a call meets it. FILE may be missing. It is read again whenever it was replaced, while the
// program runs.
// Place:   disk_faults_test.cc loads it.
// Threads: any.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/mutex.h"
#include "tests/integration/next_function.h"

namespace {

using ebla::testing::Next;

struct Fault {
  std::string call, path;
  int error = 0;  // 0: it waits
  long wait_ms = 0;
  long left = -1;  // calls; negative: all
};

thread_local bool inside = false;  // this library's own calls

class Faults {
 public:
  // The error that the call shall give; 0: none. Waits before it returns, where that is the fault. `file`: of the
  // faults, and `is` how it is now.
  int Meet(std::string_view call, std::string_view path, const char* file, const struct stat& is) {
    long wait_ms = 0;
    int error = 0;
    {
      const ebla::MutexLock lock(mutex_);
      if (is.st_ino != read_.st_ino || is.st_mtim.tv_sec != read_.st_mtim.tv_sec ||
          is.st_mtim.tv_nsec != read_.st_mtim.tv_nsec)
        Read(file);
      read_ = is;
      for (Fault& fault : faults_) {
        if (fault.left == 0 || fault.call != call || !path.contains(fault.path)) continue;
        if (fault.left > 0) --fault.left;
        wait_ms = fault.wait_ms;
        error = fault.error;
        break;
      }
    }
    const timespec rest{wait_ms / 1000, wait_ms % 1000 * 1'000'000};
    if (wait_ms > 0) nanosleep(&rest, nullptr);
    return error;
  }

 private:
  void Read(const char* file) EBLA_REQUIRES(mutex_) {
    faults_.clear();
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      Fault fault;
      std::string effect;
      words >> fault.call >> fault.path >> effect;
      if (!(words >> fault.left)) fault.left = -1;
      if (effect.starts_with("wait:")) {
        fault.wait_ms = std::atol(effect.c_str() + 5);
      } else {
        fault.error = std::atoi(effect.c_str());
      }
      faults_.push_back(fault);
    }
  }

  ebla::Mutex mutex_;
  struct stat read_ EBLA_GUARDED_BY(mutex_) {};  // the file as it was read last
  std::vector<Fault> faults_ EBLA_GUARDED_BY(mutex_);
};

// Never destroyed, because threads may outlive main().
Faults& All() {
  static Faults* const faults = new Faults;
  return *faults;
}

// Allocates nothing while there are no faults, because the allocator may read files while it starts.
int MeetFaults(std::string_view call, int fd) {
  const char* const file = std::getenv("EBLA_DISK_FAULTS");
  struct stat is{};
  if (file == nullptr || stat(file, &is) != 0) return 0;
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path);
  return size > 0 && path[0] == '/' ? All().Meet(call, {path, static_cast<size_t>(size)}, file, is) : 0;
}

int Meet(std::string_view call, int fd) {
  if (inside) return 0;
  inside = true;
  const int error = MeetFaults(call, fd);
  inside = false;
  return error;
}

bool Fails(std::string_view call, int fd) {
  const int before = errno;
  const int error = Meet(call, fd);
  errno = error != 0 ? error : before;
  return error != 0;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

ssize_t read(int fd, void* bytes, size_t size) {
  return Fails("read", fd) ? -1 : Next<ssize_t(int, void*, size_t)>("read")(fd, bytes, size);
}
ssize_t pread(int fd, void* bytes, size_t size, off_t at) {
  return Fails("read", fd) ? -1 : Next<ssize_t(int, void*, size_t, off_t)>("pread")(fd, bytes, size, at);
}
ssize_t pread64(int fd, void* bytes, size_t size, off64_t at) {
  return Fails("read", fd) ? -1 : Next<ssize_t(int, void*, size_t, off64_t)>("pread64")(fd, bytes, size, at);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  return Fails("write", fd) ? -1 : Next<ssize_t(int, const void*, size_t)>("write")(fd, bytes, size);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return Fails("write", fd) ? -1 : Next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return Fails("write", fd) ? -1 : Next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64")(fd, bytes, size, at);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  return Fails("write", fd) ? -1 : Next<ssize_t(int, const iovec*, int, off_t)>("pwritev")(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t at) {
  return Fails("write", fd) ? -1 : Next<ssize_t(int, const iovec*, int, off64_t)>("pwritev64")(fd, parts, count, at);
}
// Returns the error.
int posix_fallocate(int fd, off_t at, off_t size) {
  const int error = Meet("write", fd);
  return error != 0 ? error : Next<int(int, off_t, off_t)>("posix_fallocate")(fd, at, size);
}
int posix_fallocate64(int fd, off64_t at, off64_t size) {
  const int error = Meet("write", fd);
  return error != 0 ? error : Next<int(int, off64_t, off64_t)>("posix_fallocate64")(fd, at, size);
}
int fallocate(int fd, int mode, off_t at, off_t size) {
  return Fails("write", fd) ? -1 : Next<int(int, int, off_t, off_t)>("fallocate")(fd, mode, at, size);
}
int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  return Fails("write", fd) ? -1 : Next<int(int, int, off64_t, off64_t)>("fallocate64")(fd, mode, at, size);
}

int fsync(int fd) { return Fails("sync", fd) ? -1 : Next<int(int)>("fsync")(fd); }
int fdatasync(int fd) { return Fails("sync", fd) ? -1 : Next<int(int)>("fdatasync")(fd); }

}  // extern "C"
#pragma GCC visibility pop
