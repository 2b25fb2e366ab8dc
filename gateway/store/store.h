// gateway/store/store.h
// The port of the protocols to Ebla: single keys of one table, groups of keys that change together, and pages of keys.
// All calls are asynchronous.
// Place:   table_store.h implements it over the SDK; gateway/testing/memory_store.h in memory.
// Errors:  NOT_FOUND and CONDITION_FAILED are answers. INVALID_ARGUMENT from Increment: the value is no decimal int64,
//          or the sum would be none. Everything else is a fault, with a message for people.
// Threads: any. Callbacks run on any thread, maybe within the call, each once. They must not block.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/key_range.h"
#include "ebla/table.h"
#include "functions/items/item_step.h"

namespace ebla::gateway {

using Until = std::chrono::steady_clock::time_point;  // a call's deadline

enum class Freshness : uint8_t {
  kAsConfigured,  // what the gateway's user has asked for
  kLatest,        // what a change is based on
};

struct Condition {
  enum class Kind : uint8_t { kNone, kAbsent, kExists, kVersionIs };
  Kind kind = Kind::kNone;
  Version version;  // of kVersionIs

  static Condition None() { return {}; }
  static Condition Absent() { return {Kind::kAbsent, {}}; }
  static Condition Exists() { return {Kind::kExists, {}}; }
  static Condition Is(Version version) { return {Kind::kVersionIs, version}; }
};

// Sets the lifetime in the SDK's options of a put, or of a part of a batch.
template <class Options>
void SetLifetime(Options& options, const Lifetime& lifetime) {
  if (lifetime.kind == Lifetime::Kind::kUntil) {
    options.ttl.reset();
    options.expires = Expiry(std::chrono::milliseconds(lifetime.ms));
  } else {
    options.ttl = std::chrono::milliseconds(lifetime.ms);  // of none that ends: 0
    options.expires.reset();
  }
}

enum class IfNone : uint8_t { kMake, kRefuse };

inline constexpr size_t kCommitPartsMax = 1'000;
inline constexpr size_t kCommitBytesMax = 4 << 20;

class Store {
 public:
  virtual ~Store() = default;

  virtual void Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) = 0;
  // Each key has its own answer, in the order of the keys.
  virtual void MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                        Callback<std::vector<Result<Record>>> done) = 0;
  // `lifetime`: for ever, for some time, or until a moment of the servers' clocks. A put that another put of the same
  // moment overwrote gets a version before that one's, which no record will have.
  virtual void Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
                   Callback<Result<Version>> done) = 0;
  // CONDITION_FAILED also if `condition` requires a record and there is none.
  virtual void Delete(std::string key, Condition condition, Until until, Callback<Status> done) = 0;
  // A record keeps its expiry. A missing record is made, without expiry, or the answer is CONDITION_FAILED.
  virtual void Increment(std::string key, int64_t delta, IfNone if_none, Until until,
                         Callback<Result<int64_t>> done) = 0;
  // A server applies its function to the record (common/base/functions.h), and returns the function's answer.
  // The version is that of the put or delete, or any if there was none. INVALID_ARGUMENT: refused without an effect;
  // the caller then uses Get and Put.
  virtual void Apply(std::string key, std::string_view function, std::string arguments, Until until,
                     Callback<Result<PartResult>> done) = 0;
  // Commits all parts or none. The keys are distinct and of one group. CONDITION_FAILED: a condition does not hold. At
  // most kCommitPartsMax parts and kCommitBytesMax bytes of keys and values.
  virtual void Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) = 0;
  // Keys and versions of at most `limit` records from the range's start on.
  virtual void ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) = 0;

  // Milliseconds since 1970.
  virtual int64_t NowMs() const = 0;
};

// A store that serves many independent callers in one call. It answers each as soon as its own answer is there, maybe
// on several threads at a time. Keys of writes are distinct.
class ManyStore : public Store {
 public:
  virtual void GetEach(std::vector<std::string> keys, Freshness freshness, Until until,
                       EachCallback<Result<Record>> each) = 0;
  virtual void WriteEach(std::vector<Batch::Part> parts, Until until, EachCallback<Result<PartResult>> each) = 0;
};

}  // namespace ebla::gateway
