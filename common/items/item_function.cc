#include "common/items/item_function.h"

#include <string>
#include <utility>

namespace ebla {

Result<FunctionResult> ChangeRecord(const FunctionInput& input, int64_t now_ms,
                                    const std::function<ItemStep(std::optional<FoundItem> found)>& decide) {
  using Change = FunctionResult::Change;
  if (now_ms < 0 || now_ms > kClockMsMax)
    return Error(Code::kInvalidArgument, "the arguments name a time that no clock shows");
  std::optional<FoundItem> found;
  std::optional<int64_t> remembered;
  bool expires = false;
  if (const auto& record = input.record) {
    EBLA_ASSIGN(Item item, DecodeItem(std::string(record->value)));
    remembered = item.expires_ms;
    expires = record->left_ms.has_value();
    found = FoundItem::Of(std::move(item), record->version,
                          expires ? std::optional(now_ms + *record->left_ms) : std::nullopt);
  }
  ItemStep step = decide(std::move(found));
  FunctionResult result;
  if (step.kind == ItemStep::Kind::kDelete && input.record) result.change = Change::kDelete;
  if (step.kind != ItemStep::Kind::kPut) return result;
  result.change = Change::kPut;
  result.ttl_ms = step.lifetime.TtlMs(expires);
  step.item.expires_ms = result.ttl_ms ? std::nullopt : remembered;
  result.value = EncodeItem(std::move(step.item));
  return result;
}

}  // namespace ebla
