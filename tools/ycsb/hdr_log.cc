#include "tools/ycsb/hdr_log.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <bit>
#include <cstdio>
#include <ctime>
#include <vector>

#include "common/base/system_error.h"

namespace ebla::ycsb {
namespace {

constexpr uint32_t kCookie = 0x1c849313, kCompressedCookie = 0x1c849314;
constexpr uint32_t kSignificantDigits = 3;

template <class T>
void PutBigEndian(T number, std::string& to) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8)
    to.push_back(static_cast<char>(static_cast<uint64_t>(number) >> shift));
}

// ZigZag, then LEB128, of at most nine bytes.
void PutCount(int64_t count, std::string& to) {
  uint64_t left = (static_cast<uint64_t>(count) << 1) ^ static_cast<uint64_t>(count >> 63);
  for (int byte = 0; byte < 8 && left >= 0x80; ++byte, left >>= 7) to.push_back(static_cast<char>(left | 0x80));
  to.push_back(static_cast<char>(left));
}

// Counts in the order of the values, where a negative number stands for so many buckets without any.
std::string Counts(const std::vector<uint64_t>& buckets) {
  std::string counts;
  int64_t zeros = 0;
  for (const uint64_t count : buckets) {
    if (count == 0) {
      ++zeros;
      continue;
    }
    if (zeros > 0) PutCount(zeros == 1 ? 0 : -zeros, counts);
    zeros = 0;
    PutCount(static_cast<int64_t>(count), counts);
  }
  return counts;
}

std::string Deflated(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string deflated(size, '\0');
  compress2(reinterpret_cast<Bytef*>(deflated.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
            bytes.size(), Z_DEFAULT_COMPRESSION);
  deflated.resize(size);
  return deflated;
}

std::string Base64(const std::string& bytes) {
  std::string text(4 * (bytes.size() / 3 + 1) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string Seconds(double seconds) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.3f", seconds);
  return text;
}

double Between(SteadyTime from, SteadyTime to) { return std::chrono::duration<double>(to - from).count(); }

std::string Head(const std::string& metric) {
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(now);
  std::tm local{};
  localtime_r(&seconds, &local);
  char date[64];
  std::strftime(date, sizeof(date), "%a %b %d %H:%M:%S %Z %Y", &local);
  return "#[Logging for: " + metric + "]\n#[Histogram log format version 1.3]\n#[StartTime: " + Seconds(now) +
         " (seconds since epoch), " + date +
         "]\n\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
}

}  // namespace

std::string EncodeHistogram(const load::Histogram& histogram) {
  const std::string counts = Counts(histogram.buckets());
  std::string encoded;
  PutBigEndian(kCookie, encoded);
  PutBigEndian(static_cast<uint32_t>(counts.size()), encoded);
  PutBigEndian(uint32_t{0}, encoded);  // the offset of the first bucket
  PutBigEndian(kSignificantDigits, encoded);
  PutBigEndian(uint64_t{1}, encoded);  // the least value that differs from the next
  PutBigEndian(load::Histogram::kValueMax, encoded);
  PutBigEndian(std::bit_cast<uint64_t>(1.0), encoded);  // of values with a fraction: none
  const std::string deflated = Deflated(encoded + counts);
  std::string compressed;
  PutBigEndian(kCompressedCookie, compressed);
  PutBigEndian(static_cast<uint32_t>(deflated.size()), compressed);
  return Base64(compressed + deflated);
}

Result<std::ofstream*> HdrLog::FileOf(const std::string& metric) {
  std::ofstream& file = files_[metric];
  if (file.is_open()) return &file;
  const std::string path = prefix_ + metric + ".hdr";
  file.open(path, std::ios::trunc);
  if (!file) return SystemError(Code::kInternal, "hdrhistogram.output.path: cannot write " + path);
  file << Head(metric);
  return &file;
}

Status HdrLog::Write(const Samples& interval, SteadyTime now) {
  for (const auto& [metric, histogram] : HistogramsOf(interval)) {
    EBLA_ASSIGN(std::ofstream* const file, FileOf(metric));
    *file << Seconds(Between(start_, reported_)) << "," << Seconds(Between(reported_, now)) << ","
          << Seconds(static_cast<double>(histogram->Max()) / 1e6) << "," << EncodeHistogram(*histogram) << std::endl;
    if (!*file) return Error(Code::kInternal, prefix_ + metric + ".hdr cannot be written: is its disk full?");
  }
  reported_ = now;
  return {};
}

}  // namespace ebla::ycsb
