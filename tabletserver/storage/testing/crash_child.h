// tabletserver/storage/testing/crash_child.h
// For tests: a process that writes to a store and reports its flushes until it is killed, and the checks of the store
// afterwards. Entry n of a tablet has effects that follow from n alone, so any prefix can be told.
// Place:   storage_test_main.cc runs CrashChildMain() for "storage_test crash-child ..."; wt_crash_test.cc kills it.
// Threads: one.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {

inline constexpr TableId kCrashTable{1};
inline constexpr TableId kPassingTable{2};  // made, filled and dropped again and again
inline constexpr uint64_t kCrashTablets = 3;
inline constexpr uint64_t kCrashWindow = 10;  // rows kept for each tablet

struct CrashChildOptions {
  std::string directory;
  FlushMode mode = FlushMode::kSync;
  uint64_t value_bytes = 100;
  int64_t disk_reserve_bytes = 0;
  // Each so many rounds a checkpoint is taken, with log truncation after it, while a table is made and dropped again
  // and again; 0: neither.
  uint64_t checkpoint_rounds = 50;
  bool sorted_tables = false;
  std::string kill_at;  // as tests/integration/kill_at_step.cc takes it; empty: it lives until Kill()
};

// The child's side.
int CrashChildMain(int argc, char** argv);

// The parent's side: started and killed; acknowledgements are read as "tablet lsn" lines.
class CrashChild {
 public:
  explicit CrashChild(const CrashChildOptions& options);
  ~CrashChild() { Kill(); }
  CrashChild(const CrashChild&) = delete;
  CrashChild& operator=(const CrashChild&) = delete;

  // Reads at least `count` more acknowledgements; false when the child ended, or said that it is OVERLOADED.
  bool ReadAcknowledgements(uint64_t count);
  bool overloaded() const { return overloaded_; }
  void Kill();  // SIGKILL, then reads what it had said
  const std::map<TabletId, Lsn>& acknowledged() const { return acknowledged_; }

 private:
  bool ReadSome();
  pid_t pid_ = -1;
  int pipe_ = -1;
  bool overloaded_ = false;
  uint64_t lines_ = 0;
  std::string rest_;
  std::map<TabletId, Lsn> acknowledged_;
};

// Opens the store as the next life does, and checks log, records, applied states and dedup windows against what was
// acknowledged, and that its directory has no file of a run which no table has: "" or what is wrong.
std::string CheckAfterCrash(TabletStore& store, const CrashChildOptions& options,
                            const std::map<TabletId, Lsn>& acknowledged);

}  // namespace ebla::tabletserver::testing
