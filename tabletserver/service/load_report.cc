#include "tabletserver/service/load_report.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

// A key that halves the data is of use for those alone that may be split for their size before long.
constexpr int64_t kMiddleBytesLeast = int64_t{64} << 20;

idl::SplitFindingKind::type KindOf(SplitFinding::Kind kind) {
  switch (kind) {
    case SplitFinding::Kind::kNoKey: break;
    case SplitFinding::Kind::kKey: return idl::SplitFindingKind::KEY;
    case SplitFinding::Kind::kPopularKey: return idl::SplitFindingKind::POPULAR_KEY;
    case SplitFinding::Kind::kOneDirection: return idl::SplitFindingKind::ONE_DIRECTION;
  }
  return idl::SplitFindingKind::NO_KEY;
}

}  // namespace

void LoadReport::Fill(TabletHandle& handle, const TabletView& view, MonotonicTime now, Duration peaks_of,
                      idl::TabletLoad& load) {
  rates_.Update(handle.load.totals(), now);
  load.readsPerSecond = rates_.reads;
  load.writesPerSecond = rates_.writes;
  load.readBytesPerSecond = rates_.read_bytes;
  load.writeBytesPerSecond = rates_.write_bytes;
  load.cpuMicrosPerSecond = rates_.busy_micros;
  load.cacheMissesPerSecond = rates_.cache_misses;
  const std::vector<TouchedKey> keys = handle.load.TakeKeys(now);
  if (view.role != RoleKind::kPrimary) {
    sampler_.reset();
    return;
  }
  Learn(view);
  if (sampler_ == nullptr || view.range != range_) {
    Begin(handle, view, now);
  } else {
    sampler_->Take(keys, now);
  }
  peaks_.Cover(peaks_of);
  peaks_.Note(rates_, now);
  load.peaks.operationsPerSecond = peaks_.operations(now);
  load.peaks.cpuMicrosPerSecond = peaks_.busy_micros(now);
  load.peaks.coveredMs = std::chrono::duration_cast<std::chrono::milliseconds>(peaks_.covered(now)).count();
  load.__isset.peaks = true;
  FillFinding(handle, view, load);
}

void LoadReport::Learn(const TabletView& view) {
  if (view.schema == nullptr || view.schema->version == schema_version_) return;
  schema_version_ = view.schema->version;
  auto schema = DecodeSchema(view.schema->encoded);
  if (!schema) return;  // the code that serves by it reports the error
  group_ = std::move(schema->tablet.key_group);
  split_bytes_ = schema->split_bytes;
}

// The keys noted so far may be older.
void LoadReport::Begin(const TabletHandle& handle, const TabletView& view, MonotonicTime now) {
  const bool split = sampler_ != nullptr;
  // The parent's load before its split has faded by then, to a twentieth.
  peaks_.Begin(split ? now + 3 * LoadRates::kTimeConstant : now);
  range_ = view.range;
  if (sampler_ == nullptr) sampler_ = std::make_unique<KeySampler>(handle.tablet.value * 2 + 1);
  sampler_->Begin(range_, group_);
}

void LoadReport::FillFinding(const TabletHandle& handle, const TabletView& view, idl::TabletLoad& load) const {
  SplitFinding found = sampler_->Find();
  std::string middle;
  const int64_t size = handle.size_bytes.load(std::memory_order_relaxed);
  const int64_t enough = split_bytes_ > 0 ? std::min(kMiddleBytesLeast, split_bytes_ / 4) : kMiddleBytesLeast;
  if (const auto known = handle.middle_key.Load(); known != nullptr && size >= enough) {
    middle = group_.Start(*known);
    if (middle <= view.range.start || !view.range.Contains(middle)) middle.clear();
  }
  if (found.kind == SplitFinding::Kind::kNoKey && found.popular_key.empty() && middle.empty()) return;
  idl::SplitFinding& to = load.splitFinding;
  to.kind = KindOf(found.kind);
  to.key = std::move(found.key);
  to.middleKey = std::move(middle);
  to.part = found.part;
  to.popularKey = std::move(found.popular_key);
  load.__isset.splitFinding = true;
}

}  // namespace ebla::tabletserver
