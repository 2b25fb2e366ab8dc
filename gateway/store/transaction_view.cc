#include "gateway/store/transaction_view.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "gateway/store/read_keys.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

Error NotOfATransaction(std::string_view what) {
  return Error(Code::kInternal, std::string(what) + " is no part of a transaction");
}

Status TooLarge() { return {Code::kInvalidArgument, "a transaction has at most 1,000 keys, and writes at most 4 MiB"}; }

}  // namespace

void TransactionView::Load(std::vector<std::string> keys, Until until, Callback<Status> done) {
  const auto failure = std::make_shared<Status>();
  auto take = [self = shared_from_this(), failure](const std::string& key, Result<Record> record) {
    *failure = self->TakeLoaded(key, std::move(record));
    return failure->ok();
  };
  ReadKeys(*base_, std::move(keys), Freshness::kLatest, until, std::move(take),
           [self = shared_from_this(), failure, done = std::move(done)]() mutable { done(*failure); });
}

Status TransactionView::TakeLoaded(const std::string& key, Result<Record> record) {
  if (!record && record.error().code() != Code::kNotFound) return record.error();
  Entry& entry = entries_[key];
  entry.loaded = true;
  if (!record) return {};
  loaded_bytes_ += record->value.size();
  entry.base = *std::move(record);
  if (loaded_bytes_ <= kLoadBytesMax) return {};
  return {Code::kOverloaded, "the values of a transaction's keys have more than 64 MiB together"};
}

const Record* TransactionView::Loaded(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() || !found->second.base ? nullptr : &*found->second.base;
}

// ---- the port -------------------------------------------------------------------------------------------------------

Result<TransactionView::Entry*> TransactionView::Known(std::string_view key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Error(Code::kInternal, "a key was not loaded for its transaction");
  return &found->second;
}

void TransactionView::Get(std::string key, Freshness, Until, Callback<Result<Record>> done) {
  const Result<Entry*> entry = Known(key);
  if (!entry) return done(Error(entry.error()));
  if (!(*entry)->record()) return done(Error(Code::kNotFound, "no such key"));
  done(*(*entry)->record());
}

void TransactionView::MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                               Callback<std::vector<Result<Record>>> done) {
  std::vector<Result<Record>> records;
  records.reserve(keys.size());
  for (const std::string& key : keys)
    Get(key, freshness, until, [&](Result<Record> record) { records.push_back(std::move(record)); });
  done(std::move(records));
}

Result<TransactionView::Entry*> TransactionView::Check(std::string_view key, const Condition& condition) {
  if (condition.kind == Condition::Kind::kNone) return &entries_[std::string(key)];
  EBLA_ASSIGN(Entry * entry, Known(key));
  const std::optional<Record>& record = entry->record();
  const bool holds =
      condition.kind == Condition::Kind::kAbsent
          ? !record
          : record && (condition.kind == Condition::Kind::kExists || record->version == condition.version);
  if (!holds) return Error(Code::kConditionFailed, "the condition does not hold");
  return entry;
}

bool TransactionView::CountsDown(const std::optional<Expiry>& expires) const {
  return std::ranges::any_of(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.counts_down && entry.now && entry.now->expires == expires;
  });
}

void TransactionView::Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until,
                          Callback<Result<Version>> done) {
  const Result<Entry*> entry = Check(key, condition);
  if (!entry) return done(Error(entry.error()));
  const std::optional<Record>& before = (*entry)->now;
  const size_t bytes = written_bytes_ - (before ? key.size() + before->value.size() : 0) + key.size() + value.size();
  if (bytes > kCommitBytesMax) {
    too_large_ = true;
    return done(Error(TooLarge()));
  }
  written_bytes_ = bytes;
  // No record ever has this epoch.
  Record record{std::string(value), {Epoch{std::numeric_limits<int64_t>::max()}, Lsn{++writes_}}, {}};
  if (const auto end_ms = lifetime.EndFrom(now_ms_)) record.expires = Expiry(milliseconds(*end_ms));
  const Version version = record.version;
  using Kind = Lifetime::Kind;
  (*entry)->counts_down = lifetime.kind == Kind::kFor || (lifetime.kind == Kind::kUntil && CountsDown(record.expires));
  (*entry)->written = true;
  (*entry)->now = std::move(record);
  done(version);
}

void TransactionView::Delete(std::string key, Condition condition, Until, Callback<Status> done) {
  const Result<Entry*> entry = Check(key, condition);
  if (!entry) return done(entry.error());
  if ((*entry)->now) written_bytes_ -= key.size() + (*entry)->now->value.size();
  (*entry)->written = true;
  (*entry)->now.reset();
  done({});
}

void TransactionView::Increment(std::string, int64_t, IfNone, Until, Callback<Result<int64_t>> done) {
  done(Error(Code::kInvalidArgument, "a transaction reads and puts"));
}

void TransactionView::Apply(std::string, std::string_view, std::string, Until, Callback<Result<PartResult>> done) {
  done(Error(Code::kInvalidArgument, "a transaction reads and puts"));
}

void TransactionView::Commit(std::vector<Batch::Part>, Until, Callback<Status> done) {
  done(NotOfATransaction("a commit"));
}

void TransactionView::ScanKeys(KeyRange, uint64_t, Until, Callback<Result<ScanPage>> done) {
  done(NotOfATransaction("a scan"));
}

// ---- its end --------------------------------------------------------------------------------------------------------

Batch::Part TransactionView::PartOf(const std::string& key, const Entry& entry, int64_t now_ms) {
  Batch::Part part{.kind = Batch::Kind::kCheck, .key = key, .value = {}, .options = {}};
  if (entry.loaded && entry.base) part.options.if_version = entry.base->version;
  part.options.if_absent = entry.loaded && !entry.base;
  if (!entry.written || (!entry.now && part.options.if_absent)) return part;
  part.kind = entry.now ? Batch::Kind::kPut : Batch::Kind::kDelete;
  if (!entry.now) return part;
  part.value = entry.now->value;
  const auto& expires = entry.now->expires;
  SetLifetime(part.options, !expires            ? Lifetime::Forever()
                            : entry.counts_down ? Lifetime::For(*expires - Expiry(milliseconds(now_ms)))
                                                : Lifetime::Until(expires->time_since_epoch().count()));
  return part;
}

void TransactionView::Commit(Until until, Callback<Status> done) {
  if (too_large_) return done(TooLarge());
  const bool writes = std::ranges::any_of(entries_, [](const auto& item) { return item.second.written; });
  if (!writes && entries_.size() <= 1) return done({});  // one key is read at one moment
  std::vector<Batch::Part> parts;
  size_t bytes = 0;
  for (const auto& [key, entry] : entries_) {
    parts.push_back(PartOf(key, entry, base_->NowMs()));
    bytes += key.size() + parts.back().value.size();
  }
  if (parts.size() > kCommitPartsMax || bytes > kCommitBytesMax) return done(TooLarge());
  base_->Commit(std::move(parts), until, std::move(done));
}

}  // namespace ebla::gateway
