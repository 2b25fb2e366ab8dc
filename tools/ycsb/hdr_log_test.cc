#include "tools/ycsb/hdr_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <fstream>
#include <iterator>

#include "common/testing/temporary_directory.h"

namespace ebla::ycsb {
namespace {

using namespace std::chrono_literals;

// Decodes as HdrHistogram's readers do: the counts by bucket, without zeros.
std::map<size_t, int64_t> Decoded(const std::string& text) {
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  EXPECT_GT(size, 8);
  const auto number = [](const std::string& from, size_t at, size_t width) {
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i) value = value << 8 | static_cast<unsigned char>(from[at + i]);
    return value;
  };
  EXPECT_EQ(number(bytes, 0, 4), 0x1c849314u);
  std::string plain(1 << 20, '\0');
  uLongf length = plain.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(plain.data()), &length, reinterpret_cast<const Bytef*>(&bytes[8]),
                       number(bytes, 4, 4)),
            Z_OK);
  EXPECT_EQ(number(plain, 0, 4), 0x1c849313u);
  EXPECT_EQ(number(plain, 4, 4), length - 40) << "what comes after the head";
  EXPECT_EQ(number(plain, 12, 4), 3u) << "significant digits";
  std::map<size_t, int64_t> counts;
  size_t bucket = 0;
  for (size_t at = 40; at < length;) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(plain[at++]);
      value |= static_cast<uint64_t>(shift == 56 ? byte : byte & 0x7f) << shift;
      if (shift == 56 || byte < 0x80) break;
    }
    const auto count = static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
    if (count < 0) {
      bucket += static_cast<size_t>(-count);
      continue;
    }
    if (count > 0) counts[bucket] = count;
    ++bucket;
  }
  return counts;
}

TEST(HdrLogTest, AHistogramIsEncodedAsHdrHistogramDoes) {
  load::Histogram histogram;
  for (int i = 0; i < 300; ++i) histogram.Record(5);
  histogram.Record(7);
  histogram.Record(2047);
  histogram.Record(2048);  // from here on two values share a bucket
  histogram.Record(2049);
  EXPECT_EQ(Decoded(EncodeHistogram(histogram)), (std::map<size_t, int64_t>{{5, 300}, {7, 1}, {2047, 1}, {2048, 2}}));
}

TEST(HdrLogTest, EachMetricHasAFileWithALineForEachInterval) {
  const ebla::testing::TemporaryDirectory directory;
  const SteadyTime start{1h};
  HdrLog log(directory.path() + "/run-", start);
  Samples samples;
  samples.metrics[static_cast<size_t>(Metric::kRead)].succeeded.Record(1'500'000);
  ASSERT_TRUE(log.Write(samples, start + 2s).ok());
  ASSERT_TRUE(log.Write(Samples(), start + 4s).ok()) << "nothing was measured";
  samples.metrics[static_cast<size_t>(Metric::kUpdate)].failed.Record(20);
  ASSERT_TRUE(log.Write(samples, start + 4500ms).ok());
  std::ifstream file(directory.path() + "/run-READ.hdr");
  const std::string read{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(read, ::testing::StartsWith("#[Logging for: READ]\n#[Histogram log format version 1.3]\n#[StartTime: "));
  EXPECT_THAT(read, ::testing::HasSubstr("\n\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                                         "\"Interval_Compressed_Histogram\"\n0.000,2.000,1.500,HISTFAAA"));
  EXPECT_THAT(read, ::testing::HasSubstr("\n4.000,0.500,1.500,HISTFAAA"));
  EXPECT_TRUE(std::ifstream(directory.path() + "/run-UPDATE-FAILED.hdr").is_open());
  HdrLog nowhere(directory.path() + "/no/", start);
  EXPECT_THAT(nowhere.Write(samples, start + 1s).message(), ::testing::HasSubstr("cannot write " + directory.path()));
}

}  // namespace
}  // namespace ebla::ycsb
