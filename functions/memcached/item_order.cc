#include "functions/memcached/item_order.h"

#include <algorithm>
#include <utility>

#include "functions/memcached/numbers.h"

namespace ebla::memcached {
namespace {

using Verb = ItemOrder::Verb;

Lifetime LifetimeAfter(const std::optional<int64_t>& new_ttl, int64_t now_ms) {
  return new_ttl ? LifetimeOf(*new_ttl, now_ms) : Lifetime::Kept();
}

ItemStep Join(const ItemOrder& order, Item item, Finding& finding) {
  if (item.value.size() + order.value.size() > kCacheValueBytesMax) {
    finding.outcome = Outcome::kNotStored;
    return ItemStep::Nothing();
  }
  item.value.insert(order.verb == Verb::kAppend ? item.value.size() : 0, order.value);
  return ItemStep::Put({.value = std::move(item.value), .flags = item.flags}, Lifetime::Kept());
}

ItemStep SetOver(const ItemOrder& order, int64_t now_ms, const FoundItem& found, Finding& finding) {
  const std::optional<uint64_t> cas = CasOf(found.version);
  const bool same = cas == order.cas;
  // No item has a cas of 0, so an order with 0 is newer than none.
  if (!same && (order.cas.value_or(0) == 0 || cas.value_or(0) < *order.cas)) {
    finding.outcome = Outcome::kExists;
    return ItemStep::Nothing();
  }
  Item item{.value = order.value, .flags = order.flags, .stale = !same, .won = !same && found.item.won};
  return ItemStep::Put(std::move(item), same ? LifetimeAfter(order.new_ttl, now_ms) : Lifetime::Kept());
}

ItemStep Count(const ItemOrder& order, int64_t now_ms, Item item, Finding& finding) {
  const std::optional<uint64_t> number = ReadUnsigned(item.value);
  if (!number) {
    finding.outcome = Outcome::kNotANumber;
    return ItemStep::Nothing();
  }
  finding.number = order.verb == Verb::kDecrement ? *number - std::min(*number, order.delta) : *number + order.delta;
  item.value = PaddedNumber(finding.number, item.value.size());
  return ItemStep::Put(std::move(item), LifetimeAfter(order.new_ttl, now_ms));
}

// Less is left of its life than is wanted, in whole seconds.
bool IsDue(const ItemOrder& order, int64_t now_ms, std::optional<int64_t> expires_ms) {
  if (order.recache_by_new_ttl && order.new_ttl) expires_ms = ExpiresMs(*order.new_ttl, now_ms);
  if (!order.recache_ttl || !expires_ms) return false;
  const std::optional<int64_t> wanted_ms = LifetimeOf(*order.recache_ttl, now_ms).EndFrom(now_ms);
  return wanted_ms && SecondsLeft(expires_ms, now_ms) < (*wanted_ms - now_ms) / 1000;
}

ItemStep Look(const ItemOrder& order, int64_t now_ms, Item item, Finding& finding) {
  finding.sent_before = item.won;
  finding.won = !item.won && (item.stale || IsDue(order, now_ms, finding.expires_ms));
  const bool changes = finding.won || order.new_ttl;
  if (order.value_wanted) finding.value = changes ? item.value : std::move(item.value);
  if (!changes) return ItemStep::Nothing();
  item.won = item.won || finding.won;
  return ItemStep::Put(std::move(item), LifetimeAfter(order.new_ttl, now_ms));
}

ItemStep Make(const ItemOrder& order, int64_t now_ms, Finding& finding) {
  const bool looks = order.verb == Verb::kLook;
  if (!order.created_ttl) {
    const bool joins = order.verb == Verb::kAppend || order.verb == Verb::kPrepend;
    finding.outcome = joins ? Outcome::kNotStored : Outcome::kNotFound;
    return ItemStep::Nothing();
  }
  finding.created = true;
  finding.won = looks;
  finding.number = order.initial;
  Item item{.value = looks ? std::string() : std::to_string(order.initial), .won = looks};
  return ItemStep::Put(std::move(item), LifetimeOf(*order.created_ttl, now_ms));
}

ItemStep Change(const ItemOrder& order, int64_t now_ms, FoundItem found, Finding& finding) {
  Item& item = found.item;
  finding.stale = item.stale;
  finding.flags = item.flags;
  finding.size = item.value.size();
  finding.expires_ms = found.expires_ms;
  finding.version = found.version;
  switch (order.verb) {
    case Verb::kAppend:
    case Verb::kPrepend: return Join(order, std::move(item), finding);
    case Verb::kSetOver: return SetOver(order, now_ms, found, finding);
    case Verb::kIncrement:
    case Verb::kDecrement: return Count(order, now_ms, std::move(item), finding);
    case Verb::kTouch:
      if (order.value_wanted) finding.value = item.value;
      return ItemStep::Put(std::move(item), LifetimeAfter(order.new_ttl, now_ms));
    case Verb::kLook: return Look(order, now_ms, std::move(item), finding);
    case Verb::kInvalidate:
      item.stale = true;
      item.won = false;  // who reads it next is told to make it anew
      return ItemStep::Put(std::move(item), LifetimeAfter(order.new_ttl, now_ms));
  }
  return ItemStep::Nothing();
}

}  // namespace

ItemStep Decide(const ItemOrder& order, int64_t now_ms, std::optional<FoundItem> found, Finding& finding) {
  finding = {};
  if (found && order.cas && order.verb != Verb::kSetOver && CasOf(found->version) != order.cas) {
    const bool counts = order.verb == Verb::kIncrement || order.verb == Verb::kDecrement;
    finding.outcome = counts && found->item.value.empty() ? Outcome::kNotANumber : Outcome::kExists;
    return ItemStep::Nothing();
  }
  ItemStep step = found ? Change(order, now_ms, *std::move(found), finding) : Make(order, now_ms, finding);
  finding.changed = step.kind != ItemStep::Kind::kNothing;
  return step;
}

}  // namespace ebla::memcached
