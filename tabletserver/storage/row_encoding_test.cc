#include "tabletserver/storage/row_encoding.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace rc {

using ebla::tabletserver::Effect;
using ebla::tabletserver::LogEntry;
using ebla::tabletserver::Outcome;

template <>
struct Arbitrary<Effect> {
  static Gen<Effect> arbitrary() {
    return gen::exec([] {
      Effect effect;
      effect.key = *gen::arbitrary<std::string>();
      effect.is_delete = *gen::arbitrary<bool>();
      if (!effect.is_delete) effect.value = *gen::arbitrary<std::string>();
      effect.expires_at.value = *gen::arbitrary<uint64_t>();
      effect.write_time_ms = *gen::arbitrary<int64_t>();
      effect.writer = *gen::arbitrary<std::string>();
      return effect;
    });
  }
};

template <>
struct Arbitrary<Outcome> {
  static Gen<Outcome> arbitrary() {
    return gen::exec([] {
      Outcome outcome;
      outcome.code = *gen::element(ebla::Code::kOk, ebla::Code::kConditionFailed, ebla::Code::kInvalidArgument);
      outcome.message = *gen::arbitrary<std::string>();
      outcome.wrote = *gen::arbitrary<bool>();
      outcome.counters = *gen::arbitrary<std::vector<int64_t>>();
      outcome.failed_index = *gen::inRange(-1, 1000);
      return outcome;
    });
  }
};

template <>
struct Arbitrary<LogEntry> {
  static Gen<LogEntry> arbitrary() {
    return gen::exec([] {
      LogEntry entry;
      entry.kind = static_cast<ebla::tabletserver::EntryKind>(*gen::inRange(1, 7));
      entry.version = {{*gen::arbitrary<uint64_t>()}, {*gen::arbitrary<uint64_t>()}};
      entry.time.value = *gen::arbitrary<uint64_t>();
      entry.client.value = *gen::arbitrary<uint64_t>();
      entry.sequence.value = *gen::arbitrary<uint64_t>();
      entry.first_incomplete.value = *gen::arbitrary<uint64_t>();
      entry.request_digest = *gen::arbitrary<uint64_t>();
      entry.level = static_cast<ebla::tabletserver::AckLevel>(*gen::inRange(0, 5));
      entry.outcome = *gen::arbitrary<Outcome>();
      entry.effects = *gen::arbitrary<std::vector<Effect>>();
      entry.floor_time.value = *gen::arbitrary<uint64_t>();
      if (entry.kind == ebla::tabletserver::EntryKind::kWrite) {
        entry.conditional = *gen::arbitrary<bool>();
      } else {
        entry.detail = *gen::arbitrary<std::string>();
      }
      return entry;
    });
  }
};

}  // namespace rc

namespace ebla::tabletserver {
namespace {

bool Same(const Outcome& a, const Outcome& b) {
  return a.code == b.code && a.message == b.message && a.wrote == b.wrote && a.counters == b.counters &&
         a.failed_index == b.failed_index;
}

bool Same(const Effect& a, const Effect& b) {
  return a.key == b.key && a.is_delete == b.is_delete && a.value == b.value && a.expires_at == b.expires_at &&
         a.write_time_ms == b.write_time_ms && a.writer == b.writer;
}

bool Same(const LogEntry& a, const LogEntry& b) {
  if (a.effects.size() != b.effects.size()) return false;
  for (size_t i = 0; i < a.effects.size(); ++i) {
    if (!Same(a.effects[i], b.effects[i])) return false;
  }
  return a.kind == b.kind && a.version == b.version && a.time == b.time && a.client == b.client &&
         a.sequence == b.sequence && a.first_incomplete == b.first_incomplete && a.request_digest == b.request_digest &&
         a.level == b.level && a.conditional == b.conditional && Same(a.outcome, b.outcome) &&
         a.floor_time == b.floor_time && a.detail == b.detail;
}

TEST(LogEntryTest, EveryEntryComesBack) {
  EXPECT_TRUE(rc::check("round trip", [](const LogEntry& entry) {
    const Result<LogEntry> decoded = DecodeLogEntry(EncodeLogEntry(entry));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(Same(*decoded, entry));
  }));
}

TEST(LogEntryTest, ACutOrLongerEntryIsRefused) {
  EXPECT_TRUE(rc::check("cut anywhere", [](const LogEntry& entry) {
    const std::string bytes = EncodeLogEntry(entry);
    const auto size = *rc::gen::inRange<size_t>(0, bytes.size());
    RC_ASSERT(!DecodeLogEntry(std::string_view(bytes).substr(0, size)).has_value());
    RC_ASSERT(!DecodeLogEntry(bytes + "x").has_value());
  }));
}

TEST(LogEntryTest, HostileBytesGiveAStatus) {
  EXPECT_TRUE(rc::check("changed bytes", [](const LogEntry& entry, const std::vector<uint8_t>& changes) {
    std::string bytes = EncodeLogEntry(entry);
    for (size_t i = 0; i + 1 < changes.size(); i += 2) {
      bytes[(changes[i] * 251u + i) % bytes.size()] = static_cast<char>(changes[i + 1]);
    }
    const Result<LogEntry> decoded = DecodeLogEntry(bytes);  // whatever it is, it is not a crash
    if (decoded) RC_ASSERT(Same(*DecodeLogEntry(EncodeLogEntry(*decoded)), *decoded));
  }));
  std::string huge("\x01\x01", 2);
  huge.append(60, '\xff');
  EXPECT_FALSE(DecodeLogEntry(huge).has_value());
  EXPECT_FALSE(DecodeLogEntry("").has_value());
}

TEST(LogEntryTest, AnUnknownKindOrFormatSaysSo) {
  std::string bytes = EncodeLogEntry(LogEntry{});
  bytes[1] = 99;
  EXPECT_EQ(DecodeLogEntry(bytes).error(),
            Status(Code::kInternal, "a log entry is of unknown kind 99: a newer build wrote it, or it is damaged"));
  bytes[0] = 2;
  EXPECT_EQ(DecodeLogEntry(bytes).error().message(),
            "a log entry has format 2, this build reads 1: a newer build wrote it, or it is damaged");
}

TEST(RowTest, RecordsComeBack) {
  EXPECT_TRUE(rc::check("record", [](Effect effect, uint64_t epoch, uint64_t lsn) {
    effect.is_delete = false;
    ByteWriter out;
    EncodeRecord(effect, {{epoch}, {lsn}}, out);
    StoredRecord record{"left over", {}, {5}, 6, "left over"};
    RC_ASSERT(DecodeRecord(out.view(), record).ok());
    RC_ASSERT(record.value == effect.value);
    RC_ASSERT(record.version == (Version{{epoch}, {lsn}}));
    RC_ASSERT(record.expires_at == effect.expires_at);
    RC_ASSERT(record.write_time_ms == effect.write_time_ms);
    RC_ASSERT(record.writer == effect.writer);
  }));
}

TEST(RowTest, HostileRowsGiveAStatus) {
  EXPECT_TRUE(rc::check("any bytes", [](std::string bytes) {
    if (!bytes.empty()) bytes[0] = static_cast<char>(1 + bytes.size() % 3);
    StoredRecord record;
    (void)DecodeRecord(bytes, record).ok();
    (void)DecodeReplicaState(bytes).has_value();
    (void)DecodeAppliedState(bytes).has_value();
    (void)DecodeDedupRow({}, bytes).has_value();
    RC_ASSERT(ParseTabletKey(bytes).has_value() == (bytes.size() == 8));
    RC_ASSERT(ParseLogKey(bytes).has_value() == (bytes.size() == 16));
    RC_ASSERT(ParseDedupKey(bytes).has_value() == (bytes.size() == 24));
  }));
  EXPECT_FALSE(DecodeReplicaState("").has_value());
  EXPECT_EQ(DecodeAppliedState("\x04").error().message(),
            "a tablet's applied state has format 4, this build reads 1 to 3: a newer build wrote it, or it is damaged");
}

// A tablet that was never split is written as before there were splits.
TEST(RowTest, WhatASplitLeavesComesBack) {
  ReplicaState state;
  state.table = {1};
  EXPECT_EQ(EncodeReplicaState(state).front(), '\x01');
  state.lineage_parent = {70};
  state.lineage_epoch = {2};
  state.lineage_lsn = {33};
  EXPECT_EQ(EncodeReplicaState(state).front(), '\x02');
  const auto state_back = DecodeReplicaState(EncodeReplicaState(state));
  ASSERT_TRUE(state_back);
  EXPECT_EQ(state_back->lineage_parent, TabletId{70});
  EXPECT_EQ(state_back->lineage_lsn, Lsn{33});

  AppliedState applied;
  EXPECT_EQ(EncodeAppliedState(applied).front(), '\x01');
  applied.last_split = AppliedSplit{TabletId{134}, "m", "z", {Epoch{2}, Lsn{33}}, "ts-1", {"ts-1", "ts-2"}};
  const auto applied_back = DecodeAppliedState(EncodeAppliedState(applied));
  ASSERT_TRUE(applied_back && applied_back->last_split);
  EXPECT_EQ(applied_back->last_split->child, TabletId{134});
  EXPECT_EQ(applied_back->last_split->key, "m");
  EXPECT_EQ(applied_back->last_split->end, "z");
  EXPECT_EQ(applied_back->last_split->version, (Version{Epoch{2}, Lsn{33}}));
  EXPECT_EQ(applied_back->last_split->primary, "ts-1");
  EXPECT_EQ(applied_back->last_split->voters, (std::vector<ServerName>{"ts-1", "ts-2"}));

  const auto detail = DecodeSplitDetail(EncodeSplitDetail({TabletId{134}, "m", "ts-1", {"ts-1", "ts-2"}}));
  ASSERT_TRUE(detail);
  EXPECT_EQ(detail->child, TabletId{134});
  EXPECT_EQ(detail->voters.size(), 2u);
  EXPECT_FALSE(DecodeSplitDetail("child").has_value());
  EXPECT_FALSE(DecodeSplitDetail("").has_value());
}

// Earlier versions wrote format 1 or 2, and a tablet without a merge is still written so.
TEST(RowTest, WhatAMergeLeavesComesBack) {
  ReplicaState state;
  state.table = {1};
  state.schema = "schema";
  state.merged = Merged{{TabletId{70}, {"", "m"}, {Epoch{2}, Lsn{33}}},
                        {TabletId{71}, {"m", ""}, {Epoch{5}, Lsn{9}}},
                        {Epoch{6}, Lsn{34}}};
  EXPECT_EQ(EncodeReplicaState(state).front(), '\x03');
  const auto state_back = DecodeReplicaState(EncodeReplicaState(state));
  ASSERT_TRUE(state_back && state_back->merged);
  EXPECT_EQ(state_back->schema, "schema");
  EXPECT_FALSE(state_back->lineage_parent);
  EXPECT_EQ(state_back->merged->left.tablet, TabletId{70});
  EXPECT_EQ(state_back->merged->left.range, (KeyRange{"", "m"}));
  EXPECT_EQ(state_back->merged->left.freeze, (Version{Epoch{2}, Lsn{33}}));
  EXPECT_EQ(state_back->merged->right.tablet, TabletId{71});
  EXPECT_EQ(state_back->merged->right.freeze, (Version{Epoch{5}, Lsn{9}}));
  EXPECT_EQ(state_back->merged->position, (Version{Epoch{6}, Lsn{34}}));

  AppliedState applied;
  applied.epoch_starts = {{Epoch{6}, Lsn{34}}};
  applied.freeze = AppliedFreeze{TabletId{200}, {Epoch{6}, Lsn{40}}};
  EXPECT_EQ(EncodeAppliedState(applied).front(), '\x03');
  applied.former = std::make_shared<const FormerRanges>(
      FormerRanges{{{"", "m"}, {{Epoch{1}, Lsn{1}}, {Epoch{2}, Lsn{7}}}}, {{"m", ""}, {}}});
  for (const bool split : {false, true}) {
    if (split) applied.last_split = AppliedSplit{TabletId{134}, "m", "z", {Epoch{2}, Lsn{33}}, "ts-1", {"ts-1"}};
    const auto back = DecodeAppliedState(EncodeAppliedState(applied));
    ASSERT_TRUE(back && back->freeze && back->former);
    EXPECT_EQ(back->last_split.has_value(), split);
    EXPECT_EQ(back->freeze->into, TabletId{200});
    EXPECT_EQ(back->freeze->version, (Version{Epoch{6}, Lsn{40}}));
    ASSERT_EQ(back->former->size(), 2u);
    EXPECT_EQ(back->former->front().range, (KeyRange{"", "m"}));
    ASSERT_EQ(back->former->front().epoch_starts.size(), 2u);
    EXPECT_EQ(back->former->front().epoch_starts[1].first, Lsn{7});
    EXPECT_TRUE(back->former->back().epoch_starts.empty());
  }
  EXPECT_FALSE(DecodeAppliedState(EncodeAppliedState(applied).substr(0, 20)).has_value());

  const auto detail = DecodeFreezeDetail(EncodeFreezeDetail({TabletId{200}}));
  ASSERT_TRUE(detail);
  EXPECT_EQ(detail->into, TabletId{200});
  EXPECT_FALSE(DecodeFreezeDetail("merge").has_value());
  EXPECT_FALSE(DecodeFreezeDetail("").has_value());
}

TEST(RowTest, WhatIsKeptOfAHeldLogComesBack) {
  const std::string bytes = EncodeHeldLog({.log = 0xfedcba9876543210, .segment = 300});
  const Result<HeldLog> decoded = DecodeHeldLog(bytes);
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded->log, 0xfedcba9876543210);
  EXPECT_EQ(decoded->segment, 300u);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeHeldLog(bytes.substr(0, size)));
}

TEST(RowTest, LogRowsSortByTabletThenLsn) {
  EXPECT_TRUE(rc::check("order", [](uint64_t tablet_a, uint64_t lsn_a, uint64_t tablet_b, uint64_t lsn_b) {
    const bool less = std::pair(tablet_a, lsn_a) < std::pair(tablet_b, lsn_b);
    RC_ASSERT((LogKey({tablet_a}, {lsn_a}) < LogKey({tablet_b}, {lsn_b})) == less);
  }));
}

}  // namespace
}  // namespace ebla::tabletserver
