// tests/chaos/gateways/subject.h
// One thing that clients of the gateways share, such as a bank or a lock: it brings its clients, and judges what they
// were told. Every round has new ones, so that what was sent in one and happens late touches nothing of the next.
// Threads: made and judged by one; its clients are threads of `workers`.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/gateways.h"
#include "tests/chaos/gateways/redis_client.h"
#include "tools/load/workers.h"
#include "tools/ycsb/random.h"

namespace ebla::chaos {

// How calls ended, of all clients.
struct Tally {
  std::atomic<int64_t> answered{0};
  std::atomic<int64_t> unknown{0};
  std::atomic<int64_t> not_executed{0};
};

// The gateways and the timing of a subject's clients.
struct Setting {
  const Gateways& gateways;
  load::Workers& workers;
  Tally& tally;
  std::string database;  // of Redis's listener: the number
  std::string round;     // what this round's keys have in their names
  uint64_t seed = 1;
  std::chrono::milliseconds think_max{40};
  std::chrono::milliseconds patience{15'000};  // longer than any outage that is made
};

class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::string name() const = 0;
  // Starts its clients. Once.
  virtual void Enlist() = 0;
  // When its clients are done, and nothing that they sent is under way. The problems; an error: it cannot be judged.
  virtual Result<std::vector<std::string>> Judge() = 0;
  // A key of each of its groups.
  virtual std::vector<std::string> Keys() const = 0;
  // How much there is to judge.
  virtual size_t told() const = 0;
  // The number of judged answers that only eviction explains.
  virtual size_t forgotten() const { return 0; }
};

// A client thread. Half of the clients are impatient: what they ask may happen long after they have given up.
class Caller : public load::Worker {
 public:
  Caller(const Setting& setting, uint64_t number);
  bool Work() final {
    Ask();
    return true;
  }
  std::chrono::nanoseconds Rest() final;

 protected:
  static constexpr std::chrono::milliseconds kImpatience{700};

  virtual void Ask() = 0;
  // Counts how a call ended; what it must never be answered is noted as a failure.
  void Ended(const std::string& what, const Status& status);
  ConnectionOptions Options(uint64_t number) const;

  const Setting& setting_;
  ycsb::Random random_;
  RedisClient redis_;

 private:
  bool shaken_ = false;  // the last call has not happened: it rests longer
};

// Reads with patience, for the judge.
ConnectionOptions JudgesOptions();
RedisClient JudgesClient(const Setting& setting);

}  // namespace ebla::chaos
