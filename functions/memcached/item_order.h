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

// Times are as memcached takes them (numbers.h).
struct ItemOrder {
  enum class Verb : uint8_t {
    kAppend,     // to the value; flags and time stay
    kPrepend,    // the same
    kSetOver,    // sets an item that `cas` names, or a newer one, which is stale then and keeps its time
    kIncrement,  // by `delta`; at its end it begins at 0 again
    kDecrement,  // to 0 at least
    kTouch,      // gives it `new_ttl`
    kLook,       // as the meta get does: changes what the other fields ask for, and notes which client recaches it
    kInvalidate  // marks it as stale, so that the next client that reads it recaches it
  };
  Verb verb = Verb::kTouch;
  std::string value;                   // of kAppend, kPrepend, kSetOver
  uint32_t flags = 0;                  // of kSetOver
  uint64_t delta = 1;                  // of counts
  uint64_t initial = 0;                // of a count that is made
  std::optional<uint64_t> cas;         // only if the item has it, but for kSetOver
  std::optional<int64_t> new_ttl;      // none: its time stays
  std::optional<int64_t> created_ttl;  // of counts and kLook: one that is not there is made, and lives so long
  std::optional<int64_t> recache_ttl;  // of kLook: a client that finds less than this left recaches it
  bool recache_by_new_ttl = false;     // of what is left once it has `new_ttl`; else of what was left before
  bool value_wanted = false;           // of kTouch and kLook
};

struct Finding {
  Outcome outcome = Outcome::kDone;
  bool changed = false;      // it is another now, or gone
  bool created = false;      // it was not there, and is
  bool won = false;          // this client is to make it anew
  bool sent_before = false;  // another one was told to
  // The item as it was found; empty for a new item.
  bool stale = false;
  uint32_t flags = 0;
  uint64_t size = 0;  // of the value
  std::string value;  // where it is wanted
  std::optional<int64_t> expires_ms;
  Version version;
  uint64_t number = 0;  // of a count, afterwards
};

ItemStep Decide(const ItemOrder& order, int64_t now_ms, std::optional<FoundItem> found, Finding& finding);

}  // namespace ebla::memcached
