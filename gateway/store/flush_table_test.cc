#include "gateway/store/flush_table.h"

#include <gtest/gtest.h>

#include "gateway/testing/memory_store.h"

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

TEST(FlushTable, LeavesWhatIsWrittenMeanwhile) {
  MemoryStore store;
  for (int i = 0; i < 1000; ++i) store.Write("key" + std::to_string(i), "old");
  store.SetFault([&](const std::string& operation, const std::string& key) {
    if (operation == "delete" && key == "key500") store.Write("key500", "new");
    return Status();
  });
  std::optional<Status> outcome;
  FlushTable(store, milliseconds(1000), [&](Status status) { outcome = std::move(status); });
  EXPECT_EQ(outcome, Status());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(store.Read("key" + std::to_string(i)).has_value(), i == 500) << i;
}

TEST(FlushTable, TellsOfAFault) {
  MemoryStore store;
  for (int i = 0; i < 1000; ++i) store.Write("key" + std::to_string(i), "old");
  store.SetFault([&](const std::string& operation, const std::string& key) {
    return operation == "delete" && key == "key777" ? Status(Code::kUnavailable, "away") : Status();
  });
  std::optional<Status> outcome;
  FlushTable(store, milliseconds(1000), [&](Status status) { outcome = std::move(status); });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->code(), Code::kUnavailable);
  EXPECT_TRUE(store.Read("key777").has_value());
}

}  // namespace
}  // namespace ebla::gateway
