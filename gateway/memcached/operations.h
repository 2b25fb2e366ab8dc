// gateway/memcached/operations.h
// The changes of one item by Memcached's commands, for both of its protocols: by an operation of the store if there is
// one, else by a function of its servers (gateway/store/apply_function.h).
// Errors:  a Status has the store's faults. Results that the protocols have words for are outcomes.
// Threads: callbacks run on any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "gateway/memcached/request.h"
#include "gateway/store/store.h"

namespace ebla::gateway::memcached {

// The place and the deadline of an operation.
struct Workplace {
  Store& store;
  Executor& executor;
  Until until;
};

// The version is that of the change, else of what was found.
void RunOrder(const Workplace& at, std::string key, ItemOrder order, Callback<Result<Finding>> done);

enum class StoreMode : uint8_t { kSet, kAdd, kReplace, kAppend, kPrepend };

struct StoreOrder {
  std::string key;
  std::string value;
  uint32_t flags = 0;  // of append and prepend: the item keeps its own, and how long it lives
  int64_t exptime = 0;
  StoreMode mode = StoreMode::kSet;
  std::optional<uint64_t> cas;  // only if the item has it; not of kAdd; 0 is none for append and prepend
  bool accept_older = false;    // with `cas`, of a set: an item that is newer is replaced, too, and marked as stale
};
struct Stored {
  Outcome outcome = Outcome::kDone;
  Version version;  // of what was stored
};
void StoreItem(const Workplace& at, StoreOrder order, Callback<Result<Stored>> done);

void RemoveItem(const Workplace& at, std::string key, std::optional<uint64_t> cas, Callback<Result<Outcome>> done);

}  // namespace ebla::gateway::memcached
