// A coordinator restored from an older state, which has forgotten splits and merges: what of them is adopted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>

#include "master/testing/adopt_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Later splits are adopted from a replica that has applied them; no ranges overlap, and parents are remembered as far
// as reported.
TEST_F(MasterAdoptTest, SplitsMadeSinceAreAdopted) {
  Begin({});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const int64_t parent = cluster().Tablets().begin()->first;
  const int64_t child = MustSplit("m");
  const int64_t grandchild = MustSplit("t");
  const int64_t second = MustSplit("f");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  EXPECT_THAT(SafeMode(), HasSubstr("which the catalog never assigned"));
  const auto shown = Adopt(false);
  EXPECT_THAT(shown.problems, IsEmpty());
  EXPECT_EQ(shown.tablets.size(), 4u);
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  WaitServing("carts");
  EXPECT_EQ(Ranges(), ranges);
  EXPECT_EQ(Node(second).parentId, parent);
  EXPECT_EQ(Node(grandchild).parentId, child);
  EXPECT_GT(Node(parent).info.epoch, 1) << "no replica of it is created empty any more";
  EXPECT_EQ(SafeMode(), "");
  MustSplit("h");
}

// A follower that has not applied the split yet has the old range: it is not the one that is right.
TEST_F(MasterAdoptTest, WhoHasNotAppliedASplitDoesNotSayTheRange) {
  Begin({});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  const int64_t child = MustSplit("m");
  const std::string ranges = Ranges();
  const std::string behind = before.voters[0] == before.primary ? before.voters[1] : before.voters[0];
  FakeServer& follower = ServerOf(behind);
  follower.mute = true;
  follower.mutable_replicas().erase(child);
  auto& replica = follower.mutable_replicas().at(before.tabletId);
  replica.range = before.range;
  replica.splits.clear();
  Restore(std::move(older));
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  follower.mute = false;
  WaitServing("carts");
  EXPECT_EQ(Ranges(), ranges);
}

// No reporting server has the child, so its range would have no tablet.
TEST_F(MasterAdoptTest, AChildThatNobodyReportsIsAProblem) {
  Begin({});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const int64_t child = MustSplit("m");
  for (auto& server : cluster().servers()) server->mutable_replicas().erase(child);
  Restore(std::move(older));
  const auto reply = Adopt(true);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  ASSERT_FALSE(reply.problems.empty());
  EXPECT_THAT(reply.problems[0], HasSubstr("no server that reports has the keys from \"m\" to the end"));
}

// The catalog had begun a split, which was completed since, and the tablet split again.
TEST_F(MasterAdoptTest, AnIntentThatWasOutrun) {
  Begin({});
  Create("carts", {});
  for (auto& server : cluster().servers()) server->refuse_split = idl::Code::COME_AGAIN;
  (void)Split("m", 300);
  const int64_t parent = cluster().Tablets().begin()->first;
  ASSERT_TRUE(Node(parent).__isset.split);
  const int64_t child = Node(parent).split.childId;
  auto older = cluster().coordination().TakeSnapshot();
  for (auto& server : cluster().servers()) server->refuse_split.reset();
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().size() == 2; }, 60s));
  WaitServing("carts");
  MustSplit("f");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  EXPECT_EQ(cluster().Tablets().size(), 1u) << "neither given up nor completed wrongly";
  EXPECT_TRUE(Node(parent).__isset.split);
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  WaitServing("carts");
  EXPECT_EQ(Ranges(), ranges);
  EXPECT_FALSE(Node(parent).__isset.split);
  EXPECT_TRUE(cluster().Tablets().contains(child));
}

// The catalog had begun a merge, which was given up. Since then one of the two was merged with its other neighbour.
TEST_F(MasterAdoptTest, AnIntentToMergeWithWhatIsGoneGoes) {
  Begin({});
  Create("carts");
  for (auto& server : cluster().servers()) server->hold_freezes = true;
  (void)Merge("m", 300);
  const int64_t right = std::prev(cluster().Tablets().end())->first;
  ASSERT_TRUE(Node(right).__isset.merge);
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_TRUE(cluster().RunUntil([&] { return !Node(right).__isset.merge; }, 60s));
  for (auto& server : cluster().servers()) server->hold_freezes = false;
  WaitServing("carts");
  cluster().scheduler().RunFor(2s);
  ASSERT_EQ(Merge("f").header.code, idl::Code::OK);
  WaitServing("carts");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  MustAdopt();
  EXPECT_EQ(Ranges(), ranges);
  EXPECT_TRUE(cluster().RunUntil([&] { return !Node(right).__isset.merge; }, 60s)) << "and nobody would end it";
  MustSplit("t");
}

// Merged since, and split elsewhere, so no single tablet has all the keys of either of the two.
TEST_F(MasterAdoptTest, WhatWasMergedAndSplitElsewhereSinceIsAdopted) {
  Begin({});
  Create("carts", {"m"});
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_EQ(Merge("m").header.code, idl::Code::OK);
  WaitServing("carts");
  cluster().scheduler().RunFor(2s);
  MustSplit("f");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  EXPECT_THAT(Adopt(false).problems, IsEmpty());
  MustAdopt();
  EXPECT_EQ(Ranges(), ranges);
}

// Only one server had merged the two when the catalog lost the merge. Copies of the two on other servers are dropped
// once these have replicas of the merged tablet.
class MasterAdoptMergedTest : public MasterAdoptTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Intents, MasterAdoptMergedTest, ::testing::Bool());
TEST_P(MasterAdoptMergedTest, WhatTheyWereMergedOfStaysUntilThereAreCopies) {
  Begin({});
  Create("carts", {"m"});
  const auto before = cluster().Tablets();
  const std::string primary = before.begin()->second.primary;
  for (auto& server : cluster().servers()) server->hold_local_merges = server->name() != primary;
  for (auto& server : cluster().servers()) server->hold_freezes = GetParam();
  if (GetParam()) (void)Merge("m", 300);
  ASSERT_EQ(Node(before.begin()->first).__isset.merge, GetParam());
  auto older = cluster().coordination().TakeSnapshot();
  for (auto& server : cluster().servers()) server->hold_freezes = false;
  (void)Merge("m", 3'000);
  ASSERT_EQ(cluster().Tablets().size(), 1u);
  const int64_t merged = cluster().Tablets().begin()->first;
  ASSERT_TRUE(ServerOf(primary).replicas().contains(merged));
  Restore(std::move(older));
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  // The intents are open, and the servers agree with them: the master completes the merge at all three.
  for (auto& server : cluster().servers()) server->hold_local_merges = server->hold_local_merges && !GetParam();
  bool kept = true;
  const auto copied = [&] {
    if (Node(merged).info.voters.size() == 3) return true;
    for (auto& server : cluster().servers()) {
      const auto& has = server->replicas();
      const bool whole = has.contains(merged) && !has.at(merged).incomplete;
      kept = kept && (whole || (has.contains(before.begin()->first) && has.contains(before.rbegin()->first)));
    }
    return false;
  };
  ASSERT_TRUE(cluster().RunUntil(copied, 60s)) << cluster().WhyNotServing("carts");
  EXPECT_TRUE(kept) << "one copy was left of all";
  WaitServing("carts");
}

// No server has any of it, and the catalog is from before it was split.
TEST_F(MasterAdoptTest, ATableInMemoryThatAllHaveForgottenBeginsEmpty) {
  Begin({});
  idl::TableOptions options;
  options.__set_memory(true);
  const auto made = cluster().Create("carts", {"f"}, options);
  ASSERT_EQ(made.header.code, idl::Code::OK) << made.header.message;
  cluster().scheduler().RunFor(3s);
  auto older = cluster().coordination().TakeSnapshot();
  MustSplit("m");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  RestartServers();
  const auto shown = Adopt(false);
  EXPECT_THAT(shown.problems, IsEmpty());
  EXPECT_THAT(shown.notes, ::testing::Contains(HasSubstr("begins empty")));
  MustAdopt();
  EXPECT_EQ(Ranges(), ranges);
}

}  // namespace
}  // namespace ebla::master::testing
