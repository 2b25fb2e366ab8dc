// gateway/testing/memory_store.h
// A Store in memory for unit tests. It answers within the call, or when the test releases it; its clock is the test's.
// Threads: any.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/functions.h"
#include "common/base/mutex.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

class MemoryStore final : public ManyStore {
 public:
  // Called before each call; an error is the call's answer. The operation is "get", "put", "delete", "increment",
  // "apply", "commit" (once for each of its keys) or "scan".
  using Fault = std::function<Status(const std::string& operation, const std::string& key)>;

  void SetFault(Fault fault);
  // Which Apply() knows; null: none.
  void SetFunctions(std::shared_ptr<const Functions> functions);
  // From now on calls wait for Release(), which answers all that wait, or the oldest.
  void Hold();
  size_t Release(size_t most = SIZE_MAX);
  size_t held() const;
  void Advance(std::chrono::milliseconds by);
  // NowMs(), which is the gateway's clock, is so far behind the one that records expire by.
  void SetSkew(std::chrono::milliseconds skew);
  // Writes like another client, past faults and holds.
  Version Write(const std::string& key, const std::string& value);
  std::optional<Record> Read(const std::string& key) const;

  void Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) override;
  void MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                Callback<std::vector<Result<Record>>> done) override;
  void Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
           Callback<Result<Version>> done) override;
  void Delete(std::string key, Condition condition, Until until, Callback<Status> done) override;
  void Increment(std::string key, int64_t delta, IfNone if_none, Until until, Callback<Result<int64_t>> done) override;
  void Apply(std::string key, std::string_view function, std::string arguments, Until until,
             Callback<Result<PartResult>> done) override;
  void Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) override;
  void GetEach(std::vector<std::string> keys, Freshness freshness, Until until,
               EachCallback<Result<Record>> each) override;
  void WriteEach(std::vector<Batch::Part> parts, Until until, EachCallback<Result<PartResult>> each) override;
  void ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) override;
  int64_t NowMs() const override;

  // The freshness of the last read.
  Freshness freshness() const;

 private:
  using Held = std::move_only_function<void()>;

  void RunOrHold(Held call);
  Status Meet(const std::string& operation, const std::string& key);
  Record* Find(const std::string& key) EBLA_REQUIRES(mutex_);
  Status Check(const std::string& key, const Condition& condition) EBLA_REQUIRES(mutex_);
  void Set(const std::string& key, const std::string& value, const Lifetime& lifetime) EBLA_REQUIRES(mutex_);
  Result<Record> GetNow(const std::string& key);
  Result<int64_t> IncrementNow(const std::string& key, int64_t delta, IfNone if_none);
  Result<PartResult> ApplyNow(const std::string& key, const std::string& function, const std::string& arguments);
  Result<PartResult> WriteNow(const Batch::Part& part);

  mutable Mutex mutex_;
  std::map<std::string, Record> records_ EBLA_GUARDED_BY(mutex_);
  std::deque<Held> held_ EBLA_GUARDED_BY(mutex_);
  Fault fault_ EBLA_GUARDED_BY(mutex_);
  std::shared_ptr<const Functions> functions_ EBLA_GUARDED_BY(mutex_);
  bool holding_ EBLA_GUARDED_BY(mutex_) = false;
  int64_t now_ms_ EBLA_GUARDED_BY(mutex_) = 1'700'000'000'000;
  int64_t skew_ms_ EBLA_GUARDED_BY(mutex_) = 0;
  Freshness freshness_ EBLA_GUARDED_BY(mutex_) = Freshness::kAsConfigured;
  uint64_t lsn_ EBLA_GUARDED_BY(mutex_) = 0;
};

}  // namespace ebla::gateway
