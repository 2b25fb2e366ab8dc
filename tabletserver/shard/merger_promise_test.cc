// A merge and a promise for the merged tablet meet on the shard that makes it (PROTOCOL 6, 13).
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/merge_fixture.h"

namespace ebla::tabletserver {
namespace {

class MergePromiseTest : public MergeFixture {
 protected:
  // Two frozen tablets of the range that begins with the name, and the order to merge them.
  idl::ConfigureTablet FreezeTwo(int64_t left, const std::string& name) {
    const int64_t right = left + 64, into = left + 128;
    const std::string start = name, middle = name + "m", end = name + "z";
    EXPECT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}, left, start, middle, true}));
    EXPECT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}, right, middle, end, true}));
    EXPECT_TRUE(Serves("ts-1", left) && Serves("ts-1", right));
    const auto freeze = [&](int64_t tablet) {
      const idl::LogPosition position = Freeze("ts-1", 1, tablet, into).freeze;
      EXPECT_TRUE(Until([&] { return bool(View("ts-1", tablet)->frozen_into); }, 5s));
      return position;
    };
    const idl::Merged merged =
        MergedOf(PartOf(left, start, middle, freeze(left)), PartOf(right, middle, end, freeze(right)));
    idl::ConfigureTablet order;
    order.tabletId = into;
    order.epoch = merged.position.epoch;
    order.range.startKey = start;
    order.range.endKey = end;
    order.primary = "ts-1";
    order.voters = {"ts-1"};
    order.schema.tableId = kTable;
    order.schema.name = "carts";
    order.schema.schemaVersion = 1;
    order.__set_merged(merged);
    return order;
  }
};

// The store takes the states of the merge and refuses its records, so that the merge waits while its state is on the
// disk. A promise that was due when the merge began is stored then. It must not take the place of that state: the two
// parts are tombstones by now, and a start would find none of the three.
TEST_F(MergePromiseTest, APromiseAtAnyMomentLeavesTheMergeOnTheDisk) {
  for (int steps = 0; steps < 40; ++steps) {
    SCOPED_TRACE("fenced after " + std::to_string(steps) + " steps");
    const int64_t left = kTablet + 256 * (steps + 1), into = left + 128;
    idl::ConfigureRequest request;
    request.tablets = {FreezeTwo(left, std::to_string(100 + steps))};
    request.header = ControlTo(at("ts-1"));
    at("ts-1").disk.RefuseToApply(true);
    at("ts-1").server->control_service()->configure([](const idl::ConfigureReply&) {}, request);
    for (int i = 0; i < steps; ++i) scheduler_.Step();
    const auto fence = OrderOf<idl::FenceRequest>(ControlTo(at("ts-1")), into, request.tablets[0].epoch);
    at("ts-1").server->control_service()->fence([](const idl::FenceReply&) {}, fence);
    scheduler_.RunFor(10ms);  // the merge tries again every 20 ms, and puts its state again
    Crash("ts-1");
    at("ts-1").disk.RefuseToApply(false);
    Start("ts-1");
    const bool parts = View("ts-1", left) != nullptr && View("ts-1", left + 64) != nullptr;
    ASSERT_TRUE(parts || View("ts-1", into) != nullptr) << Ranges("ts-1");
  }
}

// PROTOCOL 28: an order passes the check of its term, and waits behind the making of its table. A later master gives an
// order meanwhile, so the earlier order is refused.
TEST_F(MergePromiseTest, AnOrderThatWaitedIsRefusedOnceALaterMasterIsKnown) {
  idl::ConfigureRequest request;
  request.tablets = {FreezeTwo(kTablet + 256, "200")};
  request.header = ControlTo(at("ts-1"));
  std::optional<idl::ConfigureReply> reply;
  at("ts-1").server->control_service()->configure([&](const idl::ConfigureReply& its) { reply = its; }, request);
  auto fence = OrderOf<idl::FenceRequest>(ControlTo(at("ts-1")), kTablet + 64 * 1'000, 1);
  ++fence.header.masterTerm;
  at("ts-1").server->control_service()->fence([](const idl::FenceReply&) {}, fence);
  ASSERT_TRUE(Until([&] { return reply.has_value(); }, 5s));
  ASSERT_EQ(reply->results.size(), 1u);
  EXPECT_EQ(reply->results[0].status.code, idl::Code::STALE_EPOCH) << reply->results[0].status.message;
  EXPECT_EQ(View("ts-1", request.tablets[0].tabletId), nullptr);
}

}  // namespace
}  // namespace ebla::tabletserver
