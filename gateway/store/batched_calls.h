// gateway/store/batched_calls.h
// The gets, and the plain writes, of one turn of a loop, until they are sent together.
// Place:      batching_store.h has these for each of its loops.
// Invariants: as in batching_store.h. A call that is not taken is unchanged, and its caller sends it.
// Threads:    one loop's. Answers arrive as the table's do, on any thread.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/store/store.h"
#include "gateway/store/summed_increments.h"

namespace ebla::gateway {

// The gets at one freshness.
class BatchedGets {
 public:
  explicit BatchedGets(Freshness freshness) : freshness_(freshness) {}

  // False, and nothing is taken: the deadline differs from the batch's.
  bool Take(std::string& key, Until until, Callback<Result<Record>>& done);
  void Send(ManyStore& table);

 private:
  struct One {
    std::string key;
    Callback<Result<Record>> done;
  };

  // The index of a get in gets_. The gets of one key keep their order.
  struct Place {
    std::string_view key;
    size_t index = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  void SendSome(ManyStore& table, std::vector<One>& gets, std::span<const Place> places) const;

  const Freshness freshness_;
  Until until_;
  std::vector<One> gets_;
};

class BatchedWrites {
 public:
  bool Full() const;
  // False, and nothing is taken: the deadline differs from the batch's, or the key has a write that this one cannot
  // join.
  bool TakePut(std::string& key, std::string& value, const Lifetime& lifetime, Until until,
               Callback<Result<Version>>& done);
  bool TakeIncrement(std::string& key, int64_t delta, IfNone if_none, Until until, Callback<Result<int64_t>>& done);
  bool TakeApply(std::string& key, std::string_view function, std::string& arguments, Until until,
                 Callback<Result<PartResult>>& done);
  void Send(const std::shared_ptr<ManyStore>& table);

 private:
  // One key's write, and the callbacks that wait for it.
  struct KeyWrite {
    // Of puts: of the last, and of those before it. The puts of a key require the same grant.
    Callback<Result<Version>> put;
    std::vector<Callback<Result<Version>>> overwritten;
    // For increments.
    IfNone if_none = IfNone::kMake;
    SummedIncrements increments;
    absl::InlinedVector<Callback<Result<int64_t>>, 1> sums;
    Callback<Result<PartResult>> applied;  // of a function
  };
  struct Sent;

  bool Fits(Until until) const;
  // The index of the key's write, and whether the caller has yet to add it there.
  std::pair<size_t, bool> PlaceOf(std::string_view key);
  // Adds a write, whose part is the last.
  KeyWrite& Add(Batch::Kind kind, std::string key, std::string value, Until until);

  Until until_;
  size_t bytes_ = 0;
  size_t usual_ = 0;  // the number of the last batch's writes
  std::vector<Batch::Part> parts_;
  std::vector<KeyWrite> key_writes_;        // as parts_
  absl::flat_hash_map<size_t, size_t> at_;  // of a key's hash, in parts_; a key that collides is sent alone
};

}  // namespace ebla::gateway
