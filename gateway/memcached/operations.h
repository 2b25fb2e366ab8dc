// gateway/memcached/operations.h
// What Memcached's commands do to one item, for both of its protocols: store it in one of the ways, count with it, take
// it away. Where the store has one operation for it, that is used; else item by item, with change_item.h.
// Errors:  the store's faults, by the Status. What the protocols have words for is an outcome.
// Threads: callbacks run on any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "gateway/store/change_item.h"
#include "gateway/store/store.h"

namespace ebla::gateway::memcached {

// Where it is done, and until when.
struct Workplace {
  Store& store;
  Executor& executor;
  Until until;
};

enum class Outcome : uint8_t { kDone, kNotStored, kExists, kNotFound, kNotANumber };

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

struct CountOrder {
  std::string key;
  uint64_t delta = 1;
  bool down = false;
  std::optional<uint64_t> cas;  // 0: none
  std::optional<int64_t> new_ttl;
  std::optional<int64_t> vivify_ttl;  // makes an item that is not there
  uint64_t initial = 0;               // of one that is made
  bool want_version = false;
};
struct Counted {
  Outcome outcome = Outcome::kDone;
  uint64_t number = 0;
  bool created = false;
  Version version;                    // where it was wanted
  std::optional<int64_t> expires_ms;  // before new_ttl; where the version was wanted
};
// An increment of a plain number is the server's own, so that many can count with one key at a time. It was read before,
// and is a number that memcached would take; should somebody put a negative one in its place meanwhile, the server
// counts with that.
void CountItem(const Workplace& at, CountOrder order, Callback<Result<Counted>> done);

struct RemoveOrder {
  std::string key;
  std::optional<uint64_t> cas;
  bool invalidate = false;         // marks it as stale instead
  std::optional<int64_t> new_ttl;  // with `invalidate`
};
void RemoveItem(const Workplace& at, RemoveOrder order, Callback<Result<Outcome>> done);

}  // namespace ebla::gateway::memcached
