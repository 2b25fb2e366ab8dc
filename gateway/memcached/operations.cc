#include "gateway/memcached/operations.h"

#include <utility>

#include "functions/memcached/numbers.h"
#include "functions/memcached/record_function.h"
#include "gateway/store/apply_function.h"
#include "gateway/store/items.h"

namespace ebla::gateway::memcached {
namespace {

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
void StoreByOrder(const Workplace& at, StoreOrder order, Callback<Result<Stored>> done) {
  using Verb = ItemOrder::Verb;
  ItemOrder change{.value = std::move(order.value), .flags = order.flags, .cas = order.cas, .new_ttl = order.exptime};
  change.verb = order.mode == StoreMode::kAppend    ? Verb::kAppend
                : order.mode == StoreMode::kPrepend ? Verb::kPrepend
                                                    : Verb::kSetOver;
  RunOrder(at, std::move(order.key), std::move(change), [done = std::move(done)](Result<Finding> finding) mutable {
    if (!finding) return done(Error(std::move(finding.error())));
    done(Stored{.outcome = finding->outcome, .version = finding->changed ? finding->version : Version()});
  });
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

}  // namespace

void RunOrder(const Workplace& at, std::string key, ItemOrder order, Callback<Result<Finding>> done) {
  FunctionCall call{.name = kFunctionName, .arguments = EncodeOrder(order), .run = {}};
  call.run = [order = std::move(order)](const FunctionInput& input) { return ExecuteOrder(order, input); };
  ApplyFunction(at.store, at.executor, std::move(key), std::move(call), at.until,
                [done = std::move(done)](Result<PartResult> result) mutable {
                  if (!result) return done(Error(std::move(result.error())));
                  Result<Finding> finding = DecodeFinding(result->answer);
                  // An item that was read and then deleted has no new version, so the finding keeps the old one.
                  if (finding && finding->changed && result->version.epoch) finding->version = result->version;
                  done(std::move(finding));
                });
}

void StoreItem(const Workplace& at, StoreOrder order, Callback<Result<Stored>> done) {
  const bool joins = order.mode == StoreMode::kAppend || order.mode == StoreMode::kPrepend;
  if (order.mode == StoreMode::kAdd || (joins && order.cas == 0)) order.cas.reset();
  if (joins || (order.accept_older && order.cas)) return StoreByOrder(at, std::move(order), std::move(done));
  if (order.cas && !VersionOf(*order.cas)) return TellWhyNotStored(at, order.key, std::move(done));
  const Lifetime lifetime = LifetimeOf(order.exptime, at.store.NowMs());
  if (lifetime.kind == Lifetime::Kind::kGone) return StoreGone(at, order, std::move(done));
  Condition condition;
  if (order.mode == StoreMode::kAdd) condition = Condition::Absent();
  if (order.mode == StoreMode::kReplace) condition = Condition::Exists();
  if (order.cas) condition = Condition::Is(*VersionOf(*order.cas));
  std::optional<std::string> key_with_cas;
  if (order.cas) key_with_cas = order.key;
  PutItem(at.store, std::move(order.key),
          ItemStep::Put({.value = std::move(order.value), .flags = order.flags}, lifetime), condition, at.until,
          [at, key_with_cas = std::move(key_with_cas), done = std::move(done)](Result<Version> version) mutable {
            if (version.has_value()) return done(Stored{.version = *version});
            if (version.error().code() != Code::kConditionFailed)
              return done(std::unexpected(std::move(version.error())));
            if (key_with_cas) return TellWhyNotStored(at, *key_with_cas, std::move(done));
            done(Stored{.outcome = Outcome::kNotStored});
          });
}

void RemoveItem(const Workplace& at, std::string key, std::optional<uint64_t> cas, Callback<Result<Outcome>> done) {
  if (cas && !VersionOf(*cas)) return TellWhy(at, key, std::move(done));
  const Condition condition = cas ? Condition::Is(*VersionOf(*cas)) : Condition::Exists();
  at.store.Delete(key, condition, at.until, [at, key, cas, done = std::move(done)](Status status) mutable {
    if (status.ok()) return done(Outcome::kDone);
    if (status.code() == Code::kNotFound) return done(Outcome::kNotFound);
    if (status.code() != Code::kConditionFailed) return done(std::unexpected(std::move(status)));
    if (cas) return TellWhy(at, key, std::move(done));
    done(Outcome::kNotFound);
  });
}

}  // namespace ebla::gateway::memcached
