#include "tabletserver/storage/log/open_retrying.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace ebla::tabletserver {

namespace {

constexpr std::chrono::milliseconds kOpenAgain{50};

}  // namespace

// Works for WiredTiger's files too. At the limit of open files another file may be closed soon, without notice. Half a
// second costs little compared with a store that fails for good.
int OpenRetrying(const char* name, int how) {
  for (int tries = 10;;) {
    const int fd = open(name, how, 0644);
    if (fd >= 0) return fd;
    if (errno == EINTR) continue;
    if (errno == EPERM && (how & O_NOATIME) != 0) {
      how &= ~O_NOATIME;  // another user's file
      continue;
    }
    if ((errno != EMFILE && errno != ENFILE) || tries-- == 0) return fd;
    std::this_thread::sleep_for(kOpenAgain);
  }
}

}  // namespace ebla::tabletserver
