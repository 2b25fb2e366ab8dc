// Behaviour that stories cannot show well: bounds, batches, the published view. tests/stories has the protocol itself.
#include "tabletserver/tablet/tablet_core.h"

#include <gtest/gtest.h>

#include "common/base/lineage.h"
#include "common/base/number_limits.h"
#include "tabletserver/testing/core_rig.h"
#include "tabletserver/testing/group_rig.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::milliseconds;
using testing::CoreRig;

TabletOptions CoreOptions() {
  TabletOptions options;
  options.tablet = TabletId{9};
  options.self = "ts-1";
  return options;
}

ConfigureReplica NewTablet(uint64_t epoch = 1) {
  ConfigureReplica configure;
  configure.epoch = Epoch{epoch};
  configure.primary = "ts-1";
  configure.voters = {"ts-1"};
  configure.created_empty = true;
  return configure;
}

WriteRequest PutRequest(uint64_t sequence, std::string key, std::string value) {
  WriteRequest request;
  request.client = ClientId{7};
  request.sequence = Sequence{sequence};
  request.first_incomplete = Sequence{1};
  request.writes = {{.kind = WriteKind::kPut, .key = std::move(key), .value = std::move(value)}};
  return request;
}

// The Fence of an epoch already followed arrives a second time, late, between an append and the store's round for it.
TEST(TabletCore, AFenceOfTheSameEpochRefusesTheAppendsThatItDrops) {
  CoreRig rig(CoreOptions());
  ConfigureReplica configure = NewTablet(2);
  configure.primary = "ts-2";
  configure.voters = {"ts-1", "ts-2"};
  rig.Configure(configure);
  const auto append = [&](uint64_t token, AckLevel level) {
    auto entry = std::make_shared<LogEntry>();
    entry->version = {Epoch{2}, Lsn{1}};
    entry->level = level;
    AppendMessage message{.epoch = Epoch{2}, .previous = {}, .entries = {entry}, .committed = {}};
    return PeerRequest{RequestToken{token}, "ts-2", std::move(message), rig.now()};
  };
  rig.core().Step(append(101, AckLevel::kMajority));
  rig.core().Step(FenceReplica{RequestToken{102}, Epoch{2}, rig.now()});
  rig.Tick(milliseconds(2000));
  ASSERT_EQ(rig.answers.size(), 1u);
  EXPECT_EQ(std::get<AppendAnswer>(rig.answers[0].body).result, AppendResult::kBusy);
  ASSERT_EQ(rig.controls.size(), 2u);
  EXPECT_FALSE(rig.controls[1].last_appended);
  EXPECT_TRUE(rig.store().Log().empty());

  // A new entry at that place is acknowledged for itself alone.
  rig.Receive(append(103, AckLevel::kAll));
  ASSERT_EQ(rig.answers.size(), 2u);
  EXPECT_EQ(rig.answers[1].token, RequestToken{103});
  EXPECT_EQ(std::get<AppendAnswer>(rig.answers[1].body).result, AppendResult::kStored);
}

// The master takes INTERNAL for a replica that has nothing to offer; any other code it would ask again for ever.
TEST(TabletCore, AFailedReplicaAnswersAFenceAlikeWhateverItsStoreSaid) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  rig.store().failures.append = Error(Code::kUnavailable, "the disk is gone");
  rig.Write(PutRequest(1, "k", "v"));
  ASSERT_FALSE(rig.core().replica().failure().ok());
  rig.Fence(Epoch{2});
  ASSERT_FALSE(rig.controls.empty());
  EXPECT_EQ(rig.controls.back().status.code(), Code::kInternal);
  EXPECT_EQ(rig.controls.back().status.message(), "the replica has failed: UNAVAILABLE: the disk is gone");
}

// Followers truncate their logs as their primary tells them.
TEST(TabletCore, WhoWasNotHeardOfMayNeedTheWholeLog) {
  CoreRig rig(CoreOptions());
  ConfigureReplica configure = NewTablet();
  configure.voters = {"ts-1", "ts-2", "ts-3"};
  rig.Configure(configure);
  rig.Heartbeat();
  ASSERT_FALSE(rig.messages.empty());
  for (const PeerMessage& message : rig.messages) {
    std::visit([](const auto& body) { EXPECT_EQ(body.retain, Lsn{1}); }, message.body);
  }
}

// PROTOCOL 11: it brings nothing to read, and writes wait until the followers have applied it too.
TEST(TabletCore, FollowersHearThatASplitIsCommittedBeforeItIsAppliedHere) {
  CoreRig rig(CoreOptions());
  ConfigureReplica configure = NewTablet();
  configure.voters = {"ts-1", "ts-2", "ts-3"};
  rig.Configure(configure);
  TabletCore& core = rig.core();
  const auto stored_by = [&rig](const PeerMessage& message) {
    const auto& append = std::get<AppendMessage>(message.body);
    const Lsn last = append.entries.empty() ? append.previous.lsn : append.entries.back()->version.lsn;
    AppendAnswer answer{.epoch = append.epoch, .result = AppendResult::kStored, .flushed = last};
    return PeerReply{message.peer, message.number, message.sent, rig.now(), answer};
  };
  while (!core.replica().standing().BarrierApplied()) {
    const auto asked = std::exchange(rig.messages, {});
    ASSERT_FALSE(asked.empty());
    for (const PeerMessage& message : asked) {
      if (std::holds_alternative<AppendMessage>(message.body)) rig.Receive(stored_by(message));
    }
  }

  const TabletId child{CoreOptions().tablet.value + kLineages};
  core.Step(SplitTablet{RequestToken{900}, Epoch{1}, "m", child, rig.now()});
  const TabletOutput logged = core.TakeOutput();
  ASSERT_EQ(logged.replica.append.size(), 1u);
  const Lsn split = logged.replica.append[0]->version.lsn;
  core.Step(Stored{});
  core.Step(Flushed{logged.replica.flush->number});
  int heartbeats = 0;
  for (const PeerMessage& message : logged.replica.messages) {
    if (std::holds_alternative<HeartbeatMessage>(message.body)) {
      ++heartbeats;
    } else if (message.peer == "ts-2") {
      core.Step(stored_by(message));
    }
  }
  EXPECT_EQ(heartbeats, 2) << "without one the message would be gathered";

  const TabletOutput told = core.TakeOutput();
  EXPECT_TRUE(told.split_next);
  EXPECT_FALSE(told.apply.has_value());
  int hear = 0;
  for (const PeerMessage& message : told.replica.messages) {
    const auto* heartbeat = std::get_if<HeartbeatMessage>(&message.body);
    if (heartbeat != nullptr && heartbeat->committed == split) ++hear;
  }
  EXPECT_EQ(hear, 2);

  ASSERT_TRUE(core.HasOutput());
  const TabletOutput applied = core.TakeOutput();
  EXPECT_FALSE(applied.split_next);
  ASSERT_NE(applied.split, nullptr);
  EXPECT_EQ(applied.split->split.child, child);
}

// Without followers, the SPLIT need not wait for a turn of the loop.
TEST(TabletCore, OfOneReplicaASplitIsAppliedAsSoonAsItIsCommitted) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  TabletCore& core = rig.core();
  core.Step(SplitTablet{RequestToken{900}, Epoch{1}, "m", TabletId{CoreOptions().tablet.value + kLineages}, rig.now()});
  const TabletOutput logged = core.TakeOutput();
  ASSERT_TRUE(logged.replica.flush.has_value());
  core.Step(Stored{});
  core.Step(Flushed{logged.replica.flush->number});
  const TabletOutput applied = core.TakeOutput();
  EXPECT_FALSE(applied.split_next);
  EXPECT_NE(applied.split, nullptr);
}

TEST(TabletCore, ManyInputsOneOutput) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  TabletCore& core = rig.core();
  for (uint64_t i = 1; i <= 100; ++i) {
    WriteRequest request = PutRequest(i, "k" + std::to_string(i), "v");
    request.token = RequestToken{1000 + i};
    request.learnt = rig.tablet_time();
    core.Step(AdmitWrite{std::move(request), rig.now()});
  }
  TabletOutput output = core.TakeOutput();
  EXPECT_EQ(output.replica.append.size(), 100u);
  ASSERT_TRUE(output.replica.flush.has_value());
  EXPECT_FALSE(output.replica.state.has_value());
  EXPECT_TRUE(output.writes.empty());
  core.Step(Stored{});
  EXPECT_FALSE(core.HasOutput());
  core.Step(Flushed{output.replica.flush->number});
  output = core.TakeOutput();
  ASSERT_TRUE(output.apply.has_value());
  EXPECT_EQ(output.apply->records.size(), 100u);
  EXPECT_EQ(output.apply->dedup_window.put.size(), 100u);
  EXPECT_TRUE(output.writes.empty());
  core.Step(Applied{output.apply->state.applied});
  output = core.TakeOutput();
  EXPECT_EQ(output.writes.size(), 100u);
  ASSERT_NE(output.view, nullptr);
  EXPECT_EQ(output.view->applied.lsn, Lsn{101});
  EXPECT_FALSE(core.HasOutput());
}

TEST(TabletCore, FlushesThatOvertakeEachOther) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  TabletCore& core = rig.core();
  std::vector<FlushNumber> flushes;
  for (uint64_t i = 1; i <= 3; ++i) {
    WriteRequest request = PutRequest(i, "k", "v");
    request.token = RequestToken{1000 + i};
    request.learnt = rig.tablet_time();
    core.Step(AdmitWrite{std::move(request), rig.now()});
    flushes.push_back(core.TakeOutput().replica.flush->number);
    core.Step(Stored{});
  }
  core.Step(Flushed{flushes[1]});  // covers the first, too
  EXPECT_EQ(core.replica().committed(), Lsn{3});
  core.Step(Flushed{flushes[0]});
  EXPECT_EQ(core.replica().committed(), Lsn{3});
  core.Step(Flushed{flushes[2]});
  EXPECT_EQ(core.replica().committed(), Lsn{4});
}

TEST(TabletCore, IntervalDurabilityStillFencesToTheDisk) {
  TabletSchema schema = CoreRig::DefaultSchema();
  schema.durability = FlushMode::kInterval;
  CoreRig rig(CoreOptions(), schema);
  rig.Configure(NewTablet());
  TabletCore& core = rig.core();
  WriteRequest request = PutRequest(1, "k", "v");
  request.token = RequestToken{1000};
  request.learnt = rig.tablet_time();
  core.Step(AdmitWrite{std::move(request), rig.now()});
  EXPECT_EQ(core.TakeOutput().replica.flush->mode, FlushMode::kInterval);
  core.Step(Stored{});
  core.Step(FenceReplica{RequestToken{1001}, Epoch{2}, rig.now()});
  EXPECT_EQ(core.TakeOutput().replica.flush->mode, FlushMode::kSync);
}

TEST(TabletCore, RefusesWhenTooManyWritesAreUnapplied) {
  TabletOptions options = CoreOptions();
  options.unapplied_bytes_max = 4000;
  CoreRig rig(options);
  rig.Configure(NewTablet());
  rig.HoldFlush(true);
  RequestToken first = rig.Write(PutRequest(1, "a", std::string(3000, 'v')));
  RequestToken second = rig.Write(PutRequest(2, "b", std::string(3000, 'v')));
  EXPECT_FALSE(rig.ReplyTo(first).has_value());
  ASSERT_TRUE(rig.ReplyTo(second).has_value());
  EXPECT_EQ(rig.ReplyTo(second)->status.code(), Code::kOverloaded);
  // A retry of what is in the log is no new load.
  RequestToken retry = rig.Write(PutRequest(1, "a", std::string(3000, 'v')));
  EXPECT_FALSE(rig.ReplyTo(retry).has_value());
  rig.HoldFlush(false);
  EXPECT_TRUE(rig.ReplyTo(first)->status.ok());
  EXPECT_TRUE(rig.ReplyTo(retry)->status.ok());
  EXPECT_EQ(rig.core().unapplied_bytes(), 0u);
  // A write that exceeds the cap all by itself is still admitted, alone.
  EXPECT_TRUE(rig.ReplyTo(rig.Write(PutRequest(2, "b", std::string(9000, 'v'))))->status.ok());
}

TEST(TabletCore, AFullDiskRefusesNewWritesAlone) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  ASSERT_TRUE(rig.ReplyTo(rig.Write(PutRequest(1, "a", "v")))->status.ok());
  for (const uint64_t sequence : {1, 2}) {
    AdmitWrite admit{PutRequest(sequence, "a", "v"), rig.now(), {.disk = DiskRoom::kDeletes}};
    admit.request.token = RequestToken{1000 + sequence};
    admit.request.learnt = rig.tablet_time();
    rig.core().Step(std::move(admit));
  }
  const TabletOutput output = rig.core().TakeOutput();
  ASSERT_EQ(output.writes.size(), 2u);
  EXPECT_TRUE(output.writes[0].status.ok());  // a retry of what is done
  EXPECT_EQ(output.writes[1].status.code(), Code::kOverloaded);
  EXPECT_TRUE(output.replica.append.empty());
}

TEST(TabletCore, BelowTheDiskReserveAWritePassesIfAllItsEffectsAreDeletes) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  ASSERT_TRUE(rig.ReplyTo(rig.Write(PutRequest(1, "a", "v")))->status.ok());
  ASSERT_TRUE(rig.ReplyTo(rig.Write(PutRequest(2, "b", "v")))->status.ok());
  uint64_t sequence = 2;
  const auto write = [&](std::vector<Write> writes, DiskRoom room) {
    AdmitWrite admit{PutRequest(++sequence, "a", "v"), rig.now(), {.disk = room}};
    admit.request.writes = std::move(writes);
    admit.request.token = RequestToken{1000 + sequence};
    admit.request.learnt = rig.tablet_time();
    rig.Step(std::move(admit));
    const auto reply = rig.ReplyTo(RequestToken{1000 + sequence});
    return reply ? reply->status : Status(Code::kInternal, "no reply");
  };
  const Write put{.kind = WriteKind::kPut, .key = "c", .value = "v"};
  const Write first{.kind = WriteKind::kDelete, .key = "a"}, second{.kind = WriteKind::kDelete, .key = "b"};
  const Status refused = write({first, put}, DiskRoom::kDeletes);
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  EXPECT_NE(refused.message().find("only deletes pass"), std::string::npos) << refused;
  EXPECT_EQ(write({first}, DiskRoom::kDeletes), Status());
  EXPECT_EQ(write({second}, DiskRoom::kNone).code(), Code::kOverloaded);
  EXPECT_EQ(write({second, first}, DiskRoom::kDeletes), Status());
  EXPECT_EQ(write({put}, DiskRoom::kAll), Status());
}

TEST(TabletCore, TheViewTellsReadersWhatTheyNeed) {
  CoreRig rig(CoreOptions());
  EXPECT_EQ(rig.view->role, RoleKind::kAbsent);
  rig.HoldFlush(true);
  rig.Configure(NewTablet());
  EXPECT_EQ(rig.view->role, RoleKind::kPrimary);
  EXPECT_FALSE(rig.view->barrier_applied);
  rig.HoldFlush(false);
  EXPECT_TRUE(rig.view->barrier_applied);
  EXPECT_EQ(rig.view->lease_until, MonotonicTime::Max());
  EXPECT_EQ(rig.view->primary, "ts-1");
  EXPECT_EQ(rig.view->time.Now(rig.now()).value, static_cast<uint64_t>(testing::kMorningMs));
  const std::shared_ptr<const TabletView> old = rig.view;
  rig.Tick(milliseconds(250));
  EXPECT_EQ(rig.view, old);  // time advances without a new view
  EXPECT_EQ(old->time.Now(rig.now()).value, static_cast<uint64_t>(testing::kMorningMs) + 250);
  rig.Fence(Epoch{2});
  EXPECT_EQ(rig.view->role, RoleKind::kFollower);
  EXPECT_EQ(rig.view->lease_until, MonotonicTime{});
  EXPECT_EQ(old->role, RoleKind::kPrimary);
}

// A master without a majority decides by the reports, so they also name entries that no message will confirm as
// committed.
TEST(TabletCore, AFollowersViewComesToShowWhatItLoggedAndPromised) {
  testing::GroupRig group({"a", "b", "c"}, CoreOptions());
  group.Create("a", {"a", "b", "c"});
  ASSERT_TRUE(group.DeliverAll());
  group.Beat();
  ASSERT_TRUE(group.DeliverAll());
  group.cut = {{"b", "a"}, {"c", "a"}};
  group.at("a").Write(PutRequest(1, "k", "v"));
  ASSERT_TRUE(group.DeliverAll());
  CoreRig& follower = group.at("b");
  const Version logged = follower.store().Log().back().version;
  ASSERT_GT(logged, follower.view->applied);
  follower.Tick(milliseconds(100));
  EXPECT_EQ(follower.view->last_appended, logged);
  follower.Fence(Epoch{5});
  follower.Tick(milliseconds(100));
  EXPECT_EQ(follower.view->promised, Epoch{5});
}

// A read that found a record expired waits for it; without a majority it would wait for ever.
TEST(TabletCore, WhoWaitsForATimeIsToldWhenItsDeadlineHasPassed) {
  CoreRig rig(CoreOptions());
  ConfigureReplica configure = NewTablet();
  configure.voters = {"ts-1", "ts-2", "ts-3"};
  rig.Configure(configure);
  const TabletTime reached{rig.tablet_time().value + 10};
  rig.Purge({}, reached, rig.now() + milliseconds(300));
  rig.Purge({}, reached, rig.now() + milliseconds(900));  // waits for the same entry
  rig.Purge({}, reached);
  rig.Tick(milliseconds(250));
  EXPECT_TRUE(rig.purges.empty());
  rig.Tick(milliseconds(100));
  ASSERT_EQ(rig.purges.size(), 1u);
  EXPECT_EQ(rig.purges[0].status.code(), Code::kDeadlineExceeded);
  rig.Tick(milliseconds(600));
  ASSERT_EQ(rig.purges.size(), 2u);
  EXPECT_EQ(rig.core().waiting(), 1u);
  rig.Fence(Epoch{2});
  ASSERT_EQ(rig.purges.size(), 3u);
  EXPECT_EQ(rig.purges[2].status.code(), Code::kComeAgain);
}

TEST(TabletCore, AnAlterTakesEffectOnceAndOnlyForward) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  TabletSchema schema = CoreRig::DefaultSchema();
  schema.version = 3;
  schema.encoded = "schema 3";
  schema.default_ttl_ms = 500;
  rig.Alter(schema);
  EXPECT_EQ(rig.store().state().schema, "schema 3");
  EXPECT_EQ(rig.view->schema->default_ttl_ms, 500);
  rig.Write(PutRequest(1, "a", "v"));
  EXPECT_TRUE(rig.store().records().at("a").expires_at);
  TabletSchema older = CoreRig::DefaultSchema();
  older.version = 2;
  older.encoded = "schema 2";
  rig.Alter(older);
  EXPECT_EQ(rig.store().state().schema, "schema 3");
  EXPECT_EQ(rig.controls.size(), 3u);
  for (const ControlReply& reply : rig.controls) EXPECT_TRUE(reply.status.ok()) << reply.status;
}

TEST(TabletCore, AFenceFarBeyondItsPromiseNamesThatPromise) {
  CoreRig rig(CoreOptions());
  rig.Configure(NewTablet());
  const Epoch promised = rig.core().replica().state().promised;
  const Epoch far{promised.value + limits::kEpochLeapMax + 1};
  for (const std::optional<Epoch> leap_from : {std::optional<Epoch>(), std::optional(promised.Next())}) {
    rig.Fence(far, leap_from);
    EXPECT_EQ(rig.controls.back().status.code(), Code::kInvalidArgument);
    EXPECT_EQ(rig.core().replica().state().promised, promised);
  }
  rig.Fence(far, promised);
  EXPECT_TRUE(rig.controls.back().status.ok()) << rig.controls.back().status;
  EXPECT_EQ(rig.core().replica().state().promised, far);
}

TEST(TabletCore, RefusesAPrimaryThatDoesNotVoteAndForeignTables) {
  CoreRig rig(CoreOptions());
  ConfigureReplica others = NewTablet();
  others.voters = {"ts-2", "ts-3"};
  rig.Configure(others);
  EXPECT_EQ(rig.controls.back().status.code(), Code::kInvalidArgument);
  ConfigureReplica follower = NewTablet();
  follower.primary = "ts-2";
  follower.voters = {"ts-1", "ts-2"};
  rig.Configure(follower);
  EXPECT_TRUE(rig.controls.back().status.ok());
  EXPECT_EQ(rig.view->role, RoleKind::kFollower);
  EXPECT_EQ(rig.view->primary, "ts-2");
  EXPECT_EQ(rig.ReplyTo(rig.Write(PutRequest(1, "a", "v")))->status.code(), Code::kNotPrimary);
}

TEST(TabletCore, ALogThatLacksAnEntryEndsTheReplica) {
  RecoveredReplica recovered;
  recovered.tablet = TabletId{9};
  recovered.state.table = TableId{5};
  recovered.state.led = recovered.state.promised = Epoch{1};
  recovered.first_logged = {Epoch{1}, Lsn{1}};
  recovered.last_logged = {Epoch{1}, Lsn{3}};
  TabletReaders readers;
  readers.records.get = [](std::span<const std::string_view> keys) {
    return std::vector<std::optional<StoredRecord>>(keys.size());
  };
  readers.log = [](Lsn from, Lsn last, size_t) -> Result<std::vector<LogEntry>> {
    LogEntry entry;
    entry.kind = EntryKind::kPurge;
    entry.version = {Epoch{1}, last};
    entry.time = TabletTime{77};
    return std::vector<LogEntry>{entry};  // the last one alone
  };
  TabletCore core(CoreOptions(), recovered, CoreRig::DefaultSchema(), readers);
  ConfigureTablet configure;
  configure.replica = NewTablet(2);
  configure.replica.token = RequestToken{1};
  configure.replica.fenced = true;
  configure.schema = CoreRig::DefaultSchema();
  core.Step(configure);
  const TabletOutput output = core.TakeOutput();
  core.Step(Stored{});
  core.Step(Flushed{output.replica.flush->number});
  const TabletOutput after = core.TakeOutput();
  EXPECT_FALSE(after.apply.has_value());
  ASSERT_NE(after.view, nullptr);
  EXPECT_NE(after.view->failure, "");
  EXPECT_NE(after.view->role, RoleKind::kPrimary);
}

}  // namespace
}  // namespace ebla::tabletserver
