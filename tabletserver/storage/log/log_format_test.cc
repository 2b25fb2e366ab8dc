// Bytes that are not whole, or not of this place, do not pass.
#include "tabletserver/storage/log/log_format.h"

#include <gtest/gtest.h>

#include "tabletserver/storage/log/log_scan.h"
#include "tabletserver/storage/log/log_tail.h"

namespace ebla::tabletserver {
namespace {

constexpr uint64_t kSegment = 7;

// A segment of one frame, with records of these bodies.
std::string SegmentOf(const std::vector<std::string>& bodies, uint64_t sequence = 1, uint64_t synced = 0) {
  LogTail tail;
  tail.Begin(kSegment, kLogBlock, sequence, 1'000);
  for (const std::string& body : bodies) body.copy(tail.Add(LogRecordKind::kErase, std::ssize(body)).body, body.size());
  tail.Close();
  Seal(tail.last(), synced);
  std::string segment = EncodeSegmentHeader({.log = 3, .number = kSegment, .first_sequence = 1});
  segment.append(tail.last().begin, static_cast<size_t>(tail.last().bytes));
  return segment;
}

TEST(LogFormatTest, ASegmentHeaderReadsBack) {
  std::string block = EncodeSegmentHeader({.log = 3, .number = kSegment, .first_sequence = 99});
  EXPECT_EQ(block.size(), size_t{kLogBlock});
  const auto header = DecodeSegmentHeader(block);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->log, 3u);
  EXPECT_EQ(header->number, kSegment);
  EXPECT_EQ(header->first_sequence, 99u);
  block[30] ^= 1;
  EXPECT_FALSE(DecodeSegmentHeader(block));
  EXPECT_FALSE(DecodeSegmentHeader(std::string(kLogBlock, '\0')));
}

TEST(LogFormatTest, AFrameReadsBackAndNoFlippedBitPasses) {
  const std::string segment = SegmentOf({"a", "", "long enough to count"});
  const auto frame = DecodeLogFrame(segment, kSegment, kLogBlock);
  ASSERT_TRUE(frame);
  ASSERT_EQ(frame->records.size(), 3u);
  EXPECT_EQ(frame->records[2].body, "long enough to count");
  EXPECT_EQ(frame->end % 8, 0);
  for (int64_t at = kLogBlock; at < frame->records[2].offset + frame->records[2].bytes; ++at) {
    std::string flipped = segment;
    flipped[static_cast<size_t>(at)] ^= 4;
    EXPECT_FALSE(DecodeLogFrame(flipped, kSegment, kLogBlock)) << "byte " << at;
  }
  for (size_t size = kLogBlock; size < static_cast<size_t>(frame->records[2].offset); ++size)
    EXPECT_FALSE(DecodeLogFrame(segment.substr(0, size), kSegment, kLogBlock)) << size << " bytes";
  EXPECT_FALSE(DecodeLogFrame(std::string(2 * kLogBlock, '\0'), kSegment, kLogBlock));
}

TEST(LogFormatTest, ARecordOfAnotherPlaceOrLifeIsNone) {
  const std::string segment = SegmentOf({"body"});
  const int64_t offset = kLogBlock + kFrameHeader;
  const std::string_view record = std::string_view(segment).substr(static_cast<size_t>(offset));
  EXPECT_TRUE(DecodeLogRecord(record, kSegment, offset));
  EXPECT_FALSE(DecodeLogRecord(record, kSegment + 1, offset));
  EXPECT_FALSE(DecodeLogRecord(record, kSegment, offset + 8));
}

TEST(LogFormatTest, TheEndOfALogIsNoDamageAndWhatWasSyncedIs) {
  const auto scan = [](const std::string& segment, std::optional<uint64_t> next) {
    return ScanSegment(segment, "here", {.log = 3, .number = kSegment, .first_sequence = 1}, next,
                       [](const LogRecord&, const LogPlace&) { return Status(); });
  };
  std::string segment = SegmentOf({"one"});
  EXPECT_EQ(scan(segment, std::nullopt)->next_sequence, 2u);
  EXPECT_EQ(scan(segment, 2)->next_sequence, 2u);
  EXPECT_EQ(scan(segment, 3).error().code(), Code::kInternal) << "the next segment begins with a later frame";
  // A second frame at the next block, which was closed when the first was on the disk.
  segment.resize(2 * kLogBlock);
  segment += SegmentOf({"two"}, 2, 1).substr(kLogBlock);
  segment[kLogBlock + 50] ^= 1;
  EXPECT_TRUE(WasSynced(segment, kSegment, 1));
  EXPECT_FALSE(WasSynced(segment, kSegment, 2));
  const auto damaged = scan(segment, std::nullopt);
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().message().find("here is damaged at byte 4096: frame 1 is not whole"), std::string::npos)
      << damaged.error();
}

}  // namespace
}  // namespace ebla::tabletserver
