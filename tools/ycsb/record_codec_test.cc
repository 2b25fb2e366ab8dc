#include "tools/ycsb/record_codec.h"

#include <gtest/gtest.h>

namespace ebla::ycsb {
namespace {

TEST(RecordCodec, TheBytesAreThoseOfTheTable) {
  EXPECT_EQ(EncodeRecord({}), std::string("\x01"));
  EXPECT_EQ(EncodeRecord({{"ab", "c"}, {"", ""}}), std::string("\x01\x02"
                                                               "ab"
                                                               "\x01"
                                                               "c"
                                                               "\0\0",
                                                               8));
  const std::string value = EncodeRecord({{"f", std::string(300, 'x')}});
  EXPECT_EQ(value.substr(0, 5),
            "\x01\x01"
            "f"
            "\xac\x02");  // 300 = 0b10'0101100
  EXPECT_EQ(value.size(), 305u);
}

TEST(RecordCodec, WhatWasWrittenIsRead) {
  const Fields written = {
      {"field0", std::string("\0\xff\n", 3)}, {"field1", std::string(100'000, 'z')}, {"field2", ""}};
  Fields read;
  ASSERT_TRUE(DecodeRecord(EncodeRecord(written), {}, read).ok());
  EXPECT_EQ(read, written);
  ASSERT_TRUE(DecodeRecord(EncodeRecord(written), {"field2", "field9", "field0"}, read).ok());
  EXPECT_EQ(read, (Fields{written[0], written[2]}));
}

TEST(RecordCodec, EveryCutAndEveryForeignFormatIsRefused) {
  const std::string value = EncodeRecord({{"field0", std::string(200, 'x')}});
  Fields fields;
  EXPECT_EQ(DecodeRecord("", {}, fields).code(), Code::kInternal);
  EXPECT_EQ(DecodeRecord("\x02", {}, fields).code(), Code::kInternal);
  for (size_t size = 2; size < value.size(); ++size)
    EXPECT_FALSE(DecodeRecord(value.substr(0, size), {}, fields).ok()) << size;
  EXPECT_FALSE(DecodeRecord("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", {}, fields).ok());
}

TEST(RecordCodec, MergingReplacesAndAppends) {
  Fields record = {{"a", "1"}, {"b", "2"}};
  MergeFields({{"b", "two"}, {"c", "3"}}, record);
  EXPECT_EQ(record, (Fields{{"a", "1"}, {"b", "two"}, {"c", "3"}}));
}

}  // namespace
}  // namespace ebla::ycsb
