#include "gateway/store/change_item.h"

#include <memory>
#include <utility>

#include "gateway/store/lost_race.h"

namespace ebla::gateway {
namespace {

class ItemChange : public std::enable_shared_from_this<ItemChange> {
 public:
  ItemChange(Store& store, Executor& executor, std::string key, Until until, DecideItem decide,
             Callback<Result<Version>> done)
      : store_(store),
        executor_(executor),
        key_(std::move(key)),
        until_(until),
        decide_(std::move(decide)),
        done_(std::move(done)) {}

  void Attempt() {
    store_.Get(key_, Freshness::kLatest, until_,
               [self = shared_from_this()](Result<Record> record) { self->Decide(std::move(record)); });
  }

 private:
  void Decide(Result<Record> record) {
    Result<std::optional<FoundItem>> found = ItemIn(std::move(record));
    if (!found.has_value()) return done_(std::unexpected(std::move(found.error())));
    const Condition unchanged = found->has_value() ? Condition::Is((*found)->version) : Condition::Absent();
    const std::optional<int64_t> expires_ms = found->has_value() ? (*found)->expires_ms : std::nullopt;
    ItemStep step = decide_(*std::move(found));
    const bool absent = unchanged.kind == Condition::Kind::kAbsent;
    if (step.kind == ItemStep::Kind::kNothing || (step.kind == ItemStep::Kind::kDelete && absent))
      return done_(Version());
    if (step.kind == ItemStep::Kind::kDelete) {
      store_.Delete(key_, unchanged, until_, [self = shared_from_this()](Status status) {
        self->Finish(status.ok() ? Result<Version>(Version()) : Result<Version>(std::unexpected(std::move(status))));
      });
      return;
    }
    if (step.lifetime.kind == Lifetime::Kind::kKept) step.lifetime = Lifetime::Until(expires_ms);
    PutItem(store_, key_, std::move(step), unchanged, until_,
            [self = shared_from_this()](Result<Version> version) { self->Finish(std::move(version)); });
  }

  void Finish(Result<Version> result) {
    if (result.has_value() || result.error().code() != Code::kConditionFailed) return done_(std::move(result));
    if (std::chrono::steady_clock::now() >= until_)
      return done_(Error(Code::kDeadlineExceeded, "others changed the item each time until the deadline"));
    RetryAfterLosing(++attempts_, executor_, [self = shared_from_this()] { self->Attempt(); });
  }

  Store& store_;
  Executor& executor_;
  const std::string key_;
  const Until until_;
  DecideItem decide_;
  Callback<Result<Version>> done_;
  int attempts_ = 0;
};

}  // namespace

Result<std::optional<FoundItem>> ItemIn(Result<Record> record) {
  if (!record.has_value()) {
    if (record.error().code() == Code::kNotFound) return std::optional<FoundItem>();
    return Error(std::move(record.error()));
  }
  EBLA_ASSIGN(Item item, DecodeItem(std::move(record->value)));
  std::optional<int64_t> expires_ms;
  if (record->expires) expires_ms = record->expires->time_since_epoch().count();
  return FoundItem{std::move(item), record->version, expires_ms};
}

void PutItem(Store& store, std::string key, ItemStep put, Condition condition, Until until,
             Callback<Result<Version>> done) {
  store.Put(std::move(key), EncodeItem(std::move(put.item)), put.lifetime, condition, until, std::move(done));
}

void ChangeItem(Store& store, Executor& executor, std::string key, Until until, DecideItem decide,
                Callback<Result<Version>> done) {
  std::make_shared<ItemChange>(store, executor, std::move(key), until, std::move(decide), std::move(done))->Attempt();
}

}  // namespace ebla::gateway
