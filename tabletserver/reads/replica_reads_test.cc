// Reads of whole servers that share a tablet: which replica may answer what.
#include <gtest/gtest.h>

#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {
namespace {

using idl::ReadLevel;

class ReplicaReadsTest : public GroupFixture {
 protected:
  void SetUp() override {
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
  }
  void Lead() {
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
    ASSERT_TRUE(Until([&] { return View("ts-1")->barrier_applied; }));
    ASSERT_EQ(Write("ts-1", {PutOf("k", "v")}).header.code, idl::Code::OK);
    ASSERT_TRUE(Until([&] { return Get("ts-2", "k", ReadLevel::EVENTUAL).header.code == idl::Code::OK; }));
  }
};

TEST_F(ReplicaReadsTest, DefaultTakesTheAgeFromTheTable) {
  table_options_.__set_defaultReadLevel(ReadLevel::BOUNDED);
  table_options_.__set_defaultBoundedMs(5'000);
  Lead();
  ASSERT_TRUE(Until([&] { return Get("ts-2", "k", ReadLevel::DEFAULT).header.code == idl::Code::OK; }));
  Cut("ts-1", "ts-2");
  scheduler_.RunFor(4s);
  EXPECT_EQ(Get("ts-2", "k", ReadLevel::DEFAULT).header.code, idl::Code::OK) << "younger than the table asks";
  EXPECT_EQ(Get("ts-2", "k", ReadLevel::BOUNDED).header.code, idl::Code::NOT_PRIMARY)
      << "older than the second that it asks for";
  scheduler_.RunFor(2s);
  EXPECT_EQ(Get("ts-2", "k", ReadLevel::DEFAULT).header.code, idl::Code::NOT_PRIMARY);
  EXPECT_EQ(Get("ts-1", "k", ReadLevel::DEFAULT).header.code, idl::Code::OK)
      << "the primary has its lease from the others";
  Heal();
  EXPECT_TRUE(Until([&] { return Get("ts-2", "k", ReadLevel::BOUNDED).header.code == idl::Code::OK; }));
}

TEST_F(ReplicaReadsTest, WhatReadsLackInTheCacheIsTheirTablets) {
  Lead();
  const auto lacked = [this] {
    return at("ts-1").server->directory().snapshot()->All().front()->load.totals().cache_misses;
  };
  const auto read = [this] {
    for (int i = 0; i < 640; ++i) ASSERT_EQ(Get("ts-1", "k", ReadLevel::EVENTUAL).header.code, idl::Code::OK);
  };
  read();
  EXPECT_EQ(lacked(), 0u);
  at("ts-1").stored->records().LackPages(2);
  read();
  EXPECT_EQ(lacked(), 1'280u) << "two pages each, by one read in 64";
}

// PROTOCOL 15: for that and no more, however steadily others write.
TEST_F(ReplicaReadsTest, AStrongReadWaitsForThePrimaryWritesAcknowledgedWhenItCame) {
  Lead();
  for (const char* name : {"ts-2", "ts-3"}) at(name).disk.SetLatency(20ms, 20ms);
  int number = 0, acknowledged = 0;
  const std::function<void()> write = [&] {
    const auto time = static_cast<int64_t>(View("ts-1")->time.at.value);
    const auto put = PutOf("k", std::to_string(++number));
    at("ts-1").server->tablet_service()->write(
        [&acknowledged](const idl::WriteReply& reply) { acknowledged += reply.header.code == idl::Code::OK ? 1 : 0; },
        WriteOf(time, 9, number, {put}, idl::WriteLevel::PRIMARY));
    if (number < 1000) world_.After(2ms, write);
  };
  write();
  ASSERT_TRUE(Until([&] { return acknowledged == 50; }, 1s));
  const MonotonicTime begun = world_.Now();
  const idl::GetReply read = Get("ts-1", "k", ReadLevel::STRONG);
  ASSERT_EQ(read.header.code, idl::Code::OK) << read.header.message;
  EXPECT_GE(std::stoi(read.record.value), 50);
  EXPECT_LT(world_.Now() - begun, 100ms);
  EXPECT_LT(acknowledged, 1000) << "they went on meanwhile";
  scheduler_.RunFor(3s);
}

}  // namespace
}  // namespace ebla::tabletserver
