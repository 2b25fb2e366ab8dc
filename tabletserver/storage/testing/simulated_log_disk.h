// tabletserver/storage/testing/simulated_log_disk.h
// A LogDisk in memory that crashes at the step that a test chooses. A crash keeps some unsynced sectors and loses the
// rest.
// Place:   under a SimulatedDisk's log, and in tests of SharedLog. One disk outlives the logs of all lives.
// How:     every Write, Sync, Create and Remove is a step. A crash interrupts a step, which has then done some of its
//          work, and every later step fails until Restart(). A new segment begins with the bytes of a removed one.
// Lies:    between two lives the disk may also lose synced bytes: the end of a segment, or all of it (Lose, Forget).
// Threads: any.
#pragma once

#include <map>
#include <memory>
#include <random>

#include "common/base/mutex.h"
#include "tabletserver/storage/log/log_disk.h"

namespace ebla::tabletserver {

class SimulatedLogDisk final : public LogDisk {
 public:
  enum class CrashKind : uint8_t {
    kProcess,  // keeps what was written
    kMachine,  // keeps what was synced
  };
  static constexpr size_t kSector = 512;

  explicit SimulatedLogDisk(uint64_t seed) : random_(seed) {}

  int64_t steps() const;
  bool crashed() const;
  void CrashAt(int64_t step, CrashKind kind);
  // Crashes at once, between two steps.
  void CrashNow(CrashKind kind);
  // After a crash, once the log of that life is gone.
  void Restart();
  // The next such step fails, or the next read returns damaged bytes.
  enum class Failure : uint8_t {
    kNone,
    kWrite,
    kSync,      // a later one writes what this one had to
    kLostSync,  // as on Linux: some of that is never written, though it is read until it is dropped from the cache
    kDamagedRead,
  };
  void FailNext(Failure failure);
  bool fails_next() const;
  // From now on a Sync is answered before it is done: the next Sync does it.
  void Lie();
  bool lies() const;
  // Flips a bit of what is there.
  void Damage(uint64_t number, int64_t offset);
  // Loses what the disk had of a segment from `offset` on.
  enum class Loss : uint8_t {
    kCut,    // the file ends there
    kZero,   // all is zero from there on
    kOlder,  // an older copy of the file is back: from there on it is as it was when it was begun
    kAll,    // every file is as it was at some moment (SimulatedDisk::Remember)
  };
  void Lose(uint64_t number, int64_t offset, Loss loss);
  // Loses the whole of it.
  void Forget(uint64_t number);
  bool Has(uint64_t number) const;
  // A disk that has the same, to try something on, or to go back to.
  std::unique_ptr<SimulatedLogDisk> Copy() const;
  // After a crash: has the files of `copy`, as the machine's crash would have left them then.
  void GoBackTo(const SimulatedLogDisk& copy);

  Result<std::vector<uint64_t>> List() override;
  Result<std::shared_ptr<LogFile>> Create(uint64_t number, int64_t bytes) override;
  Result<std::shared_ptr<LogFile>> Open(uint64_t number) override;
  Status Remove(uint64_t number) override;
  std::string Name(uint64_t number) const override { return "segment " + std::to_string(number); }

 private:
  struct Contents;
  class File;

  // True: this step is the one that crashes; its caller does some of its work.
  Result<bool> Step() EBLA_REQUIRES(mutex_);
  bool Fails(Failure kind) EBLA_REQUIRES(mutex_);
  bool Coin() EBLA_REQUIRES(mutex_) { return (random_() & 1) != 0; }
  void Crash(CrashKind kind) EBLA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::mt19937_64 random_ EBLA_GUARDED_BY(mutex_);
  std::map<uint64_t, std::shared_ptr<Contents>> files_ EBLA_GUARDED_BY(mutex_);
  std::shared_ptr<Contents> removed_ EBLA_GUARDED_BY(mutex_);  // the latest: the next new segment is made of it
  int64_t steps_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t crash_at_ EBLA_GUARDED_BY(mutex_) = -1;
  CrashKind kind_ EBLA_GUARDED_BY(mutex_) = CrashKind::kMachine;
  bool crashed_ EBLA_GUARDED_BY(mutex_) = false;
  bool lies_ EBLA_GUARDED_BY(mutex_) = false;
  Failure failure_ EBLA_GUARDED_BY(mutex_) = Failure::kNone;
};

}  // namespace ebla::tabletserver
