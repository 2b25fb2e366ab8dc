// functions/memcached/item_order.h
// The commands of Memcached that must know an item in order to change it, as functions: of the order and the item that
// was found, to the step to do and the client's answer. The functions do not know how an item is read and put.
// Threads: values, and functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "functions/items/item_step.h"

namespace ebla::memcached {

inline constexpr size_t kCacheValueBytesMax = 1'047'552;

enum class Outcome : uint8_t { kDone, kNotStored, kExists, kNotFound, kNotANumber };

// Times are in memcached's form (numbers.h).
struct ItemOrder {
  enum class Verb : uint8_t {
    kAppend,     // to the value; flags and time stay
    kPrepend,    // the same
    kSetOver,    // sets an item that `cas` names, or a newer one, which is stale then and keeps its time
    kIncrement,  // by `delta`; wraps around to 0
    kDecrement,  // to 0 at least
    kTouch,      // gives it `new_ttl`
    kLook,       // as the meta get does: changes what the other fields ask for, and notes which client recaches it
    kInvalidate  // marks it as stale, so that the next client that reads it recaches it
  };
  Verb verb = Verb::kTouch;
  std::string value;                   // of kAppend, kPrepend, kSetOver
  uint32_t flags = 0;                  // of kSetOver
  uint64_t delta = 1;                  // of counts
  uint64_t initial = 0;                // of a count that is created
  std::optional<uint64_t> cas;         // required of the item, except for kSetOver
  std::optional<int64_t> new_ttl;      // none: its time stays
  std::optional<int64_t> created_ttl;  // of counts and kLook: a missing item is created, with this life
  std::optional<int64_t> recache_ttl;  // of kLook: a client that finds less than this left recaches it
  bool recache_by_new_ttl = false;     // of the rest of `new_ttl`; else of the old life
  bool value_wanted = false;           // of kTouch and kLook
};

struct Finding {
  Outcome outcome = Outcome::kDone;
  bool changed = false;      // the item was changed or deleted
  bool created = false;      // the item was missing, and was created
  bool won = false;          // this client is to recache the item
  bool sent_before = false;  // another client was told to recache it
  // The item as it was found; empty for a new item.
  bool stale = false;
  uint32_t flags = 0;
  uint64_t size = 0;  // of the value
  std::string value;  // if it is wanted
  std::optional<int64_t> expires_ms;
  Version version;
  uint64_t number = 0;  // of a count, after the change
};

ItemStep Decide(const ItemOrder& order, int64_t now_ms, std::optional<FoundItem> found, Finding& finding);

}  // namespace ebla::memcached
