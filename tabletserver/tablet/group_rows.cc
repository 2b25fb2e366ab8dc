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

FunctionRow RowOf(std::string_view key, const auto& row) {
  return {.key = std::string(key),
          .value = std::string(row.value),
          .version = row.version,
          .expires_ms = row.expires_at ? std::optional(static_cast<int64_t>(row.expires_at.value)) : std::nullopt};
}

Status CheckInGroup(std::string_view key, const KeyRange& group, std::string_view what) {
  EBLA_TRY(CheckKey(key));
  if (group.Contains(key)) return Status::Ok();
  return Error(Code::kInvalidArgument, "the function " + std::string(what) + " \"" + EscapeBytes(key) +
                                           "\", which lies outside its key group, " + group.ToString());
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
    EBLA_TRY(CheckInGroup(other.key, group, "changes"));
    EBLA_TRY(CheckValue(other.value));
    EBLA_TRY(CheckExpiry(other.expires_ms));
    EBLA_TRY(TakeBytes(other.key.size() + other.value.size()));
  }
  return Status::Ok();
}

Status CheckScope(const Function& function, const FunctionResult& result) {
  if (function.scope != FunctionScope::kReadGroup || !result.ChangesSomething()) return Status::Ok();
  return Error(Code::kInvalidArgument, "the function reads, and may change nothing");
}

// ---- rows -----------------------------------------------------------------------------------------------------------

Result<std::optional<FunctionRow>> BoundedGroupRows::Get(std::string_view key) {
  EBLA_TRY(CheckInGroup(key, group_, "looks at"));
  size_t bytes = key.size();
  std::optional<FunctionRow> found;
  Status looked = Look(key, [&](std::string_view, const Row& row) {
    bytes += row.value.size();
    if (row.lives) found = RowOf(key, row);
    return true;
  });
  if (!looked.ok()) return Error(store_failure_ = std::move(looked));
  EBLA_TRY(room_.TakeRow(bytes));
  return found;
}

Status BoundedGroupRows::Visit(const RowScan& scan, const Visitor& show) {
  const ScanBounds bounds{.range = scan.keys.Intersect(group_), .reverse = scan.reverse};
  Status taken;
  Status walked = Walk(bounds, [&](std::string_view key, Row row) {
    if (scan.keys_only) row.value = {};
    taken = room_.TakeRow(key.size() + row.value.size());
    return taken.ok() && (!row.lives || show(key, row));
  });
  if (!walked.ok()) return store_failure_ = std::move(walked);
  return taken;
}

Result<std::vector<FunctionRow>> BoundedGroupRows::Scan(const RowScan& scan) {
  std::vector<FunctionRow> rows;
  if (scan.limit == 0) return rows;
  EBLA_TRY(Visit(scan, [&](std::string_view key, const Row& row) {
    rows.push_back(RowOf(key, row));
    return rows.size() < scan.limit;
  }));
  return rows;
}

Result<size_t> BoundedGroupRows::Count(const KeyRange& keys) {
  size_t count = 0;
  EBLA_TRY(Visit({.keys = keys, .keys_only = true}, [&](std::string_view, const Row&) { return ++count > 0; }));
  return count;
}

Status LoggedGroupRows::Look(std::string_view key, const Visitor& visitor) {
  EBLA_ASSIGN(const SeenRecord seen, records_.Get(key));
  if (seen.live) visitor(key, {true, seen.live->value, seen.live->version, seen.live->expires_at});
  return Status::Ok();
}

Status LoggedGroupRows::Walk(const ScanBounds& bounds, const Visitor& visitor) {
  return records_.Scan(bounds, [&](std::string_view key, const LoggedRecords::Row* live) {
    return visitor(key, live == nullptr ? Row() : Row{true, live->value, live->version, live->expires_at});
  });
}

}  // namespace ebla::tabletserver
