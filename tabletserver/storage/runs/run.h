// tabletserver/storage/runs/run.h
// The description of a run: rows of a table in the order of their keys, written once and never changed. Ranges of keys
// whose rows no longer count are its holes. Fences say how its bytes are spread over its keys.
// Place:      run_filter.h says whether a run may have a key, merge_plan.h which runs are merged.
// Bytes:      a Run without its number, in order (varint, bytes: common/base/encoding.h)
//               1 format (1); varint order, bytes, records, deletes; bytes first key, last key; varint count of fences,
//               each bytes key, varint bytes; varint count of holes, each bytes start, end
// Invariants: 1. Holes are in order, and neither overlap nor adjoin; none is empty.
//             2. Fences are in the order of their keys, and at most 1,023. Two may be equal once they are cut.
// Errors:     decoding foreign bytes gives INTERNAL, never more.
// Threads:    values, and functions of their arguments; FenceBuilder is thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/key_range.h"
#include "common/base/status.h"
#include "tabletserver/storage/records/row_sample.h"

namespace ebla::tabletserver {

using RunNumber = uint64_t;

// Ranges of keys whose rows in a run do not count.
class RunHoles {
 public:
  // Joins what overlaps or adjoins. An empty range adds nothing.
  void Add(const KeyRange& range);

  bool Contains(std::string_view key) const { return At(key) != nullptr; }
  // The hole that has the key, or null. Valid until the next Add.
  const KeyRange* At(std::string_view key) const;
  // One hole has all keys from the first to the last, both included.
  bool Covers(std::string_view first, std::string_view last) const;
  // One hole has all keys of the range, which is not empty.
  bool Covers(const KeyRange& range) const;
  bool Overlap(const KeyRange& range) const;

  const std::vector<KeyRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  friend bool operator==(const RunHoles&, const RunHoles&) = default;

 private:
  std::vector<KeyRange> ranges_;
};

struct Run {
  RunNumber number = 0;
  uint64_t order = 0;  // a greater one is newer
  int64_t bytes = 0;   // of keys and rows, also in holes
  int64_t records = 0;
  int64_t deletes = 0;
  std::string first_key = {};
  std::string last_key = {};
  // Each has the bytes of the rows after the fence before it up to its own, itself included.
  std::vector<SampledRow> fences = {};
  RunHoles holes = {};
  friend bool operator==(const Run&, const Run&) = default;
};

std::string EncodeRun(const Run& run);
Result<Run> DecodeRun(RunNumber number, std::string_view bytes);

// An estimate of the rows in a range that are in no hole.
struct RangeShare {
  int64_t bytes = 0;
  int64_t records = 0;  // as many of the run's as the bytes are of all its fences'
  std::vector<SampledRow> sample;
};
// Exact for a range that has the whole run, if it has no holes. Else a fence of whose keys only some count adds half of
// its bytes, so each end of the range or of a hole is off by half a fence at most. Not for ends longer than a split
// key, because fences are cut.
RangeShare ShareOf(const Run& run, const RunHoles& holes, const KeyRange& range);
inline RangeShare ShareOf(const Run& run, const KeyRange& range) { return ShareOf(run, run.holes, range); }

// Makes the fences of a run while it is written: every 64 KiB at first, and at twice the distance whenever there are
// 1,024. The last key always has one.
class FenceBuilder {
 public:
  // In order of keys.
  void Add(std::string_view key, int64_t bytes);
  // The builder is empty again.
  std::vector<SampledRow> Take();

 private:
  void AddFence();

  std::vector<SampledRow> fences_;
  int64_t distance_ = 64 << 10;
  std::string key_;       // the last one, cut
  bool pending_ = false;  // key_ has no fence yet
  int64_t bytes_ = 0;
};

}  // namespace ebla::tabletserver
