#include "gateway/redis/key_commands.h"

#include <algorithm>
#include <unordered_map>

#include "common/redis/bit_commands.h"
#include "common/redis/string_commands.h"
#include "gateway/redis/connection_state.h"
#include "gateway/redis/databases.h"
#include "gateway/redis/options.h"
#include "gateway/redis/spread.h"
#include "gateway/redis/subcommands.h"
#include "gateway/store/change_item.h"
#include "gateway/store/read_keys.h"

namespace ebla::gateway::redis {
namespace {

using SharedCall = std::shared_ptr<StoreCall>;

std::unordered_map<std::string, size_t> CountOf(const std::vector<std::string>& keys) {
  std::unordered_map<std::string, size_t> times;
  for (const std::string& key : keys) ++times[key];
  return times;
}

// ---- reading several keys -----------------------------------------------------------------------------------------------

using Values = std::vector<std::optional<Value>>;

constexpr size_t kReadBytesMax = 64 << 20;

// `visit` is shown the value of each distinct key once; false: it is too much. Then, and when a key cannot be read, the
// call has ended and `done` does not come.
using Visit = std::move_only_function<bool(const std::string& key, std::optional<Value> value)>;

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

// All values, in the order of the keys; of one that comes twice, twice.
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

std::vector<std::string> KeyWords(const StoreCall& call) { return CopiedKeysOf(call.command, call.words); }

}  // namespace

void MGet(SharedCall call) {
  ReadAll(call, KeyWords(*call), Freshness::kAsConfigured, [call](const Values& values) {
    Reply reply(call->protocol);
    reply.Array(values.size());
    for (const auto& value : values) value ? reply.Bulk(value->bytes) : reply.Null();
    call->Answer(reply);
  });
}

// EXISTS and TOUCH: as often as a key comes it counts.
void CountKeys(SharedCall call) {
  std::vector<std::string> keys = KeyWords(*call);
  auto count = std::make_shared<int64_t>(0);
  auto visit = [count, times = CountOf(keys)](const std::string& key, const std::optional<Value>& value) mutable {
    if (value) *count += static_cast<int64_t>(times[key]);
    return true;
  };
  VisitKeys(call, std::move(keys), Freshness::kAsConfigured, std::move(visit), [call, count] { call->Number(*count); });
}

void LcsOf(SharedCall call) {
  ReadAll(call, KeyWords(*call), Freshness::kAsConfigured, [call](const Values& values) {
    Reply reply(call->protocol);
    Lcs(call->words, values[0] ? values[0]->bytes : "", values[1] ? values[1]->bytes : "", reply);
    call->Answer(reply);
  });
}

// ---- writing several keys -----------------------------------------------------------------------------------------------

namespace {

// The places of the values: of a key that comes twice the last. None: the call has ended.
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
  auto start = [call, places = std::move(places)](size_t one, const std::shared_ptr<Spread>& all) {
    const size_t at = places[one];
    PutItem(*call->store, call->words[at - 1], ItemStep::Put({.value = call->words[at]}, Lifetime::Forever()),
            Condition::None(), call->until,
            [all](const Result<Version>& put) { all->End(put ? Status() : put.error()); });
  };
  Spread::Start(count, std::move(start), [call, done = std::move(done)](const Status& failure, int64_t) mutable {
    failure.ok() ? done() : call->Fail(failure);
  });
}

}  // namespace

// DEL and UNLINK.
void Del(SharedCall call) {
  std::vector<std::string> keys = KeyWords(*call);
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  const size_t count = keys.size();
  auto start = [call, keys = std::move(keys)](size_t key, const std::shared_ptr<Spread>& all) {
    call->store->Delete(keys[key], Condition::Exists(), call->until, [all](const Status& status) {
      const bool absent = status.code() == Code::kConditionFailed || status.code() == Code::kNotFound;
      all->End(absent ? Status() : status, status.ok());
    });
  };
  Spread::Start(count, std::move(start), [call](const Status& failure, int64_t deleted) {
    failure.ok() ? call->Number(deleted) : call->Fail(failure);
  });
}

void MSet(SharedCall call) {
  auto places = PlacesToSet(*call);
  if (places) SetEach(call, *std::move(places), [call] { call->Ok(); });
}

// Within a transaction: nobody sees or changes the keys meanwhile.
void MSetNx(SharedCall call) {
  auto places = PlacesToSet(*call);
  if (!places) return;
  ReadAll(call, KeyWords(*call), Freshness::kLatest, [call, places = *std::move(places)](const Values& values) mutable {
    if (std::ranges::any_of(values, [](const auto& value) { return value.has_value(); })) return call->Number(0);
    SetEach(call, std::move(places), [call] { call->Number(1); });
  });
}

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
      return call->store->Delete(target, Condition::None(), call->until,
                                 [call](const Status& status) { status.ok() ? call->Number(0) : call->Fail(status); });
    PutItem(*call->store, target, ItemStep::Put({.value = *result}, Lifetime::Forever()), Condition::None(),
            call->until,
            [call, size](const Result<Version>& put) { put ? call->Number(size) : call->Fail(put.error()); });
  });
}

// ---- from one key to another --------------------------------------------------------------------------------------------

namespace {

struct Transfer {
  Condition over = Condition::None();  // of what is there
  bool takes_away = false;             // the source
};

void EndTransfer(StoreCall& call) { call.command.name == "rename" ? call.Ok() : call.Number(1); }

// Over several groups somebody may have written the source since it was read: then it stays, too, as the guide says.
void TakeAway(SharedCall call, Version source) {
  call->store->Delete(call->words[1], Condition::Is(source), call->until, [call](const Status& status) {
    status.ok() || status.code() == Code::kConditionFailed ? EndTransfer(*call) : call->Fail(status);
  });
}

void PutTransferred(SharedCall call, const Transfer& transfer, const FoundItem& source) {
  const auto put = [call, takes_away = transfer.takes_away, version = source.version](const Result<Version>& result) {
    if (!result && result.error().code() == Code::kConditionFailed) return call->Number(0);
    if (!result) return call->Fail(result.error());
    takes_away ? TakeAway(call, version) : EndTransfer(*call);
  };
  PutItem(*call->target, call->words[2], ItemStep::Put(source.item, Lifetime::Until(source.expires_ms)), transfer.over,
          call->until, put);
}

void StartTransfer(SharedCall call, const Transfer& transfer) {
  call->store->Get(call->words[1], Freshness::kLatest, call->until, [call, transfer](Result<Record> record) {
    const auto found = ItemIn(std::move(record));
    if (!found) return call->Fail(found.error());
    if (!*found) return transfer.takes_away ? call->Fail("ERR no such key") : call->Number(0);
    if (call->target != call->store || call->words[1] != call->words[2]) return PutTransferred(call, transfer, **found);
    call->command.name == "rename" ? call->Ok() : call->Number(0);  // to itself
  });
}

}  // namespace

void Rename(SharedCall call) {
  const bool replaces = call->command.name == "rename";
  call->target = call->store;
  StartTransfer(call, {.over = replaces ? Condition::None() : Condition::Absent(), .takes_away = true});
}

// The connection has opened another database, if the command names one.
void Copy(SharedCall call) {
  const CopyOptions options = CopyOptionsOf(call->words);
  if (!options.failure.empty()) return call->Fail(options.failure);
  if (call->target == nullptr) call->target = call->store;
  if (call->target == call->store && call->words[1] == call->words[2])
    return call->Fail("ERR source and destination objects are the same");
  StartTransfer(call, {.over = options.replaces ? Condition::None() : Condition::Absent()});
}

// ---- OBJECT and MEMORY --------------------------------------------------------------------------------------------------

namespace {

void WithValue(SharedCall call, std::move_only_function<void(const Value&, Reply&)> describe) {
  call->store->Get(call->words[2], Freshness::kAsConfigured, call->until,
                   [call, describe = std::move(describe)](Result<Record> record) mutable {
                     const auto found = ItemIn(std::move(record));
                     if (!found) return call->Fail(found.error());
                     Reply reply(call->protocol);
                     *found ? describe(*ToValue(*found), reply) : void(reply.Null());
                     call->Answer(reply);
                   });
}

std::string_view EncodingOf(const Value& value) {
  if (ToInteger(value.bytes)) return "int";
  return value.bytes.size() <= 44 ? "embstr" : "raw";
}

}  // namespace

void Object(SharedCall call) {
  const std::string what = ToUpper(call->words[1]);
  const bool known = what == "ENCODING" || what == "REFCOUNT" || what == "IDLETIME" || what == "FREQ";
  if (what == "HELP" && call->words.size() == 2) {
    Reply reply(call->protocol);
    AnswerHelp("OBJECT",
               {{"ENCODING <key>", "How Redis would keep the value."},
                {"FREQ <key>", "Is not tracked."},
                {"IDLETIME <key>", "Is 0: nobody notes reads."},
                {"REFCOUNT <key>", "Is 1."}},
               reply);
    return call->Answer(reply);
  }
  if (!known) return call->Fail(UnknownSubcommand(call->words));
  if (call->words.size() != 3) return call->Fail(WrongNumberForSubcommand(call->words));
  WithValue(call, [what](const Value& value, Reply& reply) {
    if (what == "ENCODING") {
      reply.Bulk(EncodingOf(value));
    } else if (what == "FREQ") {
      reply.Failure("ERR An LFU maxmemory policy is not selected, access frequency not tracked.");
    } else {
      reply.Number(what == "REFCOUNT" ? 1 : 0);
    }
  });
}

void Memory(SharedCall call) {
  if (IsWord(call->words[1], "HELP") && call->words.size() == 2) {
    Reply reply(call->protocol);
    AnswerHelp("MEMORY", {{"USAGE <key> [SAMPLES <count>]", "Bytes of a key and its value."}}, reply);
    return call->Answer(reply);
  }
  if (!IsWord(call->words[1], "USAGE")) return call->Fail(UnknownSubcommand(call->words));
  const bool samples = call->words.size() == 5 && IsWord(call->words[3], "SAMPLES") && ToInteger(call->words[4]);
  if (call->words.size() == 2) return call->Fail(WrongNumberForSubcommand(call->words));
  if (call->words.size() != 3 && !samples) return call->Fail(kSyntax);
  WithValue(call, [key = call->words[2]](const Value& value, Reply& reply) {
    constexpr size_t kAround = 32;  // version, expiry and what else a record has
    reply.Number(static_cast<int64_t>(key.size() + value.bytes.size() + kAround));
  });
}

// ---- messages -----------------------------------------------------------------------------------------------------------

namespace {

// Once its user may publish there.
void WithGrant(SharedCall call, const std::string& channel, std::move_only_function<void()> publish) {
  if (call->databases() == nullptr || !call->databases()->guards_channels()) return publish();
  call->databases()->MayUse(
      {ChannelUse::Kind::kPublish, channel}, call->until,
      [call, publish = std::move(publish)](const Status& may) mutable { may.ok() ? publish() : call->Fail(may); });
}

}  // namespace

void Publish(SharedCall call) {
  WithGrant(call, call->words[1], [call] {
    call->shared().publisher->Publish(KindOfPublished(call->command.name), call->words[1], call->words[2],
                                      [call](int64_t listeners) { call->Number(listeners); });
  });
}

// As another gateway asks: to those who listen here.
void Deliver(SharedCall call) {
  const bool shard = IsWord(call->words[1], "SHARD");
  if (!shard && !IsWord(call->words[1], "CHANNEL")) return call->Fail(kSyntax);
  WithGrant(call, call->words[2], [call, kind = shard ? ChannelKind::kShard : ChannelKind::kChannel] {
    call->Number(call->shared().publisher->channels().Deliver(kind, call->words[2], call->words[3]));
  });
}

// Another gateway says where it is reached.
void MeetPeer(SharedCall call) {
  call->shared().publisher->LookSoon();
  call->Ok();
}

// ---- COPY's options -----------------------------------------------------------------------------------------------------

namespace {
constexpr std::string_view kBeyondInt32 = "ERR value is out of range, value must between -2147483648 and 2147483647";
}  // namespace

CopyOptions CopyOptionsOf(const Words& words) {
  CopyOptions options;
  for (size_t at = 3; at < words.size(); ++at) {
    if (IsWord(words[at], "REPLACE")) {
      options.replaces = true;
    } else if (IsWord(words[at], "DB") && at + 1 < words.size()) {
      const std::optional<int64_t> number = ToInteger(words[++at]);
      if (!number) options.failure = kNotAnInteger;
      if (number && !IsDatabase(*number))
        options.failure = std::in_range<int32_t>(*number) ? kNoSuchDatabase : kBeyondInt32;
      if (options.failure.empty()) options.database = words[at];
    } else {
      options.failure = kSyntax;
    }
    if (!options.failure.empty()) break;
  }
  return options;
}

std::optional<std::string> NamedDatabase(const CommandInfo& command, const Words& words) {
  if (command.name != "copy") return std::nullopt;
  const CopyOptions options = CopyOptionsOf(words);
  return options.failure.empty() ? options.database : std::nullopt;
}

}  // namespace ebla::gateway::redis
