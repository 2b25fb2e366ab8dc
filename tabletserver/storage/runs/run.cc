#include "tabletserver/storage/runs/run.h"

#include <algorithm>
#include <utility>

#include "common/base/encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kFencesMax = 1024;
constexpr uint64_t kNumberMax = uint64_t{1} << 56;  // of bytes or rows: the sums of many runs fit into 63 bits

int64_t ReadNumber(ByteReader& in) {
  const uint64_t number = in.Varint();
  return static_cast<int64_t>(number > kNumberMax ? in.Fail() : number);
}

void ReadFences(ByteReader& in, std::vector<SampledRow>& fences) {
  const uint64_t count = in.Count(2);
  int64_t sum = 0;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string key(in.Bytes());
    const int64_t bytes = ReadNumber(in);
    sum += bytes;
    if (static_cast<uint64_t>(sum) > kNumberMax || (!fences.empty() && key < fences.back().first)) in.Fail();
    fences.emplace_back(std::move(key), bytes);
  }
}

void ReadHoles(ByteReader& in, RunHoles& holes) {
  const uint64_t count = in.Count(2);
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    KeyRange hole;
    hole.start = in.Bytes();
    hole.end = in.Bytes();
    const bool after = holes.empty() || (!holes.ranges().back().end.empty() && holes.ranges().back().end < hole.start);
    if (hole.Empty() || !after) {
      in.Fail();
      return;
    }
    holes.Add(hole);
  }
}

// The keys whose rows a fence counts.
KeyRange KeysOf(const Run& run, size_t fence) {
  const std::string& key = run.fences[fence].first;
  std::string start = fence == 0 ? run.first_key : KeyAfter(run.fences[fence - 1].first);
  // Cut keys may be equal, or below the first key.
  if (start > key) start = key;
  return {std::move(start), KeyAfter(key)};
}

// How much of a fence counts.
enum class Part { kNone, kSome, kAll };

Part PartOf(const KeyRange& keys, const KeyRange& range, const RunHoles& holes) {
  const KeyRange inside = keys.Intersect(range);
  if (inside.Empty() || holes.Covers(inside)) return Part::kNone;
  return inside == keys && !holes.Overlap(keys) ? Part::kAll : Part::kSome;
}

}  // namespace

void RunHoles::Add(const KeyRange& range) {
  if (range.Empty()) return;
  // The holes from `first` to before `last` overlap or adjoin the range.
  const auto first = std::ranges::partition_point(
      ranges_, [&range](const KeyRange& hole) { return !hole.end.empty() && hole.end < range.start; });
  const auto last = std::partition_point(
      first, ranges_.end(), [&range](const KeyRange& hole) { return range.end.empty() || hole.start <= range.end; });
  KeyRange joined = range;
  if (first != last) {
    const KeyRange& back = *(last - 1);
    joined.start = std::min(joined.start, first->start);
    if (back.end.empty() || (!joined.end.empty() && joined.end < back.end)) joined.end = back.end;
  }
  ranges_.insert(ranges_.erase(first, last), std::move(joined));
}

const KeyRange* RunHoles::At(std::string_view key) const {
  const auto after =
      std::ranges::upper_bound(ranges_, key, {}, [](const KeyRange& hole) { return std::string_view(hole.start); });
  if (after == ranges_.begin()) return nullptr;
  const KeyRange& hole = *(after - 1);
  return hole.Contains(key) ? &hole : nullptr;
}

bool RunHoles::Covers(std::string_view first, std::string_view last) const {
  const KeyRange* const hole = At(first);
  return hole != nullptr && hole->Contains(last);
}

bool RunHoles::Covers(const KeyRange& range) const {
  const KeyRange* const hole = At(range.start);
  return hole != nullptr && hole->Contains(range);
}

bool RunHoles::Overlap(const KeyRange& range) const {
  // The last hole that begins before the range's end reaches farthest of all that do.
  const auto after = std::ranges::partition_point(
      ranges_, [&range](const KeyRange& hole) { return range.end.empty() || hole.start < range.end; });
  return after != ranges_.begin() && (after - 1)->Overlaps(range);
}

std::string EncodeRun(const Run& run) {
  ByteWriter out;
  out.Byte(kFormat).Varint(run.order);
  for (const int64_t number : {run.bytes, run.records, run.deletes}) out.Varint(static_cast<uint64_t>(number));
  out.Bytes(run.first_key).Bytes(run.last_key).Varint(run.fences.size());
  for (const auto& [key, bytes] : run.fences) out.Bytes(key).Varint(static_cast<uint64_t>(bytes));
  out.Varint(run.holes.ranges().size());
  for (const KeyRange& hole : run.holes.ranges()) out.Bytes(hole.start).Bytes(hole.end);
  return out.Take();
}

Result<Run> DecodeRun(RunNumber number, std::string_view bytes) {
  const std::string what = "run " + std::to_string(number);
  ByteReader in(bytes);
  const uint8_t format = in.Byte();
  if (in.ok() && format != kFormat) {
    return Error(Code::kInternal, what + " has format " + std::to_string(format) +
                                      ", this build reads 1: a newer build wrote it, or it is damaged");
  }
  Run run{.number = number};
  run.order = in.Varint();
  run.bytes = ReadNumber(in);
  run.records = ReadNumber(in);
  run.deletes = ReadNumber(in);
  run.first_key = in.Bytes();
  run.last_key = in.Bytes();
  ReadFences(in, run.fences);
  ReadHoles(in, run.holes);
  if (run.last_key < run.first_key) in.Fail();
  EBLA_TRY(in.Finish(what));
  return run;
}

RangeShare ShareOf(const Run& run, const RunHoles& holes, const KeyRange& range) {
  RangeShare share;
  int64_t all = 0;
  for (size_t i = 0; i < run.fences.size(); ++i) {
    const auto& [key, fence_bytes] = run.fences[i];
    all += fence_bytes;
    const Part part = PartOf(KeysOf(run, i), range, holes);
    if (part == Part::kNone) continue;
    const int64_t bytes = part == Part::kAll ? fence_bytes : fence_bytes / 2;
    share.bytes += bytes;
    if (range.Contains(key) && !holes.Contains(key)) share.sample.emplace_back(key, bytes);
  }
  if (all > 0) {
    const double part = static_cast<double>(share.bytes) / static_cast<double>(all);
    share.records = static_cast<int64_t>(part * static_cast<double>(run.records) + 0.5);
  }
  return share;
}

void FenceBuilder::Add(std::string_view key, int64_t bytes) {
  key_.assign(key.substr(0, kSampledKeyBytesMax));
  pending_ = true;
  bytes_ += bytes;
  if (bytes_ >= distance_) AddFence();
}

std::vector<SampledRow> FenceBuilder::Take() {
  if (pending_) AddFence();
  return std::exchange(*this, FenceBuilder()).fences_;
}

void FenceBuilder::AddFence() {
  fences_.emplace_back(key_, std::exchange(bytes_, 0));
  pending_ = false;
  if (fences_.size() < kFencesMax) return;
  // Every second fence takes on the bytes of the fence before it.
  for (size_t i = 0; i < kFencesMax / 2; ++i) {
    fences_[2 * i + 1].second += fences_[2 * i].second;
    fences_[i] = std::move(fences_[2 * i + 1]);
  }
  fences_.resize(kFencesMax / 2);
  distance_ *= 2;
}

}  // namespace ebla::tabletserver
