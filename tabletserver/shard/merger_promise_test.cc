// A merge and a promise for the merged tablet meet on the shard that makes it (PROTOCOL 6, 13).
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/merge_fixture.h"

namespace ebla::tabletserver {
namespace {

class MergePromiseTest : public MergeFixture {
 protected:
  // Merges two tablets that meet at <name>m. The master fences the merged tablet so many steps of the server after its
  // order to make it. The answer's result; none: the server has answered before the fence.
  std::optional<idl::ConfigureResult> MergeAndFence(int64_t left, const std::string& name, int steps) {
    const int64_t right = left + 64, into = left + 128;
    const std::string start = name, middle = name + "m", end = name + "z";
    voters_ = {"ts-1"};
    EXPECT_TRUE(Configure(1, {"ts-1", voters_, {}, left, start, middle, true}));
    EXPECT_TRUE(Configure(1, {"ts-1", voters_, {}, right, middle, end, true}));
    EXPECT_TRUE(Serves("ts-1", left) && Serves("ts-1", right));
    const idl::Merged merged = MergedOf(PartOf(left, start, middle, Freeze("ts-1", 1, left, into).freeze),
                                        PartOf(right, middle, end, Freeze("ts-1", 1, right, into).freeze));
    idl::ConfigureRequest request;
    request.header = ControlTo(at("ts-1"));
    idl::ConfigureTablet& order = request.tablets.emplace_back();
    order.tabletId = into;
    order.epoch = merged.position.epoch;
    order.range.startKey = start;
    order.range.endKey = end;
    order.primary = "ts-1";
    order.voters = voters_;
    order.schema.tableId = kTable;
    order.schema.name = "t";
    order.schema.schemaVersion = 1;
    order.__set_merged(merged);
    std::optional<idl::ConfigureResult> made;
    at("ts-1").server->control_service()->configure(
        [&made](const idl::ConfigureReply& reply) { made = reply.results.at(0); }, request);
    for (int i = 0; i < steps && !made; ++i) scheduler_.Step();
    if (made) return std::nullopt;
    const auto fence = OrderOf<idl::FenceRequest>(ControlTo(at("ts-1")), into, merged.position.epoch);
    at("ts-1").server->control_service()->fence([](const idl::FenceReply&) {}, fence);
    EXPECT_TRUE(Until([&] { return made.has_value(); }, 5s));
    return made;
  }
};

// The promise is in the tablet's output until its round stores it. A merge that does not wait for that round has its
// state overwritten, and a start finds no tablet.
TEST_F(MergePromiseTest, APromiseAtAnyMomentLeavesTheMergedTablet) {
  std::map<int64_t, std::string> merged;
  for (int steps = 0;; ++steps) {
    SCOPED_TRACE("fenced after " + std::to_string(steps) + " steps");
    ASSERT_LT(steps, 200);
    const int64_t left = kTablet + 256 * (steps + 1);
    const std::string name = std::to_string(100 + steps);
    const auto made = MergeAndFence(left, name, steps);
    merged[left + 128] = name;
    if (!made) break;  // the merge was done before
    ASSERT_EQ(made->status.code, idl::Code::OK) << made->status.message;
  }
  ASSERT_GT(merged.size(), 3u);
  scheduler_.RunFor(1s);
  Crash("ts-1");
  Start("ts-1");
  for (const auto& [tablet, name] : merged) EXPECT_NE(View("ts-1", tablet), nullptr) << name;
}

}  // namespace
}  // namespace ebla::tabletserver
