#include "gateway/redis/wire/request_reader.h"

#include <gtest/gtest.h>

namespace ebla::gateway::redis {
namespace {

using Requests = std::vector<std::vector<std::string>>;

struct ReadOff {
  Requests requests;
  std::string failure;
  size_t too_long = 0;
};

// In pieces of so many bytes.
ReadOff ReadInPieces(const std::string& bytes, size_t piece, RequestReader reader = RequestReader()) {
  ReadOff all;
  for (size_t at = 0; at < bytes.size() && all.failure.empty(); at += piece) {
    std::string_view left = std::string_view(bytes).substr(at, piece);
    while (!left.empty()) {
      auto request = reader.Read(left);
      if (!request) {
        all.failure = request.error().message();
        break;
      }
      if (!*request) {
        EXPECT_TRUE(left.empty()) << "more is needed, and not all was taken";
        break;
      }
      all.too_long += (*request)->too_long ? 1 : 0;
      all.requests.push_back((*request)->words);
    }
  }
  return all;
}

TEST(RequestReaderTest, HoweverTheBytesComeTheRequestsAreTheSame) {
  const std::string bytes =
      "*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nb*\r\n  set \"a b\" 'c'  "
      "\r\n\r\n*0\r\n"
      "*-1\r\nget x\n";
  const Requests expected = {{"GET", "a"}, {"PING"},    {"SET", "", "a\r\nb*"}, {"set", "a b", "c"}, {}, {},
                             {},           {"get", "x"}};
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const ReadOff all = ReadInPieces(bytes, piece);
    EXPECT_EQ(all.requests, expected) << "in pieces of " << piece;
    EXPECT_EQ(all.failure, "");
  }
}

TEST(RequestReaderTest, NothingIsHeldOnceARequestIsWhole) {
  const std::string line = "get " + std::string(40'000, 'k') + "\n";
  RequestReader reader;
  for (std::string_view part : {std::string_view(line).substr(0, 30'000), std::string_view(line).substr(30'000)}) {
    const bool last = part.ends_with('\n');
    ASSERT_EQ(reader.Read(part)->has_value(), last);
    EXPECT_EQ(reader.held_bytes(), last ? 0 : 30'000);
  }
}

TEST(RequestReaderTest, WhatCannotBeARequestIsSaidInRedisWords) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"*x\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*1048577\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*1\r\nx\r\n", "ERR Protocol error: expected '$', got 'x'"},
      {"*1\r\n$x\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length"},
      {"get \"a\r\n", "ERR Protocol error: unbalanced quotes in request"},
      {"get \"a\"b\r\n", "ERR Protocol error: unbalanced quotes in request"},
      {std::string(70'000, 'x'), "ERR Protocol error: too big inline request"},
      {"*" + std::string(70'000, '1'), "ERR Protocol error: too big mbulk count string"},
      {"*1\r\n$" + std::string(70'000, '1'), "ERR Protocol error: too big bulk count string"}};
  for (const auto& [bytes, failure] : cases) {
    for (const size_t piece : {size_t{1}, size_t{7}, bytes.size()})
      EXPECT_EQ(ReadInPieces(bytes, piece).failure, failure) << bytes.substr(0, 40);
  }
}

TEST(RequestReaderTest, AStringThatIsTooLongIsNotKeptAndTheNextRequestIsRead) {
  const std::string bytes =
      "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000\r\n" + std::string(2'000'000, 'x') + "\r\n*1\r\n$4\r\nPING\r\n";
  const ReadOff all = ReadInPieces(bytes, 4'096);
  EXPECT_EQ(all.requests, (Requests{{"SET", "a", ""}, {"PING"}}));
  EXPECT_EQ(all.too_long, 1u);
}

TEST(RequestReaderTest, ARequestOfTooManyBytesIsRefusedBeforeTheyCome) {
  std::string bytes = "*100\r\n";
  for (int i = 0; i < 17; ++i)
    bytes += "$1048576\r\n" + std::string(i < 16 ? 1'048'576 : 0, 'x') + (i < 16 ? "\r\n" : "");
  EXPECT_EQ(ReadInPieces(bytes, 65'536).failure, "ERR Protocol error: too big mbulk request");
}

TEST(RequestReaderTest, WhoHasNotLoggedInMaySayLittle) {
  RequestReader reader;
  reader.set_strict(true);
  EXPECT_EQ(ReadInPieces("*11\r\n", 100, reader).failure, "ERR Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(ReadInPieces("*1\r\n$16385\r\n", 100, reader).failure, "ERR Protocol error: unauthenticated bulk length");
}

TEST(SplitLineTest, QuotesAndEscapesAreRedisOwn) {
  EXPECT_EQ(SplitLine(R"(a "b\x41\n\"" 'c\'d\n')"), (std::vector<std::string>{"a", "bA\n\"", "c'd\\n"}));
  EXPECT_EQ(SplitLine("  "), std::vector<std::string>());
  EXPECT_EQ(SplitLine(R"("")"), std::vector<std::string>{""});
  EXPECT_EQ(SplitLine(R"(a")"), std::nullopt);
  EXPECT_EQ(SplitLine(R"('a'b)"), std::nullopt);
  EXPECT_EQ(SplitLine(R"("a\)"), std::nullopt);
}

}  // namespace
}  // namespace ebla::gateway::redis
