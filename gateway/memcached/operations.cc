#include "gateway/memcached/operations.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "gateway/memcached/numbers.h"
#include "gateway/memcached/request.h"

namespace ebla::gateway::memcached {
namespace {

// What a command finds out while it decides, which may be several times.
template <class T>
using Shared = std::shared_ptr<T>;

bool HasCas(const FoundItem& found, uint64_t cas) { return CasOf(found.version) == cas; }

// Hands on what was decided, or why it could not be done.
template <class T>
Callback<Result<Version>> HandOn(Shared<T> outcome, Callback<Result<T>> done) {
  return [outcome = std::move(outcome), done = std::move(done)](Result<Version> version) mutable {
    if (!version.has_value()) return done(std::unexpected(std::move(version.error())));
    if constexpr (requires { outcome->version; }) {
      if (*version) outcome->version = *version;
    }
    done(std::move(*outcome));
  };
}

// A condition on the item's version was not met: was it another, or none?
void TellWhy(const Workplace& at, const std::string& key, Callback<Result<Outcome>> done) {
  at.store.Get(key, Freshness::kLatest, at.until, [done = std::move(done)](Result<Record> record) mutable {
    if (record.has_value()) return done(Outcome::kExists);
    if (record.error().code() == Code::kNotFound) return done(Outcome::kNotFound);
    done(std::unexpected(std::move(record.error())));
  });
}

void TellWhyNotStored(const Workplace& at, const std::string& key, Callback<Result<Stored>> done) {
  TellWhy(at, key, [done = std::move(done)](Result<Outcome> why) mutable {
    if (!why.has_value()) return done(std::unexpected(std::move(why.error())));
    done(Stored{.outcome = *why});
  });
}

// Appends, prepends, and takes what is older than what is there.
void StoreByChange(const Workplace& at, StoreOrder order, Callback<Result<Stored>> done) {
  auto stored = std::make_shared<Stored>();
  std::string key = order.key;
  auto decide = [order = std::move(order), stored, now_ms = at.store.NowMs()](std::optional<FoundItem> found) {
    const bool joins = order.mode == StoreMode::kAppend || order.mode == StoreMode::kPrepend;
    *stored = {};
    if (!found) {
      stored->outcome = joins ? Outcome::kNotStored : Outcome::kNotFound;
      return ItemStep::Nothing();
    }
    const bool same = !order.cas || HasCas(*found, *order.cas);
    // A cas of 0 is nobody's, and so none that is older.
    const bool older =
        !joins && order.accept_older && order.cas.value_or(0) > 0 && CasOf(found->version).value_or(0) > *order.cas;
    if (!same && !older) {
      stored->outcome = Outcome::kExists;
      return ItemStep::Nothing();
    }
    if (!joins) {
      Item item{.value = order.value, .flags = order.flags};
      if (same) return ItemStep::Put(std::move(item), LifetimeOf(order.exptime, now_ms));
      item.stale = true;
      item.won = found->item.won;
      return ItemStep::Put(std::move(item), Lifetime::Kept());
    }
    Item item{.flags = found->item.flags};
    const bool behind = order.mode == StoreMode::kAppend;
    item.value = behind ? std::move(found->item.value) + order.value : order.value + std::move(found->item.value);
    if (item.value.size() > kCacheValueBytesMax) {
      stored->outcome = Outcome::kNotStored;
      return ItemStep::Nothing();
    }
    return ItemStep::Put(std::move(item), Lifetime::Kept());
  };
  ChangeItem(at.store, at.executor, std::move(key), at.until, std::move(decide), HandOn(stored, std::move(done)));
}

// An item that would be gone at once is stored by taking away the one that it would replace.
void StoreGone(const Workplace& at, const StoreOrder& order, Callback<Result<Stored>> done) {
  if (order.mode == StoreMode::kAdd) {
    at.store.Get(order.key, Freshness::kLatest, at.until, [done = std::move(done)](Result<Record> record) mutable {
      if (record.has_value()) return done(Stored{.outcome = Outcome::kNotStored});
      if (record.error().code() == Code::kNotFound) return done(Stored{});
      done(std::unexpected(std::move(record.error())));
    });
    return;
  }
  Condition condition = order.mode == StoreMode::kReplace ? Condition::Exists() : Condition::None();
  if (order.cas) condition = Condition::Is(*VersionOf(*order.cas));
  at.store.Delete(order.key, condition, at.until,
                  [at, key = order.key, cas = order.cas, done = std::move(done)](Status status) mutable {
                    if (status.ok()) return done(Stored{});
                    if (status.code() != Code::kConditionFailed) return done(std::unexpected(std::move(status)));
                    if (cas) return TellWhyNotStored(at, key, std::move(done));
                    done(Stored{.outcome = Outcome::kNotStored});
                  });
}

// A number as the servers write it, of which they and memcached think the same.
bool IsPlainCount(const FoundItem& found, uint64_t delta) {
  const std::string& text = found.item.value;
  const bool plain = found.item.flags == 0 && !found.item.stale && !found.item.won && !found.item.expires_ms;
  if (!plain || text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return false;
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) && delta < uint64_t{1} << 62;
}

void CountByChange(const Workplace& at, CountOrder order, Callback<Result<Counted>> done) {
  auto counted = std::make_shared<Counted>();
  std::string key = order.key;
  auto decide = [order = std::move(order), counted, now_ms = at.store.NowMs()](std::optional<FoundItem> found) {
    *counted = {};
    if (!found) {
      if (!order.vivify_ttl) {
        counted->outcome = Outcome::kNotFound;
        return ItemStep::Nothing();
      }
      counted->created = true;
      counted->number = order.initial;
      return ItemStep::Put({.value = std::to_string(order.initial)}, LifetimeOf(*order.vivify_ttl, now_ms));
    }
    const std::optional<uint64_t> number = ReadUnsigned(found->item.value);
    if (!number || (order.cas && !HasCas(*found, *order.cas))) {
      counted->outcome = number ? Outcome::kExists : Outcome::kNotANumber;
      return ItemStep::Nothing();
    }
    counted->expires_ms = found->expires_ms();
    counted->number = order.down ? *number - std::min(*number, order.delta) : *number + order.delta;
    Item item = std::move(found->item);
    item.value = PaddedNumber(counted->number, item.value.size());
    return ItemStep::Put(std::move(item), order.new_ttl ? LifetimeOf(*order.new_ttl, now_ms) : Lifetime::Kept());
  };
  ChangeItem(at.store, at.executor, std::move(key), at.until, std::move(decide), HandOn(counted, std::move(done)));
}

void CountByServer(const Workplace& at, CountOrder order, Callback<Result<Counted>> done) {
  const std::string key = order.key;
  const auto delta = static_cast<int64_t>(order.delta);
  at.store.Increment(key, delta, IfNone::kRefuse, at.until,
                     [at, order = std::move(order), done = std::move(done)](Result<int64_t> sum) mutable {
                       if (sum.has_value()) return done(Counted{.number = static_cast<uint64_t>(*sum)});
                       const Code code = sum.error().code();
                       // It was taken away, or is something else by now.
                       if (code == Code::kConditionFailed || code == Code::kInvalidArgument)
                         return CountByChange(at, std::move(order), std::move(done));
                       done(std::unexpected(std::move(sum.error())));
                     });
}

}  // namespace

void StoreItem(const Workplace& at, StoreOrder order, Callback<Result<Stored>> done) {
  const bool joins = order.mode == StoreMode::kAppend || order.mode == StoreMode::kPrepend;
  if (order.mode == StoreMode::kAdd || (joins && order.cas == 0)) order.cas.reset();
  if (joins || (order.accept_older && order.cas)) return StoreByChange(at, std::move(order), std::move(done));
  if (order.cas && !VersionOf(*order.cas)) return TellWhyNotStored(at, order.key, std::move(done));
  const Lifetime lifetime = LifetimeOf(order.exptime, at.store.NowMs());
  if (lifetime.kind == Lifetime::Kind::kGone) return StoreGone(at, order, std::move(done));
  Condition condition;
  if (order.mode == StoreMode::kAdd) condition = Condition::Absent();
  if (order.mode == StoreMode::kReplace) condition = Condition::Exists();
  if (order.cas) condition = Condition::Is(*VersionOf(*order.cas));
  std::string record = EncodeItem({.value = std::move(order.value), .flags = order.flags});
  at.store.Put(order.key, record, lifetime.ttl, condition, at.until,
               [at, key = order.key, cas = order.cas, done = std::move(done)](Result<Version> version) mutable {
                 if (version.has_value()) return done(Stored{.version = *version});
                 if (version.error().code() != Code::kConditionFailed)
                   return done(std::unexpected(std::move(version.error())));
                 if (cas) return TellWhyNotStored(at, key, std::move(done));
                 done(Stored{.outcome = Outcome::kNotStored});
               });
}

void CountItem(const Workplace& at, CountOrder order, Callback<Result<Counted>> done) {
  if (order.cas == 0) order.cas.reset();
  if (order.down || order.cas || order.new_ttl || order.want_version)
    return CountByChange(at, std::move(order), std::move(done));
  const std::string key = order.key;
  at.store.Get(key, Freshness::kLatest, at.until,
               [at, order = std::move(order), done = std::move(done)](Result<Record> record) mutable {
                 Result<std::optional<FoundItem>> found = ItemIn(std::move(record));
                 if (!found.has_value()) return done(std::unexpected(std::move(found.error())));
                 if (!found->has_value() && !order.vivify_ttl) return done(Counted{.outcome = Outcome::kNotFound});
                 if (found->has_value() && IsPlainCount(**found, order.delta))
                   return CountByServer(at, std::move(order), std::move(done));
                 CountByChange(at, std::move(order), std::move(done));
               });
}

void RemoveItem(const Workplace& at, RemoveOrder order, Callback<Result<Outcome>> done) {
  if (order.invalidate) {
    auto outcome = std::make_shared<Outcome>(Outcome::kDone);
    std::string key = order.key;
    auto decide = [order = std::move(order), outcome, now_ms = at.store.NowMs()](std::optional<FoundItem> found) {
      *outcome = !found                                     ? Outcome::kNotFound
                 : order.cas && !HasCas(*found, *order.cas) ? Outcome::kExists
                                                            : Outcome::kDone;
      if (*outcome != Outcome::kDone) return ItemStep::Nothing();
      Item item = std::move(found->item);
      item.stale = true;
      item.won = false;  // who reads it next is told to make it anew
      return ItemStep::Put(std::move(item), order.new_ttl ? LifetimeOf(*order.new_ttl, now_ms) : Lifetime::Kept());
    };
    return ChangeItem(at.store, at.executor, std::move(key), at.until, std::move(decide),
                      HandOn(outcome, std::move(done)));
  }
  if (order.cas && !VersionOf(*order.cas)) return TellWhy(at, order.key, std::move(done));
  const Condition condition = order.cas ? Condition::Is(*VersionOf(*order.cas)) : Condition::Exists();
  at.store.Delete(order.key, condition, at.until,
                  [at, key = order.key, cas = order.cas, done = std::move(done)](Status status) mutable {
                    if (status.ok()) return done(Outcome::kDone);
                    if (status.code() == Code::kNotFound) return done(Outcome::kNotFound);
                    if (status.code() != Code::kConditionFailed) return done(std::unexpected(std::move(status)));
                    if (cas) return TellWhy(at, key, std::move(done));
                    done(Outcome::kNotFound);
                  });
}

}  // namespace ebla::gateway::memcached
