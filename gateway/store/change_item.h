// gateway/store/change_item.h
// Changes an item by reading it, deciding, and putting it back if nobody has changed it since: again and again until the
// deadline. For what the servers have no single operation for.
// Invariants: 1. What is decided last is decided on the item as it was when the change took effect.
//             2. After a lost race it waits a random time that grows, so that many who change one key get on.
// Errors:     Those of the store, after which the item is as it was, but for UNKNOWN_OUTCOME; DEADLINE_EXCEEDED when
//             others were faster every time.
// Threads:    `decide` and `done` run on any, one after the other.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "common/items/item_codec.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

// How long an item is to live from now on.
struct Lifetime {
  enum class Kind : uint8_t { kForever, kLimited, kKept, kGone };
  Kind kind = Kind::kForever;
  std::chrono::milliseconds ttl{0};  // of kLimited: above 0

  static Lifetime Forever() { return {}; }
  static Lifetime For(std::chrono::milliseconds ttl) { return {Kind::kLimited, ttl}; }
  static Lifetime Kept() { return {Kind::kKept, {}}; }  // as it was; of one that was not: for ever
  static Lifetime Gone() { return {Kind::kGone, {}}; }  // not at all
};

struct FoundItem {
  Item item;
  Version version;
  std::optional<Expiry> expires;

  // When it expires, as it was first said: see item_codec.h.
  std::optional<int64_t> expires_ms() const;
};

struct ItemStep {
  enum class Kind : uint8_t { kNothing, kPut, kDelete };
  Kind kind = Kind::kNothing;
  Item item;  // of kPut
  Lifetime lifetime;

  static ItemStep Nothing() { return {}; }
  static ItemStep Delete() { return {Kind::kDelete, {}, {}}; }
  // With a lifetime of kGone it is a delete.
  static ItemStep Put(Item item, Lifetime lifetime) { return {Kind::kPut, std::move(item), lifetime}; }
};

// None: there is no item.
using DecideItem = std::move_only_function<ItemStep(std::optional<FoundItem>)>;

// `done` gets the version of what was put; none where nothing was. `store` and `executor` outlive it.
void ChangeItem(Store& store, Executor& executor, std::string key, Until until, DecideItem decide,
                Callback<Result<Version>> done);

// What the store said of a key, as an item. NOT_FOUND is none.
Result<std::optional<FoundItem>> ItemIn(Result<Record> record);

}  // namespace ebla::gateway
