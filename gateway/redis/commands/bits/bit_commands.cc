#include "gateway/redis/commands/bits/bit_commands.h"

#include <optional>
#include <string_view>
#include <vector>

#include "functions/redis/bits/bit_commands.h"
#include "gateway/redis/commands/read_values.h"
#include "gateway/store/items.h"

namespace ebla::gateway::redis {

void BitOpOf(SharedCall call) {
  std::vector<std::string> keys = KeyWords(*call);
  const std::string target = keys.front();
  keys.erase(keys.begin());
  ReadAll(call, keys, Freshness::kLatest, [call, target](const Values& values) {
    std::vector<std::string_view> bytes;
    for (const auto& value : values) bytes.push_back(value ? std::string_view(value->bytes) : std::string_view());
    Reply reply(call->protocol);
    const std::optional<std::string> result = BitOp(call->words[1], bytes, reply);
    if (!result) return call->Answer(reply);
    const int64_t size = std::ssize(*result);
    if (size == 0)
      return call->store->Delete(target, Condition::Exists(), call->until, [call](const Status& status) {
        WasAbsent(status) || status.ok() ? call->Number(0) : call->Fail(status);
      });
    PutItem(*call->store, target, ItemStep::Put({.value = *result}, Lifetime::Forever()), Condition::None(),
            call->until,
            [call, size](const Result<Version>& put) { put ? call->Number(size) : call->Fail(put.error()); });
  });
}

}  // namespace ebla::gateway::redis
