// tests/integration/load_fixture.h
// For tests of a cluster under load: its client, and workers that use table "carts" until they are stopped. Each writes
// its own keys and reads them back. A worker's error is a failure, which ends the worker and not the test.
// Threads: the test's own starts the cluster and the load; Fail() and failures() may be called by any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "tests/integration/cluster_fixture.h"
#include "tools/load/workers.h"

namespace ebla::testing {

class LoadFixture : public ClusterFixture {
 protected:
  using KeyOf = std::string (*)(int);
  LoadFixture(int keys, KeyOf key_of) : keys_(keys), key_of_(key_of) {}

  void TearDown() override { EndLoad(); }

  void BeginLoad(int workers) {
    for (int i = 0; i < workers; ++i) workers_.Add(std::make_unique<Shopper>(*this, i, workers));
  }
  void EndLoad() {
    workers_.Stop();
    workers_.Join();
  }
  std::vector<std::string> failures() const { return workers_.failures(); }
  // Waits until the load has done so many operations more, or failed.
  bool GoesOn(int64_t more) {
    const int64_t before = workers_.operations();
    return Eventually([&] { return workers_.operations() > before + more || !failures().empty(); });
  }

  std::atomic<int> rest_ms_ = 0;  // of each worker, after each write and read
  Mutex mutex_;
  std::map<std::string, std::string> written_;  // by workers that have ended: under mutex_ until EndLoad()

 private:
  // Its keys are `first` and each `step`th from there, scattered. Now it reads what it has just written, now what it
  // wrote longest ago; and now in a session.
  class Shopper : public load::Worker {
   public:
    Shopper(LoadFixture& test, int first, int step)
        : test_(test),
          table_(test.client_->OpenTable("carts")),
          session_(test.client_->NewSession()),
          first_(first),
          step_(step) {}

    bool Work() override {
      if (!table_) return Fail("cannot open the table: " + table_.error().ToString());
      const std::string key = Key(number_);
      const std::string value = std::to_string(number_);
      if (const auto put = table_->Put(key, value, {.session = &session_}); !put)
        return Fail("put " + key + ": " + put.error().ToString());
      written_[key] = value;
      const auto oldest = written_.find(Key(number_ + 1));
      const auto& [wanted, last] = number_ % 2 == 0 || oldest == written_.end() ? *written_.find(key) : *oldest;
      const Read read = number_ % 4 < 2 ? Read::InSession() : Read::Strong();
      ++number_;
      const auto got = table_->Get(wanted, {.read = read, .session = &session_});
      if (!got) return Fail("get " + wanted + ": " + got.error().ToString());
      return got->value == last || Fail("get " + wanted + " shows " + got->value + ", not " + last);
    }
    std::chrono::nanoseconds Rest() override { return std::chrono::milliseconds(test_.rest_ms_); }
    void End() override {
      MutexLock lock(test_.mutex_);
      test_.written_.insert(written_.begin(), written_.end());
    }

   private:
    std::string Key(int number) const {
      constexpr int64_t kScatter = 7919;  // a prime, so every key occurs once in a round
      return test_.key_of_(first_ + step_ * static_cast<int>(number * kScatter % (test_.keys_ / step_)));
    }
    bool Fail(const std::string& what) {
      test_.workers_.Failed(what);
      return false;
    }

    LoadFixture& test_;
    const Result<Table> table_;
    Session session_;
    const int first_, step_;
    std::map<std::string, std::string> written_;
    int number_ = 0;
  };

  const int keys_;
  const KeyOf key_of_;
  load::Workers workers_;
};

}  // namespace ebla::testing
