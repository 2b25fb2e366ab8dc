#include "tabletserver/tablet/dedup_window.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "tabletserver/testing/pick.h"

namespace ebla::tabletserver {
namespace {

using testing::Pick;

LogEntry WriteEntry(uint64_t lsn, uint64_t client, uint64_t sequence, uint64_t first, uint64_t time) {
  LogEntry entry;
  entry.version = {Epoch{1}, Lsn{lsn}};
  entry.client = ClientId{client};
  entry.sequence = Sequence{sequence};
  entry.first_incomplete = Sequence{first};
  entry.time = TabletTime{time};
  entry.request_digest = client * 1000 + sequence;
  entry.outcome.counters = {static_cast<int64_t>(lsn)};
  return entry;
}

WriteIdentity Identity(uint64_t client, uint64_t sequence, uint64_t first, uint64_t learnt) {
  return {ClientId{client}, Sequence{sequence}, Sequence{first}, TabletTime{learnt}, client * 1000 + sequence};
}

Code RefusalOf(const DedupWindow::Verdict& verdict) {
  const auto* refused = std::get_if<DedupWindow::Refused>(&verdict);
  return refused == nullptr ? Code::kOk : refused->status.code();
}

TEST(DedupWindow, RemembersFromTheLogOnAndThroughTheStore) {
  DedupWindow dedup_window({});
  dedup_window.Appended(WriteEntry(2, 7, 1, 1, 100));
  ASSERT_TRUE(std::holds_alternative<DedupWindow::Seen>(dedup_window.Ask(Identity(7, 1, 1, 50), TabletTime{100})));
  dedup_window.Apply(WriteEntry(2, 7, 1, 1, 100));
  const DedupChange change = dedup_window.TakeChange();
  ASSERT_EQ(change.put.size(), 1u);
  EXPECT_TRUE(change.erase.empty());

  const DedupWindow recovered({}, change.put, {});
  const DedupWindow::Verdict verdict = recovered.Ask(Identity(7, 1, 1, 50), TabletTime{100});
  ASSERT_TRUE(std::holds_alternative<DedupWindow::Seen>(verdict));
  EXPECT_EQ(std::get<DedupWindow::Seen>(verdict).row->version.lsn, Lsn{2});
  EXPECT_EQ(recovered.bytes(), dedup_window.bytes());
}

TEST(DedupWindow, WhatWasGivenUpWasNoOutcome) {
  DedupWindow dedup_window({});
  dedup_window.Appended(WriteEntry(2, 7, 1, 1, 100));
  dedup_window.Appended(WriteEntry(3, 7, 2, 2, 100));
  dedup_window.RemoveAbove(Lsn{2});
  EXPECT_TRUE(std::holds_alternative<DedupWindow::New>(dedup_window.Ask(Identity(7, 2, 1, 50), TabletTime{100})));
  EXPECT_TRUE(std::holds_alternative<DedupWindow::Seen>(dedup_window.Ask(Identity(7, 1, 1, 50), TabletTime{100})));
}

TEST(DedupWindow, KeepsASilentClientAsLongAsAnyOfItsWritesIsYoung) {
  DedupWindow dedup_window({.window_ms = 100});
  dedup_window.Apply(WriteEntry(1, 7, 1, 1, 1000));
  dedup_window.Apply(WriteEntry(2, 7, 2, 1, 1090));
  dedup_window.Apply(WriteEntry(3, 8, 1, 1, 1150));
  EXPECT_EQ(dedup_window.clients(), 2u);
  dedup_window.Apply(WriteEntry(4, 8, 2, 1, 1191));
  EXPECT_EQ(dedup_window.clients(), 1u);
  const DedupChange change = dedup_window.TakeChange();
  EXPECT_EQ(change.put.size(), 2u);
  EXPECT_EQ(change.erase.size(), 2u);
}

TEST(DedupWindow, MergesTwo) {
  DedupWindow left({});
  left.Apply(WriteEntry(1, 7, 1, 1, 100));
  DedupWindow right({});
  right.Apply(WriteEntry(9, 7, 2, 2, 120));
  right.Apply(WriteEntry(10, 8, 1, 1, 110));
  std::vector<DedupRow> rows = left.Rows();
  std::ranges::copy(right.Rows(), std::back_inserter(rows));
  const DedupWindow merged({}, std::move(rows), TabletTime{30});
  EXPECT_EQ(merged.clients(), 2u);
  EXPECT_EQ(merged.floor(), TabletTime{30});
  EXPECT_TRUE(std::holds_alternative<DedupWindow::Seen>(merged.Ask(Identity(7, 2, 2, 100), TabletTime{120})));
  EXPECT_TRUE(std::holds_alternative<DedupWindow::Seen>(merged.Ask(Identity(8, 1, 1, 100), TabletTime{120})));
  EXPECT_EQ(RefusalOf(merged.Ask(Identity(9, 1, 1, 30), TabletTime{120})), Code::kUnknownOutcome);
}

TEST(DedupWindow, AFloorFreesAppliedRowsForAppliedRowsAlone) {
  DedupWindow dedup_window({.bytes_max = 4000});
  dedup_window.Apply(WriteEntry(1, 7, 1, 1, 100));
  ASSERT_LT(dedup_window.bytes(), 1000u);
  uint64_t lsn = 1;
  while (dedup_window.bytes() < 8000) {
    ++lsn;
    dedup_window.Appended(WriteEntry(lsn, 100 + lsn, 1, 1, 100 + lsn));
  }
  EXPECT_FALSE(dedup_window.FloorToLog().has_value()) << "nothing that a floor could free is too much";
  for (uint64_t applied = 2; applied <= lsn; ++applied)
    dedup_window.Apply(WriteEntry(applied, 100 + applied, 1, 1, 100 + applied));
  const std::optional<TabletTime> floor = dedup_window.FloorToLog();
  ASSERT_TRUE(floor.has_value());
  EXPECT_LT(*floor, TabletTime{100 + lsn}) << "no more goes than must";
}

TEST(DedupWindow, RefusesNonsense) {
  const DedupWindow dedup_window({});
  EXPECT_EQ(RefusalOf(dedup_window.Ask(Identity(0, 1, 1, 50), TabletTime{100})), Code::kInvalidArgument);
  EXPECT_EQ(RefusalOf(dedup_window.Ask(Identity(7, 0, 0, 50), TabletTime{100})), Code::kInvalidArgument);
  EXPECT_EQ(RefusalOf(dedup_window.Ask(Identity(7, 1, 2, 50), TabletTime{100})), Code::kInvalidArgument);
  EXPECT_EQ(RefusalOf(dedup_window.Ask(Identity(7, 1, 1, 0), TabletTime{100})), Code::kComeAgain);
  EXPECT_EQ(RefusalOf(dedup_window.Ask(Identity(7, UINT64_MAX, 1, 50), TabletTime{100})), Code::kComeAgain);
}

// A tablet's life as far as the dedup window sees it: clients that send, lose answers, retry and send late duplicates;
// a log that is appended, given up in part and applied; restarts from the rows in the store. For any input, a request
// is executed at most once.
class DedupWindowLife {
 public:
  DedupWindowLife() : dedup_window_(kLimits) {}

  void Step() {
    switch (Pick(0, 12)) {
      case 0: time_ += Pick(0, 60); break;
      case 1: ApplySome(); break;
      case 2: GiveUpSome(); break;
      case 3: Restart(); break;
      case 4: LogFloor(); break;
      default: Send();
    }
    RC_ASSERT(stored_ == InWindow());
  }

 private:
  static constexpr DedupLimits kLimits{.window_ms = 100, .sequences_per_client_max = 8, .bytes_max = 3000};
  struct Request {
    uint64_t client;
    uint64_t sequence;
    uint64_t learnt;
    uint64_t executed = 0;  // at which lsn; 0: not, or given up
  };
  using Rows = std::map<std::pair<ClientId, Sequence>, Version>;

  // A new request, or another attempt at any that was ever made. Sequences that a client has completed stay so.
  void Send() {
    if (requests_.empty() || Pick(0, 3) == 0) {
      const uint64_t client = Pick<uint64_t>(1, 5);
      requests_.push_back({client, ++sequences_[client], time_ - std::min<uint64_t>(time_ - 1, Pick(0, 30))});
    }
    const size_t which = Pick<size_t>(0, requests_.size());
    Request& request = requests_[which];
    uint64_t& first = first_[request.client];
    if (Pick(0, 3) == 0) first = std::max(first, Pick<uint64_t>(1, sequences_[request.client] + 1));
    const uint64_t said = std::min(std::max<uint64_t>(first, 1), request.sequence);
    const auto verdict =
        dedup_window_.Ask(Identity(request.client, request.sequence, said, request.learnt), TabletTime{time_});
    if (const auto* seen = std::get_if<DedupWindow::Seen>(&verdict)) {
      RC_ASSERT(seen->row->version.lsn.value == request.executed);
    } else if (std::holds_alternative<DedupWindow::New>(verdict)) {
      RC_ASSERT(request.executed == 0u);
      request.executed = ++last_;
      log_[last_] = {WriteEntry(last_, request.client, request.sequence, said, time_), which};
      dedup_window_.Appended(log_[last_].first);
    }
  }

  void LogFloor() {
    const auto floor = dedup_window_.FloorToLog();
    if (!floor.has_value()) return;
    LogEntry entry;
    entry.kind = EntryKind::kFloor;
    entry.version = {Epoch{1}, Lsn{++last_}};
    entry.time = TabletTime{time_};
    entry.floor_time = *floor;
    log_[last_] = {entry, SIZE_MAX};
    dedup_window_.Appended(entry);
  }

  void ApplySome() {
    while (applied_ < last_ && Pick(0, 4) != 0) {
      dedup_window_.Apply(log_[++applied_].first);
    }
    const DedupChange change = dedup_window_.TakeChange();
    for (const auto& key : change.erase) {
      rows_.erase(key);
      stored_.erase(key);
    }
    for (const DedupRow& row : change.put) {
      rows_[{row.client, row.sequence}] = row;
      stored_[{row.client, row.sequence}] = row.version;
    }
    floor_ = dedup_window_.floor();
  }

  void GiveUpSome() {
    while (last_ > applied_ && Pick(0, 3) != 0) {
      if (log_[last_].second != SIZE_MAX) requests_[log_[last_].second].executed = 0;
      log_.erase(last_--);
    }
    dedup_window_.RemoveAbove(Lsn{last_});
  }

  void Restart() {
    std::vector<DedupRow> rows;
    for (const auto& [key, row] : rows_) rows.push_back(row);
    dedup_window_ = DedupWindow(kLimits, std::move(rows), floor_);
    for (uint64_t lsn = applied_ + 1; lsn <= last_; ++lsn) dedup_window_.Appended(log_[lsn].first);
  }

  Rows InWindow() const {
    Rows rows;
    for (const DedupRow& row : dedup_window_.Rows()) rows[{row.client, row.sequence}] = row.version;
    return rows;
  }

  DedupWindow dedup_window_;
  uint64_t time_ = 1000;
  uint64_t last_ = 0;
  uint64_t applied_ = 0;
  TabletTime floor_;
  std::map<uint64_t, std::pair<LogEntry, size_t>> log_;
  std::vector<Request> requests_;
  std::map<uint64_t, uint64_t> sequences_;
  std::map<uint64_t, uint64_t> first_;
  std::map<std::pair<ClientId, Sequence>, DedupRow> rows_;
  Rows stored_;
};

TEST(DedupWindow, ExecutesNothingTwice) {
  EXPECT_TRUE(rc::check("a request is executed at most once", [] {
    DedupWindowLife life;
    for (int i = 0; i < 150; ++i) life.Step();
  }));
}

}  // namespace
}  // namespace ebla::tabletserver
