#include "tabletserver/transport/copy_source.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>

#include "common/base/crc32.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "common/testing/sim_executor.h"
#include "tabletserver/service/copy_handler.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using NewsKind = CopyNews::Kind;

constexpr TableId kCopiedTable{7};
constexpr TabletId kCopiedTablet{70};

// Stores what it is sent as a target does, but for the faults the test tells it.
class FakePeer : public idl::ReplicationServiceCobSvNull {
 public:
  explicit FakePeer(Executor& executor) : executor_(executor) {}

  void copy(std::function<void(const idl::CopyReply&)> cob, const idl::CopyRequest& request) override {
    EXPECT_FALSE(in_flight_) << "one request at a time";
    in_flight_ = true;
    requests.push_back(request);
    Code code = Code::kOk;
    if (!faults.empty()) {
      code = faults.front();
      faults.pop_front();
    }
    if (code == Code::kOk) Take(request);
    idl::CopyReply reply;
    reply.status = rpc::ToIdl(Status(code, code == Code::kOk ? "" : "fault"));
    executor_.After(1ms, [this, cob, reply] {
      in_flight_ = false;
      cob(reply);
    });
  }

  std::deque<Code> faults;  // of the next requests, in order
  std::vector<idl::CopyRequest> requests;
  std::map<std::string, std::string> records;
  std::vector<DedupRow> dedup_window;
  std::optional<int64_t> arrived;
  std::function<void()> on_chunk = [] {};

 private:
  void Take(const idl::CopyRequest& request) {
    if (request.__isset.first) {
      const Result<CopyBegin> begin = DecodeBegin(request);
      ASSERT_TRUE(begin) << begin.error();
      EXPECT_EQ(begin->order.epoch, Epoch{3});
      ASSERT_LE(begin->rows_before, dedup_window.size());
      dedup_window.resize(begin->rows_before);
      dedup_window.insert(dedup_window.end(), begin->base.dedup_window.begin(), begin->base.dedup_window.end());
    } else if (request.__isset.chunk) {
      const Result<CopyChunk> chunk = DecodeChunk(request);
      ASSERT_TRUE(chunk) << chunk.error();
      ASSERT_TRUE(CheckInterval(chunk->interval, chunk->records).ok());
      std::erase_if(records, [&](const auto& record) { return chunk->interval.Contains(record.first); });
      for (const auto& [key, record] : chunk->records) records[key] = record.value;
      on_chunk();
    } else {
      arrived = request.arrivedUpto;
    }
  }

  Executor& executor_;
  bool in_flight_ = false;
};

class CopySourceTest : public ::testing::Test {
 protected:
  CopySourceTest() {
    EXPECT_TRUE(store_.EnsureTable(kCopiedTable, TableCompression::kNone).ok());
    options_.chunk_bytes = 100;
    options_.chunk_records = 4;
    options_.window_bytes = 300;
    Apply(1, {});
  }

  void Apply(uint64_t lsn, std::vector<Effect> effects) {
    ApplyBatch batch;
    batch.tablet = kCopiedTablet;
    batch.table = kCopiedTable;
    for (const Effect& effect : effects) batch.records.push_back({&effect, Version{Epoch{3}, Lsn{lsn}}});
    batch.state.applied = {Epoch{3}, Lsn{lsn}};
    batch.state.range = {"b", "y"};
    ASSERT_TRUE(store_.Apply({&batch, 1}).ok());
    applied_ = batch.state;
  }
  void Put(uint64_t lsn, const std::string& key, const std::string& value) {
    Effect effect;
    effect.key = key;
    effect.value = value;
    Apply(lsn, {effect});
  }
  void PutMany(int records, uint64_t first_lsn = 2) {
    for (int i = 0; i < records; ++i) Put(first_lsn + static_cast<uint64_t>(i), "k" + std::to_string(1000 + i), "v");
  }

  void Begin(size_t window_rows = 0) {
    CopyOrder order{kCopiedTablet, kCopiedTable, {"ts-2", 9, Epoch{3}, applied_.applied, Version{Epoch{2}, Lsn{1}}},
                    applied_,      {},           {}};
    for (size_t i = 0; i < window_rows; ++i) {
      DedupRow row;
      row.client = ClientId{7};
      row.sequence = Sequence{i + 1};
      order.dedup_window.push_back(row);
    }
    idl::TableSchema schema;
    schema.tableId = 7;
    order.schema = coordination::EncodeNode(schema);
    copy_ = CopySource::Begin(
        {executor_, store_, throttle_, peer_, {}}, std::move(order), [this](NewsKind kind) { news_.push_back(kind); },
        options_);
  }
  void RunToTheEnd() {
    EXPECT_TRUE(scheduler_.RunUntil([&] { return !news_.empty() && news_.back() != NewsKind::kAccepted; }, 10min));
  }

  testing::SimScheduler scheduler_{1};
  testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_;
  SimulatedStore simulated_{disk_, executor_};
  TabletStore& store_ = *simulated_;
  int64_t bytes_per_second_ = CopyThrottle::kDefaultBytesPerSecond;
  CopyThrottle throttle_{[this] { return bytes_per_second_; }};
  std::shared_ptr<FakePeer> peer_ = std::make_shared<FakePeer>(executor_);
  CopySource::Options options_;
  AppliedState applied_;
  std::shared_ptr<CopySource> copy_;
  std::vector<NewsKind> news_;
};

TEST_F(CopySourceTest, EveryRecordOfTheRangeArrives) {
  Put(2, "a", "outside");
  Put(3, "z", "outside");
  PutMany(10, 4);
  Begin();
  RunToTheEnd();
  EXPECT_EQ(news_, (std::vector{NewsKind::kAccepted, NewsKind::kArrived}));
  EXPECT_EQ(peer_->records.size(), 10u);
  EXPECT_FALSE(peer_->records.contains("a") || peer_->records.contains("z"));
  EXPECT_EQ(peer_->arrived, 13);
  EXPECT_EQ(peer_->requests.size(), 1u + 3 + 1) << "four records at a time";
  EXPECT_EQ(peer_->requests[1].chunk.interval.startKey, "b");
  EXPECT_EQ(peer_->requests[3].chunk.interval.endKey, "y");
}

TEST_F(CopySourceTest, AnEmptyTabletIsOneEmptyChunk) {
  Begin();
  RunToTheEnd();
  EXPECT_EQ(news_.back(), NewsKind::kArrived);
  ASSERT_EQ(peer_->requests.size(), 3u);
  EXPECT_TRUE(peer_->requests[1].chunk.records.empty());
  EXPECT_EQ(peer_->arrived, 1);
}

TEST_F(CopySourceTest, WritesGoOnAndThePositionSaysHowFar) {
  PutMany(10);
  uint64_t lsn = 20;
  peer_->on_chunk = [&] {
    ++lsn;
    Put(lsn, "kz", std::to_string(lsn));
  };
  Begin();
  RunToTheEnd();
  EXPECT_EQ(peer_->records.at("kz"), "22") << "as of the last chunk";
  EXPECT_EQ(peer_->arrived, 22);
}

TEST_F(CopySourceTest, ALargeDedupWindowComesInPieces) {
  Begin(50);
  RunToTheEnd();
  EXPECT_EQ(news_.back(), NewsKind::kArrived);
  ASSERT_EQ(peer_->dedup_window.size(), 50u);
  EXPECT_EQ(peer_->dedup_window[49].sequence, Sequence{50});
  EXPECT_GT(peer_->requests.size(), 5u);
}

TEST_F(CopySourceTest, WhatIsLostIsSentAgain) {
  PutMany(10);
  peer_->faults = {
      Code::kUnknownOutcome,   Code::kOk,        Code::kUnavailable, Code::kOk,  // two pieces of the dedup window
      Code::kDeadlineExceeded, Code::kComeAgain, Code::kOk,          Code::kOverloaded};
  Begin(6);
  RunToTheEnd();
  EXPECT_EQ(news_, (std::vector{NewsKind::kAccepted, NewsKind::kArrived}));
  EXPECT_EQ(peer_->records.size(), 10u);
  EXPECT_EQ(peer_->dedup_window.size(), 6u);
}

TEST_F(CopySourceTest, APeerThatIsGoneEndsIt) {
  PutMany(10);
  peer_->faults = {Code::kOk};
  peer_->faults.resize(20, Code::kUnavailable);
  peer_->faults[0] = Code::kOk;
  Begin();
  RunToTheEnd();
  EXPECT_EQ(news_, (std::vector{NewsKind::kAccepted, NewsKind::kFailed}));
  EXPECT_EQ(peer_->requests.size(), 1u + 5);
}

TEST_F(CopySourceTest, ARefusalIsToldAsWhatItIs) {
  peer_->faults = {Code::kConditionFailed};
  Begin();
  RunToTheEnd();
  EXPECT_EQ(news_, std::vector{NewsKind::kHoldsLine});
  for (const Code code : {Code::kComeAgain, Code::kStaleEpoch, Code::kNotFound, Code::kInternal}) {
    news_.clear();
    peer_->faults = {code};
    Begin();
    RunToTheEnd();
    EXPECT_EQ(news_, std::vector{NewsKind::kFailed}) << CodeName(code);
  }
}

TEST_F(CopySourceTest, CancelledItSaysNothingMore) {
  PutMany(10);
  Begin();
  ASSERT_TRUE(scheduler_.RunUntil([&] { return peer_->requests.size() == 2; }, 1min));
  copy_->Cancel();
  scheduler_.RunFor(1min);
  EXPECT_EQ(news_, std::vector{NewsKind::kAccepted});
  EXPECT_EQ(peer_->requests.size(), 2u);
}

TEST_F(CopySourceTest, ItIsNoFasterThanItMayBe) {
  bytes_per_second_ = 100;
  for (uint64_t i = 0; i < 20; ++i) Put(2 + i, "k" + std::to_string(10 + i), std::string(100, 'v'));
  const MonotonicTime begun = scheduler_.Now();
  Begin();
  RunToTheEnd();
  const Duration took = scheduler_.Now() - begun;
  EXPECT_GT(took, 20s) << "two kilobytes and some";
  EXPECT_LT(took, 30s);
}

TEST_F(CopySourceTest, ADamagedChunkIsFound) {
  PutMany(3);
  Begin();
  RunToTheEnd();
  idl::CopyRequest damaged = peer_->requests[1];
  ASSERT_TRUE(damaged.__isset.chunk);
  damaged.chunk.records[1].row.back() ^= 1;
  EXPECT_EQ(DecodeChunk(damaged).error().code(), Code::kComeAgain);
  damaged.chunk.records[1].row.back() ^= 1;
  EXPECT_TRUE(DecodeChunk(damaged));
  damaged.chunk.records[0].row[0] = 99;
  damaged.chunk.checksum = 0;
  for (const auto& record : damaged.chunk.records) {
    damaged.chunk.checksum = Crc32(record.row, Crc32(record.key, static_cast<uint32_t>(damaged.chunk.checksum)));
  }
  EXPECT_EQ(DecodeChunk(damaged).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::tabletserver
