#include "functions/redis/keys/dump_format.h"

#include <gtest/gtest.h>

#include <random>

#include "functions/redis/command/update.h"

namespace ebla::redis {
namespace {

using namespace std::string_literals;
using Decoded = std::variant<std::string, DumpFault>;

// With a checksum that is right.
std::string Sealed(std::string body, char version = 10) {
  body += {version, '\0'};
  const uint64_t checksum = DumpChecksum(body);
  for (int byte = 0; byte < 8; ++byte) body += static_cast<char>(checksum >> (8 * byte));
  return body;
}

std::string BodyOf(const std::string& dump) { return dump.substr(0, dump.size() - 10); }

TEST(DumpFormat, ChecksumIsJones) { EXPECT_EQ(DumpChecksum("123456789"), 0xe9c6d914c4b8d9ca); }

TEST(DumpFormat, AStringComesBackAsItWas) {
  std::mt19937_64 random(7);
  std::vector<std::string> values = {"",           "0",
                                     "-1",         "127",
                                     "128",        "-32768",
                                     "65535",      "2147483647",
                                     "2147483648", "-9223372036854775808",
                                     "007",        "+1",
                                     "1.5",        std::string(kStringBytesMax, 'x')};
  for (const size_t size : {63U, 64U, 16'383U, 16'384U, 70'000U}) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    values.push_back(noise);
    for (char& c : noise) c = static_cast<char>('a' + random() % 2);
    values.push_back(noise);
  }
  for (const std::string& value : values)
    EXPECT_EQ(DecodeDump(EncodeDump(value), kStringBytesMax), Decoded(value)) << value.substr(0, 30);
}

TEST(DumpFormat, StringsOfEarlierAndLaterRedisAreTheSame) {
  for (const char version : {1, 6, 9, 11, 12, 80})
    EXPECT_EQ(DecodeDump(Sealed("\0\x01x"s, version), 10), Decoded("x"s));
}

TEST(DumpFormat, ADamagedByteIsFound) {
  const std::string dump = EncodeDump(std::string(100, 'a') + "bcd");
  for (size_t at = 0; at < dump.size(); ++at) {
    std::string damaged = dump;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_EQ(DecodeDump(damaged, kStringBytesMax), Decoded(DumpFault::kDamaged)) << at;
    EXPECT_EQ(DecodeDump(dump.substr(0, at), kStringBytesMax), Decoded(DumpFault::kDamaged)) << at;
  }
}

TEST(DumpFormat, WhatIsSealedIsNotBelievedForThat) {
  const auto fault = [](std::string body) { return DecodeDump(Sealed(std::move(body)), 1'000); };
  EXPECT_EQ(fault(""), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\x01\x00"s), Decoded(DumpFault::kNotAString));
  EXPECT_EQ(fault("\0\x05hell"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\x05hello!"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\xc4"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\xc2\x01\x02"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\x82\0\0\0\x01x"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\x81\xff\xff\xff\xff\xff\xff\xff\xff"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\x80\0\0\x03\xe9"s + std::string(1'001, 'x')), Decoded(DumpFault::kTooLong));
  EXPECT_EQ(fault("\0\x80\0\0\0\x01x"s), Decoded("x"s));  // longer than it need be
  // Compressed: a length of eight bytes behind a few; and more, fewer and no bytes than the length tells.
  EXPECT_EQ(fault("\0\xc3\x06\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                  "aa\xe0\x0a\0"s),
            Decoded(DumpFault::kTooLong));
  EXPECT_EQ(fault("\0\xc3\x06\x15\x01"
                  "aa\xe0\x0a\0"s),
            Decoded(std::string(21, 'a')));
  EXPECT_EQ(fault("\0\xc3\x06\x14\x01"
                  "aa\xe0\x0a\0"s),
            Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\xc3\x06\x16\x01"
                  "aa\xe0\x0a\0"s),
            Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\xc3\0\0"s), Decoded(DumpFault::kMalformed));
  EXPECT_EQ(fault("\0\xc3\xc0\x06\x15\x01"
                  "aa\xe0\x0a\0"s),
            Decoded(DumpFault::kMalformed));
}

TEST(DumpFormat, NoBytesThatAreSealedHarm) {
  std::mt19937_64 random(11);
  const std::vector<std::string> dumps = {EncodeDump("7"), EncodeDump("hello"), EncodeDump(std::string(300, 'x')),
                                          EncodeDump("abcabcabcabcabcabcabcabc defdefdefdefdef")};
  size_t taken = 0;
  for (int run = 0; run < 50'000; ++run) {
    std::string body = BodyOf(dumps[random() % dumps.size()]);
    for (size_t changes = random() % 4; changes > 0; --changes)
      body[random() % body.size()] = static_cast<char>(random());
    if (random() % 8 == 0) body.resize(random() % (body.size() + 1));
    const Decoded decoded = DecodeDump(Sealed(body), 1'000);
    if (const auto* const value = std::get_if<std::string>(&decoded)) {
      ++taken;
      EXPECT_LE(value->size(), 1'000U);
    }
  }
  EXPECT_GT(taken, 10'000U);
}

}  // namespace
}  // namespace ebla::redis
