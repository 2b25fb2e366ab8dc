// A shape's nodes are read without those of sessions, and each case has a copy of its own.
#include "tests/chaos/damage/trees.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace ebla::chaos {

using ::testing::ElementsAre;
using ::testing::Field;

TEST(DamageTrees, ACaseHasACopyThatGoesWithIt) {
  const auto trees = Trees::Start();
  ASSERT_TRUE(trees.has_value()) << trees.error();
  ASSERT_TRUE((*trees)->Write("/shape", {{"", ""}, {"/live", ""}, {"/live/deep", "data"}}).ok());

  testing::ThreadExecutor executor;
  const auto server = coordination::ZooKeeperCoordinator::Open({.servers = (*trees)->AddressOf("/shape")}, executor);
  ASSERT_TRUE(server.has_value()) << server.error();
  const auto made = std::make_shared<std::promise<bool>>();
  (*server)->Multi({coordination::Op::Create("/live/ts-1", "", coordination::CreateMode::kEphemeral)},
                   [made](const auto& done) { made->set_value(done.has_value()); });
  ASSERT_TRUE(made->get_future().get());

  const auto tree = (*trees)->Read("/shape");
  ASSERT_TRUE(tree.has_value()) << tree.error();
  EXPECT_THAT(*tree, ElementsAre(Field(&TreeNode::path, ""), Field(&TreeNode::path, "/live"),
                                 Field(&TreeNode::path, "/live/deep")));
  ASSERT_TRUE((*trees)->Write("/case-1", *tree).ok());
  (*trees)->Remove("/shape");
  EXPECT_FALSE((*trees)->Read("/shape").has_value()) << "the session's node is in the way";
  const auto copy = (*trees)->Read("/case-1");
  ASSERT_TRUE(copy.has_value()) << copy.error();
  EXPECT_EQ(copy->back().data, "data");
}

}  // namespace ebla::chaos
