// common/items/item_step.h
// One step of a change of an item: what was there goes in, what is to be there comes out.
// Threads: values.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/items/item_codec.h"

namespace ebla {

// How long an item is to live from now on.
struct Lifetime {
  enum class Kind : uint8_t { kForever, kLimited, kKept, kGone };
  Kind kind = Kind::kForever;
  std::chrono::milliseconds ttl{0};  // of kLimited: above 0

  static Lifetime Forever() { return {}; }
  static Lifetime For(std::chrono::milliseconds ttl) { return {Kind::kLimited, ttl}; }
  static Lifetime Kept() { return {Kind::kKept, {}}; }  // as it was; of one that was not: for ever
  static Lifetime Gone() { return {Kind::kGone, {}}; }  // not at all

  // Of its record, in milliseconds; 0: for ever. None: the record's own, which is one that `expires`, stays.
  std::optional<int64_t> TtlMs(bool expires) const {
    if (kind == Kind::kLimited) return std::clamp<int64_t>(ttl.count(), 1, kItemLifeMsMax);
    return kind == Kind::kKept && expires ? std::nullopt : std::optional<int64_t>(0);
  }
};

struct FoundItem {
  Item item;
  Version version;
  std::optional<int64_t> expires_ms;  // as it was first said: see item_codec.h

  // `record_expires_ms`: when its record does, which counts; none: never.
  static FoundItem Of(Item item, const Version& version, std::optional<int64_t> record_expires_ms) {
    const std::optional<int64_t> said = record_expires_ms && item.expires_ms ? item.expires_ms : record_expires_ms;
    return {std::move(item), version, said};
  }
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
