// PROTOCOL 13, 14 at every moment: a server that crashes while tablets are frozen, merged, split again and merged anew,
// with checkpoints in between or none, has what it acknowledged.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tabletserver/testing/merge_fixture.h"

namespace ebla::tabletserver {
namespace {

class ShardMergeCrashTest : public MergeFixture, public ::testing::WithParamInterface<int64_t> {
 protected:
  ShardMergeCrashTest() { right_ = kTablet + GetParam(); }

  struct Known {
    std::string start, end;
    bool operator==(const Known&) const = default;
  };
  // Leads every tablet that is there in an epoch above all before.
  void LeadAll(const std::optional<idl::Merged>& merged) {
    ++epoch_;
    for (const auto& [id, range] : tablets_) {
      const bool is_new = merged && id == into_;
      ASSERT_TRUE(Fence(epoch_, {"ts-1"}, id));
      Roles roles{"ts-1", {"ts-1"}, {}, id, range.start, range.end};
      if (is_new) roles.merged = merged;
      ASSERT_TRUE(Configure(epoch_, roles, /*fenced=*/true)) << id;
      ASSERT_TRUE(Serves("ts-1", id)) << id;
    }
  }
  void Put(const std::string& key, const std::string& value) {
    if (Write("ts-1", {PutOf(key, value)}).header.code == idl::Code::OK) acknowledged_[key] = value;
  }
  void MaybeCheckpoint(std::mt19937_64& random) {
    if (random() % 3 != 0) return;
    at("ts-1").store->Checkpoint(*at("ts-1").executor, [](auto) {});
    scheduler_.RunFor(std::chrono::milliseconds(random() % 6));
  }
  void CrashNow(std::mt19937_64& random) {
    Crash("ts-1", random() % 2 == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine);
    Start("ts-1");
  }
  bool CrashSometimes(std::mt19937_64& random) {
    if (random() % 4 != 0) return false;
    CrashNow(random);
    return true;
  }
  // Both are frozen; the answers are as the catalog has them from then on.
  idl::Merged FreezeThem() {
    const bool in_order = tablets_.begin()->second.start.empty();
    const auto left = in_order ? tablets_.begin() : std::next(tablets_.begin());
    const auto right = in_order ? std::next(left) : tablets_.begin();
    const idl::FreezeResult a = Freeze("ts-1", epoch_, left->first, into_),
                            b = Freeze("ts-1", epoch_, right->first, into_);
    EXPECT_EQ(a.status.code, idl::Code::OK) << a.status.message;
    EXPECT_EQ(b.status.code, idl::Code::OK) << b.status.message;
    return MergedOf(PartOf(left->first, left->second.start, left->second.end, a.freeze),
                    PartOf(right->first, right->second.start, right->second.end, b.freeze));
  }
  // Orders the merge, and looks only so long whether it is obeyed.
  bool Order(const idl::Merged& merged, Duration patience) {
    idl::ConfigureRequest request;
    request.header = ControlTo(at("ts-1"));
    idl::ConfigureTablet& configure = request.tablets.emplace_back();
    configure.tabletId = into_;
    configure.epoch = merged.position.epoch;
    configure.primary = "ts-1";
    configure.voters = {"ts-1"};
    configure.schema.tableId = kTable;
    configure.schema.schemaVersion = 1;
    configure.__set_merged(merged);
    auto obeyed = std::make_shared<bool>(false);
    at("ts-1").server->control_service()->configure(
        [obeyed](const idl::ConfigureReply& reply) { *obeyed = reply.results.at(0).status.code == idl::Code::OK; },
        request);
    Until([&] { return *obeyed; }, patience);
    return *obeyed;
  }
  void SplitAgain(const std::string& border) {
    const idl::SplitResult split = Split("ts-1", epoch_, border, into_ + 64, into_);
    ASSERT_EQ(split.status.code, idl::Code::OK) << split.status.message;
    tablets_ = {{into_, {"", border}}, {into_ + 64, {border, ""}}};
  }

  int64_t epoch_ = 1;
  int64_t into_ = 0;
  std::map<int64_t, Known> tablets_;
  std::map<std::string, std::string> acknowledged_;
};

INSTANTIATE_TEST_SUITE_P(SameAndOtherLineage, ShardMergeCrashTest, ::testing::Values(64, 1));

TEST_P(ShardMergeCrashTest, ACrashAtAnyMoment) {
  const char* given = std::getenv("EBLA_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::mt19937_64 random(seed);
  LeadBoth({"ts-1"});
  tablets_ = {{kLeft, {"", "m"}}, {right_, {"m", ""}}};
  acknowledged_ = {{"a", "1"}, {"p", "1"}};
  into_ = kInto;
  uint64_t merged_before_the_crash = 0;
  for (int round = 0; round < 30; ++round, into_ += 128 + static_cast<int64_t>(random() % 3)) {
    SCOPED_TRACE("EBLA_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    at("ts-1").disk.SetLatency(Duration(0), std::chrono::milliseconds(random() % 4));
    for (const char* key : {"a", "c", "p", "z"}) Put(key, std::to_string(round));
    MaybeCheckpoint(random);
    if (CrashSometimes(random)) LeadAll({});
    const idl::Merged merged = FreezeThem();
    ASSERT_FALSE(HasFailure());
    MaybeCheckpoint(random);
    CrashSometimes(random);  // the FREEZEs are durable
    // The catalog has decided.
    tablets_ = {{into_, {"", ""}}};
    epoch_ = std::max(epoch_, merged.position.epoch);
    const bool obeyed = Order(merged, std::chrono::microseconds(random() % 20'000));
    if (obeyed && random() % 2 == 0) {
      ASSERT_TRUE(Serves("ts-1", into_));
      for (const char* key : {"a", "p"}) Put(key, "merged " + std::to_string(round));
    }
    if (View("ts-1", into_) != nullptr) ++merged_before_the_crash;
    MaybeCheckpoint(random);
    CrashNow(random);
    if (obeyed) {
      ASSERT_NE(View("ts-1", into_), nullptr) << "it said so: " << Ranges("ts-1");
    }
    CrashSometimes(random);  // without a checkpoint in between
    LeadAll(merged);
    EXPECT_EQ(Ranges("ts-1"), std::to_string(into_) + "[\"\", \"\")* ");
    for (const auto& [key, value] : acknowledged_) ASSERT_EQ(Value("ts-1", key), value) << key;
    MaybeCheckpoint(random);
    if (CrashSometimes(random)) LeadAll(merged);
    SplitAgain(std::string(1, static_cast<char>('b' + random() % 20)));
    if (CrashSometimes(random)) LeadAll({});
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(merged_before_the_crash, 5u);
}

// With three voters: after any crash all writes that were acknowledged at MAJORITY are there, and all replicas become
// equal.
class MergeCrashesTest : public MergeFixture, public ::testing::WithParamInterface<int64_t> {
 protected:
  MergeCrashesTest() { right_ = kTablet + GetParam(); }
  struct Half {
    std::string leader, start, end;
    int64_t epoch = 1;
  };
  // The server with the longest log leads the next epoch. A server that does not know a merged tablet counts as having
  // its beginning.
  void Lead(int64_t id, const std::vector<std::string>& living, const std::optional<idl::Merged>& merged = {}) {
    Half& half = tablets_.at(id);
    const auto beginning = merged ? std::optional(Version{Epoch{1}, Lsn{1}}) : std::nullopt;
    half.leader = Elect(++half.epoch, living, id, beginning);
    ASSERT_FALSE(half.leader.empty()) << id;
    ASSERT_TRUE(
        Configure(half.epoch, {half.leader, kAll, {}, id, half.start, half.end, false, merged}, /*fenced=*/true))
        << id;
    ASSERT_TRUE(Serves(half.leader, id)) << id;
  }
  // Orders both FREEZEs, and waits a little. The one of both that is answered first may be frozen for long.
  std::optional<idl::Merged> FreezeThem(int64_t left, int64_t right, int64_t into, Duration patience) {
    auto answers = std::make_shared<std::map<int64_t, idl::FreezeResult>>();
    for (const int64_t id : {left, right}) {
      const Half& half = tablets_.at(id);
      AskToFreeze(half.leader, half.epoch, id, into, [answers, id](const idl::FreezeResult& result) {
        if (result.status.code == idl::Code::OK) (*answers)[id] = result;
      });
    }
    Until([&] { return answers->size() == 2; }, patience);
    if (answers->size() < 2) return std::nullopt;
    const Half &one = tablets_.at(left), &other = tablets_.at(right);
    return MergedOf(PartOf(left, one.start, one.end, answers->at(left).freeze),
                    PartOf(right, other.start, other.end, answers->at(right).freeze));
  }
  std::vector<std::string> CrashOne() {
    const std::string victim = kAll[random_() % 3];
    if (random_() % 3 == 0) at(victim).store->Checkpoint(*at(victim).executor, [](auto) {});
    scheduler_.RunFor(std::chrono::milliseconds(random_() % 10));
    Crash(victim, random_() % 2 == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine);
    std::vector<std::string> living = kAll;
    if (random_() % 2 == 0) {
      Start(victim);
    } else {
      std::erase(living, victim);
    }
    return living;
  }
  void BringLevel(const std::optional<idl::Merged>& merged = {}) {
    for (const std::string& server : kAll) {
      if (at(server).server == nullptr) Start(server);
    }
    for (const auto& [id, half] : tablets_) {
      Configure(half.epoch, {half.leader, kAll, {}, id, half.start, half.end, false, merged});
      for (const std::string& server : kAll) {
        const auto level = [&, id = id, leader = half.leader] { return server == leader || Level(server, leader, id); };
        ASSERT_TRUE(Until(level, 30s)) << id << " at " << server << ": " << Ranges(server);
      }
    }
  }
  void CheckRecords() {
    for (const auto& [key, value] : acknowledged_) {
      ASSERT_EQ(Value(HolderOf(key).leader, key), value) << key;
    }
    ASSERT_EQ(Records("ts-1"), Records("ts-2"));
    ASSERT_EQ(Records("ts-1"), Records("ts-3"));
  }
  const Half& HolderOf(const std::string& wanted) {
    return std::ranges::find_if(
               tablets_,
               [&](const auto& item) { return KeyRange{item.second.start, item.second.end}.Contains(wanted); })
        ->second;
  }
  void Acknowledge(const std::string& key, const std::string& value) {
    if (Write(HolderOf(key).leader, {PutOf(key, value)}).header.code == idl::Code::OK) acknowledged_[key] = value;
  }
  void SplitAgain(int64_t id, int64_t child) {
    Half& parent = tablets_.at(id);
    const idl::SplitResult split = Split(parent.leader, parent.epoch, "m", child, id);
    ASSERT_EQ(split.status.code, idl::Code::OK) << split.status.message;
    tablets_[child] = {parent.leader, "m", "", parent.epoch};
    parent.end = "m";
  }

  const std::vector<std::string> kAll{"ts-1", "ts-2", "ts-3"};
  std::mt19937_64 random_;
  std::map<int64_t, Half> tablets_;
  std::map<std::string, std::string> acknowledged_;
};

INSTANTIATE_TEST_SUITE_P(SameAndOtherLineage, MergeCrashesTest, ::testing::Values(64, 1));

TEST_P(MergeCrashesTest, AnyOfThreeCrashesAtAnyMoment) {
  const char* given = std::getenv("EBLA_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  random_.seed(seed);
  LeadBoth(kAll);
  int64_t left = kLeft, right = right_, into = kInto;
  tablets_ = {{left, {"ts-1", "", "m"}}, {right, {"ts-1", "m", ""}}};
  size_t merges = 0, given_up = 0;
  for (int round = 0; round < 15; ++round) {
    SCOPED_TRACE("EBLA_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    for (const std::string& server : kAll)
      at(server).disk.SetLatency(Duration(0), std::chrono::milliseconds(random_() % 4));
    for (const char* key : {"a", "z"}) Acknowledge(key, std::to_string(round));
    const Duration patience = std::chrono::milliseconds(round % 4 == 3 ? round % 3 : 10 + random_() % 60);
    const std::optional<idl::Merged> merged = FreezeThem(left, right, into, patience);
    if (!merged) {  // given up: each enters a later epoch
      ++given_up;
      const std::vector<std::string> living = CrashOne();
      for (const int64_t id : {left, right}) ASSERT_NO_FATAL_FAILURE(Lead(id, living));
      for (const char* key : {"a", "z"}) Acknowledge(key, "thawed " + std::to_string(round));
      ASSERT_NO_FATAL_FAILURE(BringLevel());
      ASSERT_NO_FATAL_FAILURE(CheckRecords());
      continue;
    }
    ++merges;
    const std::string leader = tablets_.at(left).leader;
    tablets_ = {{into, {leader, "", "", merged->position.epoch}}};
    if (random_() % 2 == 0) {
      if (Configure(merged->position.epoch, {leader, kAll, {}, into, "", "", false, merged}) && Serves(leader, into)) {
        for (const char* key : {"a", "z"}) Acknowledge(key, "merged " + std::to_string(round));
      }
    }
    const std::vector<std::string> living = CrashOne();
    ASSERT_NO_FATAL_FAILURE(Lead(into, living, merged));
    for (const char* key : {"a", "z"}) Acknowledge(key, "led " + std::to_string(round));
    ASSERT_NO_FATAL_FAILURE(BringLevel(merged));
    ASSERT_NO_FATAL_FAILURE(CheckRecords());
    ASSERT_NO_FATAL_FAILURE(SplitAgain(into, into + 64));
    ASSERT_NO_FATAL_FAILURE(BringLevel());
    left = into;
    right = into + 64;
    into = right + 128 + static_cast<int64_t>(random_() % 3);
  }
  EXPECT_GT(merges, 3u);
  EXPECT_GT(given_up, 0u);
}

}  // namespace
}  // namespace ebla::tabletserver
