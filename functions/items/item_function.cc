#include "functions/items/item_function.h"

#include <string>
#include <utility>

namespace ebla {

Result<FunctionResult> ChangeRecord(const FunctionInput& input,
                                    const std::function<ItemStep(std::optional<FoundItem> found)>& decide) {
  using Change = FunctionResult::Change;
  std::optional<FoundItem> found;
  if (const auto& record = input.record) {
    EBLA_ASSIGN(Item item, DecodeItem(std::string(record->value)));
    found = FoundItem{std::move(item), record->version, record->expires_ms};
  }
  ItemStep step = decide(std::move(found));
  FunctionResult result;
  if (step.kind == ItemStep::Kind::kDelete && input.record) result.change = Change::kDelete;
  if (step.kind != ItemStep::Kind::kPut) return result;
  result.change = Change::kPut;
  if (step.lifetime.kind != Lifetime::Kind::kKept) result.expires_ms = step.lifetime.EndFrom(input.now_ms).value_or(0);
  result.expires_after = step.lifetime.kind == Lifetime::Kind::kFor;
  result.value = EncodeItem(std::move(step.item));
  return result;
}

}  // namespace ebla
