// functions/items/item_step.h
// One step of a change of an item: a function of the item that was found, which returns what to do with it.
// Threads: values.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/base/number_limits.h"
#include "functions/items/item_codec.h"

namespace ebla {

// The lifetime of an item.
struct Lifetime {
  enum class Kind : uint8_t { kForever, kFor, kUntil, kKept, kGone };
  Kind kind = Kind::kForever;
  int64_t ms = 0;  // of kFor since the put, of kUntil since 1970; at least 1

  static Lifetime Forever() { return {}; }
  static Lifetime For(std::chrono::milliseconds ttl) {
    return {Kind::kFor, std::clamp<int64_t>(ttl.count(), 1, limits::kTtlMsMax)};
  }
  static Lifetime Until(int64_t ms) { return {Kind::kUntil, std::clamp<int64_t>(ms, 1, limits::kExpiryMsMax)}; }
  // None: for ever.
  static Lifetime Until(const std::optional<int64_t>& ms) { return ms ? Until(*ms) : Forever(); }
  static Lifetime Kept() { return {Kind::kKept, 0}; }  // as before; of a new item: for ever
  static Lifetime Gone() { return {Kind::kGone, 0}; }  // expired at once

  // The end of a lifetime that begins now; none: never, or as before.
  std::optional<int64_t> EndFrom(int64_t now_ms) const {
    if (kind == Kind::kFor) return now_ms + ms;
    return kind == Kind::kUntil ? std::optional(ms) : std::nullopt;
  }
};

struct FoundItem {
  Item item;
  Version version;
  std::optional<int64_t> expires_ms;  // none: never
};

struct ItemStep {
  enum class Kind : uint8_t { kNothing, kPut, kDelete };
  Kind kind = Kind::kNothing;
  Item item;  // of kPut
  Lifetime lifetime;

  static ItemStep Nothing() { return {}; }
  static ItemStep Delete() { return {Kind::kDelete, {}, {}}; }
  // With a lifetime of kGone it is a delete.
  static ItemStep Put(Item item, Lifetime lifetime) {
    if (lifetime.kind == Lifetime::Kind::kGone) return Delete();
    return {Kind::kPut, std::move(item), lifetime};
  }
};

}  // namespace ebla
