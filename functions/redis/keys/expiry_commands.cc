#include "functions/redis/keys/expiry_commands.h"

#include <algorithm>
#include <limits>

namespace ebla::redis {
namespace {

struct ExpireConditions {
  bool if_none = false, if_some = false, if_greater = false, if_less = false;
};

std::optional<ExpireConditions> ToConditions(Update& update) {
  ExpireConditions conditions;
  for (size_t at = 3; at < update.words.size(); ++at) {
    const std::string& word = update.words[at];
    bool* const condition = IsWord(word, "NX")   ? &conditions.if_none
                            : IsWord(word, "XX") ? &conditions.if_some
                            : IsWord(word, "GT") ? &conditions.if_greater
                            : IsWord(word, "LT") ? &conditions.if_less
                                                 : nullptr;
    if (condition == nullptr) {
      update.reply.Failure("ERR Unsupported option " + word);
      return std::nullopt;
    }
    *condition = true;
  }
  if (conditions.if_none && (conditions.if_some || conditions.if_greater || conditions.if_less)) {
    update.reply.Failure("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if (conditions.if_greater && conditions.if_less) {
    update.reply.Failure("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return conditions;
}

}  // namespace

void Expire(Update& update) {
  const std::string name = ToUpper(update.words[0]);
  const std::optional<ExpireConditions> conditions = ToConditions(update);
  if (!conditions) return;
  const std::optional<int64_t> when =
      ToExpiry(update.words[2], name.starts_with('P') ? TimeUnit::kMilliseconds : TimeUnit::kSeconds,
               name.ends_with("AT") ? TimeFrom::kEpoch : TimeFrom::kNow, false, update);
  if (!when) return;
  const std::optional<Value>& old = update.old;
  const auto holds = [&] {
    if (!old || (conditions->if_none && old->expires_ms) || (conditions->if_some && !old->expires_ms)) return false;
    // A key that never ends ends later than any.
    const int64_t until = old->expires_ms.value_or(std::numeric_limits<int64_t>::max());
    return (!conditions->if_greater || *when > until) && (!conditions->if_less || *when < until);
  };
  if (!holds()) return void(update.reply.Number(0));
  update.PutOld(*when);
  update.reply.Number(1);
}

void TimeLeft(Update& update) {
  if (!update.old) return void(update.reply.Number(-2));
  if (!update.old->expires_ms) return void(update.reply.Number(-1));
  const std::string name = ToUpper(update.words[0]);
  const bool left = name.ends_with("TTL");
  const int64_t ms = left ? std::max<int64_t>(*update.old->expires_ms - update.now_ms, 0) : *update.old->expires_ms;
  update.reply.Number(name.starts_with('P') ? ms : (ms + 500) / 1000);
}

void Persist(Update& update) {
  const bool ends = update.old && update.old->expires_ms;
  if (ends) update.PutOld(std::nullopt);
  update.reply.Number(ends ? 1 : 0);
}

}  // namespace ebla::redis
