// PROTOCOL 13, 14 at every moment: a server that crashes while tablets are frozen, united, split again and united anew, with
// checkpoints in between or none, has what it acknowledged.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tabletserver/merge_fixture.h"

namespace ebla::tabletserver {
namespace {

using idl::Code;

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
    if (Write("ts-1", {PutOf(key, value)}).header.code == Code::OK) acknowledged_[key] = value;
  }
  void MaybeCheckpoint(std::mt19937_64& random) {
    if (random() % 3 != 0) return;
    at("ts-1").store->Checkpoint(*at("ts-1").executor, [](auto) {});
    scheduler_.RunFor(std::chrono::milliseconds(random() % 6));
  }
  void CrashNow(std::mt19937_64& random) {
    Crash("ts-1", random() % 2 == 0 ? MemoryDisk::CrashKind::kProcess : MemoryDisk::CrashKind::kMachine);
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
    const idl::FreezeResult a = Freeze("ts-1", epoch_, left->first, into_), b = Freeze("ts-1", epoch_, right->first, into_);
    EXPECT_EQ(a.status.code, Code::OK) << a.status.message;
    EXPECT_EQ(b.status.code, Code::OK) << b.status.message;
    return MergedOf(PartOf(left->first, left->second.start, left->second.end, a.freeze),
                    PartOf(right->first, right->second.start, right->second.end, b.freeze));
  }
  // Orders the merge, and looks only so long whether it is obeyed.
  bool Order(const idl::Merged& merged, Duration patience) {
    idl::ConfigureRequest request;
    request.header = Header();
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
        [obeyed](const idl::ConfigureReply& reply) { *obeyed = reply.results.at(0).status.code == Code::OK; }, request);
    Until([&] { return *obeyed; }, patience);
    return *obeyed;
  }
  void SplitAgain(const std::string& border) {
    idl::SplitRequest split;
    split.header = Header();
    split.tablets.resize(1);
    split.tablets[0].tabletId = into_;
    split.tablets[0].epoch = epoch_;
    split.tablets[0].key = border;
    split.tablets[0].childId = into_ + 64;
    const auto reply =
        Await<idl::SplitReply>([&](auto cob) { at("ts-1").server->control_service()->split(std::move(cob), split); });
    ASSERT_EQ(reply.results.at(0).status.code, Code::OK) << reply.results.at(0).status.message;
    tablets_ = {{into_, {"", border}}, {into_ + 64, {border, ""}}};
  }
  idl::ControlHeader Header() {
    idl::ControlHeader header;
    header.clusterId = kCluster;
    header.masterTerm = 1;
    header.toServer = "ts-1";
    header.toIncarnation = static_cast<int64_t>(at("ts-1").incarnation);
    return header;
  }

  int64_t epoch_ = 1;
  int64_t into_ = 0;
  std::map<int64_t, Known> tablets_;
  std::map<std::string, std::string> acknowledged_;
};

INSTANTIATE_TEST_SUITE_P(SameAndOtherFamily, ShardMergeCrashTest, ::testing::Values(64, 1));

TEST_P(ShardMergeCrashTest, ACrashAtAnyMoment) {
  const char* given = std::getenv("EBLA_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::mt19937_64 random(seed);
  LeadBoth({"ts-1"});
  tablets_ = {{kLeft, {"", "m"}}, {right_, {"m", ""}}};
  acknowledged_ = {{"a", "1"}, {"p", "1"}};
  into_ = kInto;
  uint64_t united_before_the_crash = 0;
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
      for (const char* key : {"a", "p"}) Put(key, "united " + std::to_string(round));
    }
    if (View("ts-1", into_) != nullptr) ++united_before_the_crash;
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
  EXPECT_GT(united_before_the_crash, 5u);
}

}  // namespace
}  // namespace ebla::tabletserver
