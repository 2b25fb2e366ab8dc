// functions/memcached/item_order.h
// What a command of Memcached does to one item that it must know for it: the item that is there goes in, what is to become
// of it and what the client is told come out. It knows nothing of how an item is read and put back.
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
    kLook,       // as the meta get does: changes what the other fields ask for, and notes who is to make it anew
    kInvalidate  // marks it as stale, for somebody to make it anew
  };
  Verb verb = Verb::kTouch;
  std::string value;                   // of kAppend, kPrepend, kSetOver
  uint32_t flags = 0;                  // of kSetOver
  uint64_t delta = 1;                  // of counts
  uint64_t initial = 0;                // of a count that is made
  std::optional<uint64_t> cas;         // only if the item has it, but for kSetOver
  std::optional<int64_t> new_ttl;      // none: its time stays
  std::optional<int64_t> created_ttl;  // of counts and kLook: one that is not there is made, and lives so long
  std::optional<int64_t> recache_ttl;  // of kLook: who comes when less is left is to make it anew
  bool recache_by_new_ttl = false;     // of what is left once it has `new_ttl`; else of what was left before
  bool value_wanted = false;           // of kTouch and kLook
};

struct Finding {
  Outcome outcome = Outcome::kDone;
  bool changed = false;      // it is another now, or gone
  bool created = false;      // it was not there, and is
  bool won = false;          // this client is to make it anew
  bool sent_before = false;  // another one was told to
  // Of the item as it was found; none of it of one that was made.
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
