#include "tabletserver/tablet/group_rows.h"

#include <string>
#include <utility>

#include "common/base/number_limits.h"

namespace ebla::tabletserver {
namespace {

Status CheckExpiry(int64_t expires_ms) {
  if (expires_ms >= 0 && expires_ms <= limits::kExpiryMsMax) return Status::Ok();
  return Error(Code::kInvalidArgument, "the function has the record expire at a time that no clock shows");
}

}  // namespace

// ---- bounds ---------------------------------------------------------------------------------------------------------

Status FunctionRoom::TakeBytes(size_t bytes) {
  if (bytes > left_.bytes)
    return Error(Code::kInvalidArgument, "functions take more than " + std::to_string(bounds_.bytes) +
                                             " bytes of records together: apply fewer at a time, or look at less");
  left_.bytes -= bytes;
  return Status::Ok();
}

Status FunctionRoom::TakeRow(size_t bytes) {
  rows_refused_ = left_.rows == 0;
  if (rows_refused_)
    return Error(Code::kInvalidArgument, "functions look at more than " + std::to_string(bounds_.rows) +
                                             " records together: narrow their ranges, or continue in another call");
  --left_.rows;
  return TakeBytes(bytes);
}

Status FunctionRoom::TakeAnswer(const FunctionResult& result) {
  const size_t bytes = result.answer.size();
  if (bytes > bounds_.answer_bytes)
    return Error(Code::kInvalidArgument,
                 "the function's answer is larger than " + std::to_string(bounds_.answer_bytes) + " bytes");
  if (bytes > left_.answers_bytes)
    return Error(Code::kInvalidArgument, "the functions of one batch answer with more than " +
                                             std::to_string(bounds_.answers_bytes) +
                                             " bytes together: apply fewer at a time");
  left_.answers_bytes -= bytes;
  return Status::Ok();
}

Status FunctionRoom::TakeChanges(const FunctionInput& input, const FunctionResult& result, const KeyRange& group) {
  EBLA_TRY(TakeBytes((input.record ? input.record->value.size() : 0) + result.value.size()));
  if (result.expires_ms) EBLA_TRY(CheckExpiry(*result.expires_ms));
  EBLA_TRY(CheckValue(result.value));
  if (result.others.size() + 1 > effects_)
    return Error(Code::kInvalidArgument, "the functions of one batch change more than " +
                                             std::to_string(kFunctionEffectsMax) +
                                             " records together: change fewer at a time");
  effects_ -= result.others.size() + 1;
  for (const FunctionResult::RowChange& other : result.others) {
    EBLA_TRY(CheckKey(other.key));
    if (!group.Contains(other.key))
      return Error(Code::kInvalidArgument, "the function changes \"" + EscapeBytes(other.key) +
                                               "\", which lies outside its key group, " + group.ToString());
    EBLA_TRY(CheckValue(other.value));
    EBLA_TRY(CheckExpiry(other.expires_ms));
    EBLA_TRY(TakeBytes(other.key.size() + other.value.size()));
  }
  return Status::Ok();
}

std::optional<int64_t> ExpiryOfRow(TabletTime expires_at) {
  return expires_at ? std::optional(static_cast<int64_t>(expires_at.value)) : std::nullopt;
}

Status CheckInGroup(std::string_view key, const KeyRange& group) {
  EBLA_TRY(CheckKey(key));
  if (group.Contains(key)) return Status::Ok();
  return Error(Code::kInvalidArgument, "the function looks at \"" + EscapeBytes(key) +
                                           "\", which lies outside its key group, " + group.ToString());
}

Status CheckScope(const Function& function, const FunctionResult& result) {
  if (function.scope != FunctionScope::kReadGroup || !result.ChangesSomething()) return Status::Ok();
  return Error(Code::kInvalidArgument, "the function reads, and may change nothing");
}

// ---- rows -----------------------------------------------------------------------------------------------------------

Result<std::optional<FunctionRow>> LoggedGroupRows::Get(std::string_view key) {
  EBLA_TRY(CheckInGroup(key, group_));
  Result<SeenRecord> seen = records_.Get(key);
  if (!seen) {
    store_failure_ = seen.error();
    return Error(store_failure_);
  }
  EBLA_TRY(room_.TakeRow(key.size() + (seen->live ? seen->live->value.size() : 0)));
  if (!seen->live) return std::nullopt;
  return FunctionRow{.key = std::string(key),
                     .value = std::move(seen->live->value),
                     .version = seen->live->version,
                     .expires_ms = ExpiryOfRow(seen->live->expires_at)};
}

Status LoggedGroupRows::Visit(const KeyRange& keys, bool reverse, bool keys_only, const LoggedRecords::Visitor& show) {
  const ScanBounds bounds{.range = keys.Intersect(group_), .reverse = reverse};
  Status taken;
  Status scanned = records_.Scan(bounds, [&](std::string_view key, const LoggedRecords::Row* live) {
    taken = room_.TakeRow(key.size() + (live == nullptr || keys_only ? 0 : live->value.size()));
    return taken.ok() && (live == nullptr || show(key, live));
  });
  if (!scanned.ok()) return store_failure_ = std::move(scanned);
  return taken;
}

Result<std::vector<FunctionRow>> LoggedGroupRows::Scan(const RowScan& scan) {
  std::vector<FunctionRow> rows;
  if (scan.limit == 0) return rows;
  EBLA_TRY(Visit(scan.keys, scan.reverse, scan.keys_only, [&](std::string_view key, const LoggedRecords::Row* live) {
    rows.push_back({.key = std::string(key),
                    .value = scan.keys_only ? std::string() : std::string(live->value),
                    .version = live->version,
                    .expires_ms = ExpiryOfRow(live->expires_at)});
    return rows.size() < scan.limit;
  }));
  return rows;
}

Result<size_t> LoggedGroupRows::Count(const KeyRange& keys) {
  size_t count = 0;
  EBLA_TRY(Visit(keys, false, true, [&](std::string_view, const LoggedRecords::Row*) { return ++count > 0; }));
  return count;
}

}  // namespace ebla::tabletserver
