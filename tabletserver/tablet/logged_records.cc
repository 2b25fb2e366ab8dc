#include "tabletserver/tablet/logged_records.h"

#include <iterator>
#include <utility>

#include "tabletserver/storage/merged_scan.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

// ---- the batch's own ------------------------------------------------------------------------------------------------

Effect& BatchEffects::On(std::string key) {
  if (keys_repeat_) {
    if (const auto found = index_.find(std::string_view(key)); found != index_.end()) {
      effects_[*found] = Effect{.key = std::move(key)};
      return effects_[*found];
    }
  }
  Effect& made = effects_.emplace_back();
  made.key = std::move(key);
  if (keys_repeat_) index_.insert(effects_.size() - 1);
  return made;
}

const Effect* BatchEffects::Find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &effects_[*found];
}

const Effect* BatchEffects::Next(const KeyRange& range, bool reverse) const {
  auto at = reverse && range.end.empty() ? index_.end()
                                         : index_.lower_bound(std::string_view(reverse ? range.end : range.start));
  if (reverse) {
    if (at == index_.begin()) return nullptr;
    --at;
  }
  return at != index_.end() && range.Contains(effects_[*at].key) ? &effects_[*at] : nullptr;
}

// ---- all of it ------------------------------------------------------------------------------------------------------

bool LoggedRecords::SeesUnapplied() const { return !unapplied_.empty() && rules::ConditionsSeeUnapplied(); }

std::optional<UnappliedWrites::Item> LoggedRecords::Newer(std::string_view key) {
  if (const Effect* own = effects_.Find(key)) return UnappliedWrites::Item{{}, own};
  return SeesUnapplied() ? unapplied_.Find(key) : std::nullopt;
}

SeenRecord LoggedRecords::See(const UnappliedWrites::Item& newer) const {
  const Effect& effect = *newer.effect;
  SeenRecord seen{.live = std::nullopt, .stamp = {effect.write_time_ms, effect.writer}};
  if (!effect.is_delete && !Expired(effect.expires_at))
    seen.live = PresentRecord{effect.value, newer.version, effect.expires_at};
  return seen;
}

SeenRecord LoggedRecords::See(std::optional<StoredRecord>&& stored) const {
  SeenRecord seen;
  if (!stored) return seen;
  seen.stamp = {stored->write_time_ms, std::move(stored->writer)};
  if (!stored->tombstone && !Expired(stored->expires_at))
    seen.live = PresentRecord{std::move(stored->value), stored->version, stored->expires_at};
  return seen;
}

void LoggedRecords::Expect(std::string_view key) {
  if (!Newer(key)) expected_.push_back(key);
}

Result<std::optional<StoredRecord>*> LoggedRecords::NextStored() {
  if (taken_ == read_.size()) {
    EBLA_ASSIGN(read_, readers_.get(std::span(expected_).subspan(asked_)));
    taken_ = 0;
    asked_ += read_.size();
  }
  return &read_[taken_++];
}

Result<SeenRecord> LoggedRecords::Next(std::string_view key) {
  // An expected record that the batch has changed meanwhile is read all the same: its place in line counts.
  std::optional<StoredRecord>* stored = nullptr;
  if (!SeesUnapplied() || !unapplied_.Find(key)) {
    EBLA_ASSIGN(stored, NextStored());
  }
  if (const auto newer = Newer(key)) return See(*newer);
  return See(std::move(*stored));
}

Status LoggedRecords::CheckTime() {
  constexpr Duration kTimeMax = std::chrono::milliseconds(20);
  if (!readers_.now) return Status::Ok();
  const MonotonicTime now = readers_.now();
  if (!reads_end_) reads_end_ = now + kTimeMax;
  if (now <= *reads_end_) return Status::Ok();
  return Error(Code::kOverloaded, "the disk is too slow for the records that the functions look at");
}

Result<SeenRecord> LoggedRecords::Get(std::string_view key) {
  if (const auto newer = Newer(key)) return See(*newer);
  EBLA_TRY(CheckTime());
  EBLA_ASSIGN(auto stored, readers_.get(std::span(&key, 1)));
  return See(std::move(stored.front()));
}

// The batch's own effects and unapplied writes as one, in the order of a scan.
class LoggedRecords::NewerRows {
 public:
  NewerRows(const LoggedRecords& records, const ScanBounds& bounds)
      : records_(records), rest_(bounds.range), reverse_(bounds.reverse) {
    Look();
  }

  const UnappliedWrites::Item* Peek() const { return next_ ? &*next_ : nullptr; }
  void Pop() {
    if (reverse_) {
      rest_.end = next_->effect->key;
    } else {
      rest_.start = KeyAfter(next_->effect->key);
    }
    Look();
  }

 private:
  void Look() {
    next_.reset();
    if (rest_.Empty()) return;
    if (records_.SeesUnapplied()) next_ = records_.unapplied_.Next(rest_, reverse_);
    const Effect* const own = records_.effects_.Next(rest_, reverse_);
    if (own == nullptr) return;
    const bool first = !next_ || (reverse_ ? own->key >= next_->effect->key : own->key <= next_->effect->key);
    if (first) next_ = UnappliedWrites::Item{{}, own};
  }

  const LoggedRecords& records_;
  KeyRange rest_;
  const bool reverse_;
  std::optional<UnappliedWrites::Item> next_;
};

Status LoggedRecords::Scan(const ScanBounds& bounds, const Visitor& visitor) {
  const auto key_of = [](const UnappliedWrites::Item& newer) -> std::string_view { return newer.effect->key; };
  const auto show = [&](std::string_view key, bool is_delete, const Row& row) {
    return visitor(key, is_delete || Expired(row.expires_at) ? nullptr : &row);
  };
  const auto show_newer = [&](const UnappliedWrites::Item& newer) {
    const Effect& effect = *newer.effect;
    return show(effect.key, effect.is_delete, {effect.value, newer.version, effect.expires_at});
  };
  constexpr int kRowsBetweenLooks = 64;
  Status in_time = CheckTime();
  int rows = 0;
  const auto show_stored = [&](std::string_view key, const StoredRecord& record) {
    if (++rows % kRowsBetweenLooks == 0) in_time = CheckTime();
    return in_time.ok() && show(key, record.tombstone, {record.value, record.version, record.expires_at});
  };
  NewerRows newer(*this, bounds);
  EBLA_TRY(in_time);
  EBLA_TRY(MergedScan(bounds, newer, key_of, show_newer, show_stored, readers_.scan));
  return in_time;
}

}  // namespace ebla::tabletserver
