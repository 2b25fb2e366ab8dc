// tabletserver/storage/records/row_sample.h
// A few rows of a walk over all of a range, spread evenly over its bytes, however long the walk becomes.
// Place:   the stores' EstimateSizes(); reads/middle_key.h finds the middle of a tablet's data with it.
// Threads: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ebla::tabletserver {

// A key, and the bytes that it represents. A long key is cut to the length that a split key can use.
using SampledRow = std::pair<std::string, int64_t>;
inline constexpr size_t kSampledKeyBytesMax = 257;

class RowSample {
 public:
  // In order of keys.
  void Add(std::string_view key, int64_t bytes) {
    bytes_ += bytes;
    if (++passed_ < stride_) return;
    rows_.emplace_back(key.substr(0, kSampledKeyBytesMax), std::exchange(bytes_, 0));
    passed_ = 0;
    if (rows_.size() == kRowsMax) Thin();
  }
  std::vector<SampledRow> Take() { return std::move(rows_); }

 private:
  static constexpr size_t kRowsMax = 128;

  // Adds the bytes of every second row to the next row, and removes it.
  void Thin() {
    for (size_t i = 0; i < kRowsMax / 2; ++i) {
      rows_[2 * i + 1].second += rows_[2 * i].second;
      rows_[i] = std::move(rows_[2 * i + 1]);
    }
    rows_.resize(kRowsMax / 2);
    stride_ *= 2;
  }

  std::vector<SampledRow> rows_;
  size_t stride_ = 1;
  size_t passed_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace ebla::tabletserver
