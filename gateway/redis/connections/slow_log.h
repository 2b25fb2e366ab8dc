// gateway/redis/connections/slow_log.h
// SLOWLOG: the slowest commands of a gateway, by the time from their start to their answer. The time is some
//          milliseconds too long if the loop ran other commands just before.
// Shown:   names and keys of commands, to their own user; all words of commands without keys, except for logins. Values
//          are not kept.
// Source:  Redis 7.0's documentation, whose replies these are.
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/mutex.h"
#include "gateway/redis/wire/names.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::redis {

class SlowLog {
 public:
  static constexpr int64_t kMostMax = 10'000;

  struct Entry {
    std::string owner;  // session.h
    std::string address, name;
    std::chrono::microseconds took{0};
    Words words;  // as Shown() returns them
    int64_t id = 0, time = 0;
  };

  // Notes commands that took at least so long; negative: none.
  int64_t slower_than_micros() const { return slower_than_micros_.load(std::memory_order_relaxed); }
  void set_slower_than_micros(int64_t micros) { slower_than_micros_ = micros; }
  // The time of a command that began then and ends now, if it is to be noted.
  std::optional<std::chrono::microseconds> IfSlow(std::chrono::steady_clock::time_point began) const;
  int64_t most() const { return most_; }
  // Notes a command, and drops the oldest ones beyond the bound.
  void set_most(int64_t most);

  void Add(Entry entry);
  // The command itself, of an owner.
  void Answer(const Words& words, std::string_view owner, Reply& reply);

  // At most 32 words, of 128 bytes each, as Redis shows them. `all`: how many words the command has.
  static Words Shown(const KeyViews& words, size_t all);
  static std::string Shown(std::string_view word);

 private:
  void Get(const Words& words, std::string_view owner, Reply& reply) const;
  void DropOld() EBLA_REQUIRES(mutex_);

  std::atomic<int64_t> slower_than_micros_{10'000};
  std::atomic<int64_t> most_{128};
  mutable Mutex mutex_;
  std::deque<Entry> entries_ EBLA_GUARDED_BY(mutex_);  // the newest in front
  int64_t next_id_ EBLA_GUARDED_BY(mutex_) = 0;
};

}  // namespace ebla::gateway::redis
