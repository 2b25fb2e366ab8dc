#include "gateway/redis/commands/read_values.h"

#include <algorithm>
#include <utility>

#include "gateway/store/items.h"
#include "gateway/store/read_keys.h"

namespace ebla::gateway::redis {
namespace {

constexpr size_t kReadBytesMax = 64 << 20;

}  // namespace

std::vector<std::string> KeyWords(const StoreCall& call) { return CopiedKeysOf(call.command, call.words); }

std::unordered_map<std::string, size_t> CountOf(const std::vector<std::string>& keys) {
  std::unordered_map<std::string, size_t> times;
  for (const std::string& key : keys) ++times[key];
  return times;
}

void VisitKeys(SharedCall call, std::vector<std::string> keys, Freshness freshness, Visit visit,
               std::move_only_function<void()> done) {
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  const auto failed = std::make_shared<bool>(false);
  auto take = [call, failed, visit = std::move(visit)](const std::string& key, Result<Record> record) mutable {
    const auto found = ItemIn(std::move(record));
    if (found && visit(key, ToValue(*found))) return true;
    *failed = true;
    found ? call->Fail("ERR the values of these keys have more than 64 MiB together") : call->Fail(found.error());
    return false;
  };
  ReadKeys(*call->store, std::move(keys), freshness, call->until, std::move(take),
           [call, failed, done = std::move(done)]() mutable {
             if (!*failed) done();
           });
}

void ReadAll(SharedCall call, const std::vector<std::string>& keys, Freshness freshness,
             std::move_only_function<void(Values)> done) {
  auto values = std::make_shared<std::unordered_map<std::string, std::optional<Value>>>();
  auto visit = [values, left = kReadBytesMax, times = CountOf(keys)](const std::string& key,
                                                                     std::optional<Value> value) mutable {
    const size_t bytes = value ? value->bytes.size() * times[key] : 0;
    if (bytes > left) return false;
    left -= bytes;
    (*values)[key] = std::move(value);
    return true;
  };
  VisitKeys(std::move(call), keys, freshness, std::move(visit), [keys, values, done = std::move(done)]() mutable {
    Values all;
    all.reserve(keys.size());
    for (const std::string& key : keys) all.push_back((*values)[key]);
    done(std::move(all));
  });
}

}  // namespace ebla::gateway::redis
