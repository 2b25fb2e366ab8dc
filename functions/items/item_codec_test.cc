#include "functions/items/item_codec.h"

#include <gtest/gtest.h>

#include "common/base/key_range.h"

namespace ebla {
namespace {

using namespace std::string_literals;

TEST(ItemCodec, APlainValueIsTheRecordItself) {
  for (const std::string& value : {""s, "hello"s, "42"s, "\xff\x00"s, std::string(1'000'000, 'x')}) {
    EXPECT_EQ(EncodeItem({.value = value}), value);
    EXPECT_EQ(DecodeItem(value), Item{.value = value});
  }
}

TEST(ItemCodec, WhateverIsToBeRememberedComesBack) {
  const Item items[] = {{.value = "hello", .flags = 1},
                        {.value = "\0binary"s},
                        {.value = "\0"s},
                        {.value = "", .flags = 0xffffffff},
                        {.value = "v", .stale = true},
                        {.value = "v", .won = true},
                        {.value = "\0\x01v"s, .flags = 7, .stale = true, .won = true}};
  for (const Item& item : items) {
    const std::string record = EncodeItem(item);
    EXPECT_EQ(record.substr(0, 2), "\0\x01"s);
    EXPECT_LE(record.size(), item.value.size() + kItemFrameBytesMax);
    EXPECT_EQ(DecodeItem(record), item);
  }
}

TEST(ItemCodec, TheFrameIsAsTheHeaderSays) {
  EXPECT_EQ(EncodeItem({.value = "v", .flags = 0x01020304}), "\0\x01\x01\x02\x03\x04\0v"s);
  EXPECT_EQ(EncodeItem({.value = "v", .stale = true, .won = true}), "\0\x01\0\0\0\0\x03v"s);
}

TEST(ItemCodec, WhatEarlierBuildsWroteBehindTheStateIsPassedOver) {
  EXPECT_EQ(DecodeItem("\0\x01\0\0\0\x09\x05\0\0\0\0\0\0\x01\x02v"s), (Item{.value = "v", .flags = 9, .stale = true}));
}

TEST(ItemCodec, ARecordOfAnotherKindIsAnError) {
  for (const std::string& record : {"\0"s, "\0\x02"s, "\0\xffvalue"s, "\0\x01"s, "\0\x01\0\0\0\0"s,
                                    "\0\x01\0\0\0\0\x08v"s, "\0\x01\0\0\0\0\x04\0\0\0\0\0\0\0"s}) {
    const Result<Item> item = DecodeItem(record);
    ASSERT_FALSE(item.has_value()) << EscapeBytes(record);
    EXPECT_EQ(item.error().code(), Code::kInternal);
  }
}

TEST(ItemCodec, EveryCutOfAFrameIsRefusedOrIsAShorterValue) {
  const std::string record = "\0\x01\0\0\0\x09\x04\0\0\0\0\0\0\0\x05value"s;
  for (size_t size = 1; size < record.size(); ++size) {
    const Result<Item> item = DecodeItem(record.substr(0, size));
    EXPECT_EQ(item.has_value(), size >= 15) << size;
  }
}

TEST(CasNumber, IsTheVersionAndBack) {
  for (const Version version : {Version{Epoch{1}, Lsn{1}}, Version{Epoch{7}, Lsn{123'456'789}},
                                Version{Epoch{(1u << 24) - 1}, Lsn{(uint64_t{1} << 40) - 1}}}) {
    const std::optional<uint64_t> cas = CasOf(version);
    ASSERT_TRUE(cas.has_value());
    EXPECT_EQ(VersionOf(*cas), version);
  }
  for (const uint64_t cas : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40})
    EXPECT_EQ(VersionOf(cas), std::nullopt) << cas;
  EXPECT_LT(*CasOf({Epoch{1}, Lsn{1000}}), *CasOf({Epoch{2}, Lsn{1}}));
  EXPECT_EQ(CasOf({Epoch{1u << 24}, Lsn{1}}), std::nullopt);
  EXPECT_EQ(CasOf({Epoch{1}, Lsn{uint64_t{1} << 40}}), std::nullopt);
}

}  // namespace
}  // namespace ebla
