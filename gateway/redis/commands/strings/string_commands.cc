#include "gateway/redis/commands/strings/string_commands.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "functions/redis/strings/string_commands.h"
#include "gateway/redis/commands/fan_out.h"
#include "gateway/redis/commands/read_values.h"
#include "gateway/store/items.h"

namespace ebla::gateway::redis {
namespace {

// The places of the values. If a key is named twice, its last value counts. Without a result the call has ended.
std::optional<std::vector<size_t>> PlacesToSet(StoreCall& call) {
  if (call.words.size() % 2 == 0) {
    call.Fail("ERR " + WrongNumberOfArguments(call.command.name));
    return std::nullopt;
  }
  std::unordered_map<std::string_view, size_t> last;
  for (size_t at = 1; at < call.words.size(); at += 2) last[call.words[at]] = at + 1;
  std::vector<size_t> places;
  for (const auto& [key, at] : last) places.push_back(at);
  return places;
}

void SetEach(SharedCall call, std::vector<size_t> places, std::move_only_function<void()> done) {
  const size_t count = places.size();
  auto start = [call, places = std::move(places)](size_t one, const std::shared_ptr<FanOut>& all) {
    const size_t at = places[one];
    PutItem(*call->store, call->words[at - 1], ItemStep::Put({.value = call->words[at]}, Lifetime::Forever()),
            Condition::None(), call->until,
            [all](const Result<Version>& put) { all->End(put ? Status() : put.error()); });
  };
  FanOut::Start(count, std::move(start), [call, done = std::move(done)](const Status& failure, int64_t) mutable {
    failure.ok() ? done() : call->Fail(failure);
  });
}

}  // namespace

void MGet(SharedCall call) {
  ReadAll(call, KeyWords(*call), Freshness::kAsConfigured, [call](const Values& values) {
    Reply reply(call->protocol);
    reply.Array(values.size());
    for (const auto& value : values) value ? reply.Bulk(value->bytes) : reply.Null();
    call->Answer(reply);
  });
}

void LcsOf(SharedCall call) {
  ReadAll(call, KeyWords(*call), Freshness::kAsConfigured, [call](const Values& values) {
    Reply reply(call->protocol);
    Lcs(call->words, values[0] ? values[0]->bytes : "", values[1] ? values[1]->bytes : "", reply);
    call->Answer(reply);
  });
}

void MSet(SharedCall call) {
  auto places = PlacesToSet(*call);
  if (places) SetEach(call, *std::move(places), [call] { call->Ok(); });
}

// It runs within a transaction, so that no other client sees or changes the keys meanwhile.
void MSetNx(SharedCall call) {
  auto places = PlacesToSet(*call);
  if (!places) return;
  ReadAll(call, KeyWords(*call), Freshness::kLatest, [call, places = *std::move(places)](const Values& values) mutable {
    if (std::ranges::any_of(values, [](const auto& value) { return value.has_value(); })) return call->Number(0);
    SetEach(call, std::move(places), [call] { call->Number(1); });
  });
}

}  // namespace ebla::gateway::redis
