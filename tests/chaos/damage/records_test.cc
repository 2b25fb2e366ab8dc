// Each answer is right, older than acknowledged, missing or refused.
#include "tests/chaos/damage/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kKey = 7;

class DamageRecordsTest : public ::testing::Test {
 protected:
  static Result<Record> Value(int generation, size_t table = 0) {
    return Record{.value = DamageRecords::ValueOf(table, kKey, generation), .version = {}, .expires = {}};
  }
  Reading Judged(const Result<Record>& answer) const {
    Reading reading;
    records_.Judge(0, kKey, answer, reading);
    return reading;
  }
  void Write(int times) {
    for (int i = 0; i < times; ++i) records_.Note(0, kKey, Status::Ok());
  }

  DamageRecords records_;
};

TEST_F(DamageRecordsTest, OnlyTheLastAcknowledgedValueIsRight) {
  Write(3);
  EXPECT_EQ(Judged(Value(3)).right, 1);
  EXPECT_TRUE(Judged(Value(3)).whole());
  EXPECT_THAT(Judged(Value(2)).wrong, ElementsAre(HasSubstr("generation 3 was acknowledged")));
  EXPECT_TRUE(Judged(Value(4)).false_answer()) << "never written";
  EXPECT_TRUE(Judged(Value(3, 1)).false_answer()) << "of the second table";
}

TEST_F(DamageRecordsTest, AWriteOfUnknownOutcomeMayBeThereAndOneThatWasNotExecutedMayNot) {
  Write(1);
  records_.Note(0, kKey, Status(Code::kUnavailable, "not executed"));
  EXPECT_TRUE(Judged(Value(2)).false_answer());
  records_.Note(0, kKey, Status(Code::kUnknownOutcome, "?"));
  EXPECT_EQ(Judged(Value(1)).right, 1);
  EXPECT_EQ(Judged(Value(2)).right, 1);
  Write(1);
  EXPECT_TRUE(Judged(Value(2)).false_answer());
  EXPECT_EQ(Judged(Value(3)).right, 1);
}

TEST_F(DamageRecordsTest, AnAcknowledgedRecordThatIsNotThereIsMissing) {
  const Result<Record> none = std::unexpected(Status(Code::kNotFound, "no such key"));
  EXPECT_EQ(Judged(none).right, 1) << "never written";
  Write(1);
  EXPECT_THAT(Judged(none).missing, ElementsAre(HasSubstr("no such key")));
  EXPECT_TRUE(Judged(std::unexpected(Status(Code::kNoSuchTable, "no table"))).false_answer());
}

TEST_F(DamageRecordsTest, OtherErrorsAreRefusals) {
  Write(1);
  const Reading reading = Judged(std::unexpected(Status(Code::kUnavailable, "tablet 7 waits for ts-2")));
  EXPECT_FALSE(reading.whole());
  EXPECT_FALSE(reading.false_answer());
  EXPECT_THAT(reading.refused, ElementsAre(HasSubstr("waits for ts-2")));
  EXPECT_THAT(reading.missing, IsEmpty());
}

}  // namespace
}  // namespace ebla::chaos
