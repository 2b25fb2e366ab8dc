// The contract of coordinator.h, point by point, over all three implementations.
#include <algorithm>

#include "common/coordination/conformance.h"

namespace ebla::coordination {
namespace {

class CoordinatorTest : public Conformance {};

TEST_P(CoordinatorTest, VersionsStartAtZeroAndGrowByOneWithEachSet) {
  Do(*a_, Op::Create("/carts", "one"));
  EXPECT_EQ(Get(*a_, "/carts")->version, 0);
  EXPECT_EQ(Multi(*a_, {Op::Set("/carts", "two", 0)})->items[0].version, 1);
  EXPECT_EQ(Multi(*a_, {Op::Set("/carts", "three", kAnyVersion)})->items[0].version, 2);
  const auto stale = Multi(*a_, {Op::Set("/carts", "four", 1)});
  ASSERT_FALSE(stale.has_value());
  EXPECT_EQ(stale.error().status.code(), Code::kConditionFailed);
  EXPECT_EQ(stale.error().failed_op, 0);
  const auto node = Get(*a_, "/carts");
  EXPECT_EQ(node->data, "three");
  EXPECT_FALSE(node->ephemeral);
  EXPECT_EQ(node->session, 0);
  Do(*a_, Op::Delete("/carts", 2));
  EXPECT_EQ(Get(*a_, "/carts").error().code(), Code::kNotFound);
  Do(*a_, Op::Create("/carts", std::string("\0\xff", 2)));
  EXPECT_EQ(Get(*a_, "/carts")->version, 0) << "a new life of the node";
  EXPECT_EQ(Get(*a_, "/carts")->data, std::string("\0\xff", 2));
}

TEST_P(CoordinatorTest, AMultiHappensWholeOrNotAtAll) {
  Do(*a_, Op::Create("/tables", "t"));
  const auto made = Multi(*a_, {Op::Check("/tables", 0), Op::Create("/tables/a", "1"), Op::Create("/tables/a/b", "2"),
                                Op::Set("/tables", "u", 0), Op::Check("/tables", 1), Op::Delete("/tables/a/b", 0)});
  ASSERT_TRUE(made.has_value()) << made.error().status;
  EXPECT_EQ(made->items.size(), 6u);
  EXPECT_EQ(made->items[1].path, "/tables/a");
  EXPECT_EQ(made->items[3].version, 1);
  EXPECT_EQ(*Children(*a_, "/tables/a"), std::vector<std::string>());

  const auto failed =
      Multi(*a_, {Op::Set("/tables", "v", 1), Op::Create("/tables/c", ""), Op::Create("/tables/a", "")});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().failed_op, 2);
  EXPECT_TRUE(failed.error().node_exists);
  EXPECT_EQ(failed.error().status.code(), Code::kConditionFailed);
  EXPECT_EQ(Get(*a_, "/tables")->version, 1);
  EXPECT_EQ(Get(*a_, "/tables")->data, "u");
  EXPECT_EQ(*Children(*a_, "/tables"), std::vector<std::string>{"a"});
}

TEST_P(CoordinatorTest, ErrorsNameTheOpAndWhatWasWrong) {
  Do(*a_, Op::Create("/p", ""));
  Do(*a_, Op::Create("/p/c", ""));
  const auto code = [&](std::vector<Op> ops) {
    const auto result = Multi(*a_, std::move(ops));
    return result.has_value() ? Code::kOk : result.error().status.code();
  };
  EXPECT_EQ(code({Op::Create("/none/c", "")}), Code::kNotFound);
  EXPECT_EQ(code({Op::Set("/none", "", kAnyVersion)}), Code::kNotFound);
  EXPECT_EQ(code({Op::Delete("/none", kAnyVersion)}), Code::kNotFound);
  EXPECT_EQ(code({Op::Check("/none", kAnyVersion)}), Code::kNotFound);
  EXPECT_EQ(code({Op::Check("/p", 5)}), Code::kConditionFailed);
  EXPECT_EQ(code({Op::Delete("/p", kAnyVersion)}), Code::kConditionFailed) << "a node with children stays";
  EXPECT_EQ(code({Op::Delete("/p/c", 1)}), Code::kConditionFailed);
  EXPECT_EQ(code({}), Code::kInvalidArgument);
  for (const char* path : {"", "p", "//", "/p/", "/p//c", "/p/../c", "/."}) {
    EXPECT_EQ(code({Op::Create(path, "")}), Code::kInvalidArgument) << path;
    EXPECT_EQ(Get(*a_, path).error().code(), Code::kInvalidArgument) << path;
  }
  EXPECT_EQ(code({Op::Create("/big", std::string(kMultiBytesMax, 'x'))}), Code::kInvalidArgument);
  EXPECT_EQ(code({Op::Create("/large", std::string(kMultiBytesMax - 1000, 'x'))}), Code::kOk);
  EXPECT_EQ(Get(*a_, "/large")->data.size(), kMultiBytesMax - 1000);
  EXPECT_EQ(Children(*a_, "/none").error().code(), Code::kNotFound);
}

TEST_P(CoordinatorTest, ResultsComeInTheOrderOfTheCallsAndReadsSeeEarlierWrites) {
  constexpr int kCalls = 300;
  std::vector<int> order;
  int seen = -1;
  Do(*a_, Op::Create("/n", "-1"));
  for (int i = 0; i < kCalls; ++i) {
    a_->Multi({Op::Set("/n", std::to_string(i), i)}, [&order, i](const std::expected<MultiResult, MultiError>& result) {
      EXPECT_TRUE(result.has_value());
      order.push_back(2 * i);
    });
    a_->Get("/n", [&order, &seen, i](Result<Node> node) {
      ASSERT_TRUE(node.has_value());
      seen = std::stoi(node->data);
      EXPECT_GE(seen, i);
      order.push_back(2 * i + 1);
    });
  }
  EXPECT_TRUE(order.empty()) << "never called inside the call";
  ASSERT_TRUE(RunUntil([&] { return order.size() == 2 * kCalls; }));
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(seen, kCalls - 1);
}

TEST_P(CoordinatorTest, SequentialNumbersGrowAndSortByName) {
  Do(*a_, Op::Create("/q", ""));
  std::vector<std::string> made;
  for (int i = 0; i < 12; ++i) {
    const auto mode = i % 2 == 0 ? CreateMode::kPersistentSequential : CreateMode::kEphemeralSequential;
    const auto result = Multi(i % 3 == 0 ? *a_ : *b_, {Op::Create("/q/n-", "", mode)});
    ASSERT_TRUE(result.has_value());
    made.push_back(result->items[0].path.substr(3));
    EXPECT_EQ(made.back().size(), std::string("n-0000000000").size());
  }
  EXPECT_TRUE(std::ranges::is_sorted(made));
  EXPECT_EQ(*Children(*a_, "/q"), made);
  const std::string last = "/q/" + made.back();
  Do(*b_, Op::Delete(last, kAnyVersion));
  const auto next = Multi(*a_, {Op::Create("/q/n-", "", CreateMode::kPersistentSequential)});
  EXPECT_GT(next->items[0].path, last) << "a number is not used twice";
}

TEST_P(CoordinatorTest, AnEphemeralNodeGoesWithItsSession) {
  AwaitConnected(*a_);
  Do(*a_, Op::Create("/live", "", CreateMode::kEphemeral));
  const auto node = Get(*b_, "/live");
  ASSERT_TRUE(node.has_value());
  EXPECT_TRUE(node->ephemeral);
  EXPECT_EQ(node->session, a_->session());
  EXPECT_NE(a_->session(), b_->session());
  const auto child = Multi(*a_, {Op::Create("/live/child", "")});
  EXPECT_EQ(child.error().status.code(), Code::kInvalidArgument);
  bool woken = false;
  EXPECT_EQ(Exists(*b_, "/live", [&] { woken = true; }), true);
  a_.reset();
  ASSERT_TRUE(RunUntil([&] { return woken; }));
  EXPECT_EQ(Exists(*b_, "/live"), false);
}

TEST_P(CoordinatorTest, AWatchFiresOnceAtTheNextChange) {
  Do(*a_, Op::Create("/w", ""));
  int data = 0;
  int there = 0;
  int absent = 0;
  int children = 0;
  int of_failed_read = 0;
  (void)Get(*b_, "/w", [&] { ++data; });
  EXPECT_EQ(Exists(*b_, "/w", [&] { ++there; }), true);
  EXPECT_EQ(Exists(*b_, "/w/c", [&] { ++absent; }), false);
  (void)Children(*b_, "/w", [&] { ++children; });
  EXPECT_EQ(Get(*b_, "/w/c", [&] { ++of_failed_read; }).error().code(), Code::kNotFound);
  Do(*a_, Op::Set("/w", "x", 0));
  ASSERT_TRUE(RunUntil([&] { return data == 1 && there == 1; }));
  EXPECT_EQ(absent + children, 0) << "a change of data is not one of children";
  Do(*a_, Op::Create("/w/c", ""));
  ASSERT_TRUE(RunUntil([&] { return absent == 1 && children == 1; }));
  Do(*a_, Op::Set("/w/c", "", 0));
  Do(*a_, Op::Set("/w", "y", 1));
  Do(*a_, Op::Delete("/w/c", kAnyVersion));
  (void)Get(*b_, "/w");
  EXPECT_EQ(data, 1);
  EXPECT_EQ(there, 1);
  EXPECT_EQ(absent, 1);
  EXPECT_EQ(children, 1);
  EXPECT_EQ(of_failed_read, 0);
  int deleted = 0;
  (void)Get(*b_, "/w", [&] { ++deleted; });
  (void)Children(*b_, "/w", [&] { ++deleted; });
  Do(*a_, Op::Delete("/w", kAnyVersion));
  EXPECT_TRUE(RunUntil([&] { return deleted == 2; }));
}

TEST_P(CoordinatorTest, ALargeTreeIsWrittenInMultisAndReadPipelined) {
  constexpr int kShards = 16;
  constexpr int kEach = 125;
  Do(*a_, Op::Create("/tablets", ""));
  int written = 0;
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string path = "/tablets/" + std::to_string(shard);
    std::vector<Op> ops = {Op::Create(path, "")};
    for (int i = 0; i < kEach; ++i) ops.push_back(Op::Create(path + "/" + std::to_string(i), std::string(1000, 'x')));
    a_->Multi(std::move(ops), [&](const auto& result) { written += result.has_value() ? 1 : 0; });
  }
  ASSERT_TRUE(RunUntil([&] { return written == kShards; }));
  int read = 0;
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string path = "/tablets/" + std::to_string(shard);
    b_->Children(path, [&, path](Result<std::vector<std::string>> names) {
      ASSERT_TRUE(names.has_value());
      EXPECT_EQ(names->size(), static_cast<size_t>(kEach));
      for (const std::string& name : *names) {
        b_->Get(path + "/" + name, [&](Result<Node> node) { read += node.has_value() && node->data.size() == 1000; });
      }
    });
  }
  EXPECT_TRUE(RunUntil([&] { return read == kShards * kEach; }));
}

TEST_P(CoordinatorTest, EnsurePathMakesWhatIsMissing) {
  const auto ensure = [&](const std::string& path) {
    return Wait<Status>([&](auto done) { EnsurePath(*a_, path, done); });
  };
  EXPECT_EQ(ensure("/x/y/z"), Status::Ok());
  EXPECT_EQ(ensure("/x/y/z"), Status::Ok());
  EXPECT_EQ(ensure("/x"), Status::Ok());
  EXPECT_EQ(Exists(*b_, "/x/y/z"), true);
  EXPECT_FALSE(ensure("/x//z").ok());
}

TEST_P(CoordinatorTest, AListenerHearsThePresentStateSoonAndNothingAfterForget) {
  std::vector<SessionState> heard;
  const uint64_t listener = a_->Listen([&](SessionState state) { heard.push_back(state); });
  EXPECT_TRUE(heard.empty());
  ASSERT_TRUE(RunUntil([&] { return !heard.empty() && heard.back() == SessionState::kConnected; }));
  a_->Forget(listener);
  bool forgotten = false;
  a_->Forget(a_->Listen([&](SessionState) { forgotten = true; }));
  (void)Exists(*a_, "/");
  EXPECT_FALSE(forgotten);
}

TEST_P(CoordinatorTest, NothingIsCalledAfterDestruction) {
  for (int i = 0; i < 20; ++i) {
    a_->Get("/", [](Result<Node>) { ADD_FAILURE() << "called after destruction"; });
    a_->Multi({Op::Check("/", kAnyVersion)}, [](const auto&) { ADD_FAILURE() << "called after destruction"; });
  }
  a_.reset();
  EXPECT_EQ(Exists(*b_, "/"), true);
}

TEST_P(CoordinatorTest, ASessionEndsWithItsNodesAndItsWatchesFire) {
  if (!harness_->has_faults()) GTEST_SKIP() << "its sessions end with the process only";
  Do(*a_, Op::Create("/mine", "", CreateMode::kEphemeral));
  Do(*b_, Op::Create("/data", ""));
  int woken = 0;
  (void)Get(*a_, "/data", [&] { ++woken; });
  EXPECT_EQ(Exists(*a_, "/nothing", [&] { ++woken; }), false);
  ExpireSession(*a_, *b_);
  EXPECT_TRUE(RunUntil([&] { return woken == 2; }));
  EXPECT_EQ(Exists(*a_, "/mine"), false);
  Do(*a_, Op::Create("/mine", "again", CreateMode::kEphemeral));
  EXPECT_EQ(Get(*b_, "/mine")->session, a_->session());
}

TEST_P(CoordinatorTest, AMultiOfOneSessionIsNotCarriedOutInTheNext) {
  if (!harness_->has_faults()) GTEST_SKIP() << "its sessions end with the process only";
  AwaitConnected(*a_);
  harness_->Cut(*a_);
  ASSERT_TRUE(RunUntil([&] { return a_->state() == SessionState::kConnecting; }));
  std::optional<Status> outcome;
  a_->Multi({Op::Create("/late", "", CreateMode::kEphemeral)}, [&](const std::expected<MultiResult, MultiError>& done) {
    outcome = done.has_value() ? Status::Ok() : done.error().status;
  });
  ASSERT_TRUE(RunUntil([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->code(), Code::kUnavailable) << "nobody could be asked: it waited in vain";
  harness_->Mend(*a_);
  AwaitConnected(*a_);
  EXPECT_EQ(Exists(*b_, "/late"), false);
}

TEST_P(CoordinatorTest, ABrokenConnectionLosesNoReadNoWatchAndNoOrder) {
  if (!harness_->has_faults()) GTEST_SKIP() << "it has no connection";
  Do(*a_, Op::Create("/r", "0"));
  bool woken = false;
  (void)Get(*a_, "/r", [&] { woken = true; });
  std::vector<int> order;
  int applied = 0;
  for (int i = 0; i < 50; ++i) {
    a_->Multi({Op::Create("/r/" + std::to_string(i), "")}, [&, i](const std::expected<MultiResult, MultiError>& done) {
      const Code code = done.has_value() ? Code::kOk : done.error().status.code();
      EXPECT_TRUE(code == Code::kOk || code == Code::kUnknownOutcome || code == Code::kUnavailable)
          << done.error().status;
      applied += done.has_value();
      order.push_back(2 * i);
    });
    a_->Get("/r", [&, i](Result<Node> node) {
      EXPECT_TRUE(node.has_value()) << node.error();
      order.push_back(2 * i + 1);
    });
    if (i == 25) harness_->Cut(*a_);
  }
  Do(*b_, Op::Set("/r", "1", 0));
  harness_->Mend(*a_);
  ASSERT_TRUE(RunUntil([&] { return order.size() == 100 && woken; }));
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_GE(Children(*b_, "/r")->size(), static_cast<size_t>(applied)) << "what was acknowledged is there";
}

EBLA_OVER_ALL_COORDINATORS(CoordinatorTest);

}  // namespace
}  // namespace ebla::coordination
