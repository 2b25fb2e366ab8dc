#include "gateway/store/items.h"

#include <utility>

namespace ebla::gateway {

Result<std::optional<FoundItem>> ItemIn(Result<Record> record) {
  if (!record.has_value()) {
    if (record.error().code() == Code::kNotFound) return std::optional<FoundItem>();
    return Error(std::move(record.error()));
  }
  EBLA_ASSIGN(Item item, DecodeItem(std::move(record->value)));
  std::optional<int64_t> expires_ms;
  if (record->expires) expires_ms = record->expires->time_since_epoch().count();
  return FoundItem{std::move(item), record->version, expires_ms};
}

void PutItem(Store& store, std::string key, ItemStep put, Condition condition, Until until,
             Callback<Result<Version>> done) {
  store.Put(std::move(key), EncodeItem(std::move(put.item)), put.lifetime, condition, until, std::move(done));
}

}  // namespace ebla::gateway
