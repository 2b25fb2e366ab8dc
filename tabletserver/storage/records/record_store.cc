#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

Status CheckInterval(const KeyRange& interval, std::span<const std::pair<std::string, StoredRecord>> records) {
  if (interval.Empty()) return Error(Code::kInvalidArgument, "the interval to be replaced is empty");
  const std::string* previous = nullptr;
  for (const auto& [key, record] : records) {
    if (!interval.Contains(key)) return Error(Code::kInvalidArgument, "a record lies outside the interval");
    if (previous != nullptr && *previous >= key) return Error(Code::kInvalidArgument, "the records are out of order");
    previous = &key;
  }
  return {};
}

}  // namespace ebla::tabletserver
