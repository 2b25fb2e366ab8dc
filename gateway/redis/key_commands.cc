#include "gateway/redis/key_commands.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "gateway/redis/bit_commands.h"
#include "gateway/redis/stored_value.h"
#include "gateway/redis/string_commands.h"

namespace ebla::gateway::redis {
namespace {

using SharedCall = std::shared_ptr<StoreCall>;

// ---- reading several keys -----------------------------------------------------------------------------------------------

using Values = std::vector<std::optional<Value>>;

// In the order of the keys. What cannot be read ends the call.
void ReadAll(SharedCall call, std::vector<std::string> keys, Freshness freshness,
             std::move_only_function<void(Values)> done) {
  Store& store = *call->store;
  const Until until = call->until;
  store.MultiGet(std::move(keys), freshness, until,
                 [call = std::move(call), done = std::move(done)](std::vector<Result<Record>> records) mutable {
                   Values values;
                   for (Result<Record>& record : records) {
                     const auto found = ItemIn(std::move(record));
                     if (!found) return call->Fail(found.error());
                     values.push_back(ToValue(*found));
                   }
                   done(std::move(values));
                 });
}

std::vector<std::string> KeyWords(const StoreCall& call) {
  const std::vector<std::string_view> keys = KeysOf(*call.command, call.words);
  return {keys.begin(), keys.end()};
}

void MGet(SharedCall call) {
  auto keys = KeyWords(*call);
  ReadAll(call, std::move(keys), Freshness::kAsConfigured, [call](const Values& values) {
    Reply reply(call->protocol);
    reply.Array(values.size());
    for (const auto& value : values) value ? reply.Bulk(value->bytes) : reply.Null();
    call->Answer(reply);
  });
}

// EXISTS and TOUCH.
void CountKeys(SharedCall call) {
  auto keys = KeyWords(*call);
  ReadAll(call, std::move(keys), Freshness::kAsConfigured, [call](const Values& values) {
    call->Number(std::ranges::count_if(values, [](const auto& value) { return value.has_value(); }));
  });
}

void LcsOf(SharedCall call) {
  auto keys = KeyWords(*call);
  ReadAll(call, std::move(keys), Freshness::kAsConfigured, [call](const Values& values) {
    Reply reply(call->protocol);
    Lcs(call->words, values[0] ? values[0]->bytes : "", values[1] ? values[1]->bytes : "", reply);
    call->Answer(reply);
  });
}

// ---- writing several keys -----------------------------------------------------------------------------------------------

// Waits for all parts of a command: the first failure is its answer.
class Parts {
 public:
  Parts(SharedCall call, size_t count, std::move_only_function<void(int64_t)> done)
      : call_(std::move(call)), left_(count), done_(std::move(done)) {}

  // Of each part once; `counts`: the number that `done` is told of these.
  void End(const Status& status, bool counts) {
    MutexLock lock(mutex_);
    if (!status.ok() && failure_.ok()) failure_ = status;
    if (counts) ++counted_;
    if (--left_ > 0) return;
    failure_.ok() ? done_(counted_) : call_->Fail(failure_);
  }

 private:
  const SharedCall call_;
  Mutex mutex_;
  size_t left_ EBLA_GUARDED_BY(mutex_);
  int64_t counted_ EBLA_GUARDED_BY(mutex_) = 0;
  Status failure_ EBLA_GUARDED_BY(mutex_);
  std::move_only_function<void(int64_t)> done_ EBLA_GUARDED_BY(mutex_);
};

// DEL and UNLINK.
void Del(SharedCall call) {
  const std::vector<std::string> words = KeyWords(*call);
  const std::unordered_set<std::string> keys(words.begin(), words.end());
  auto parts = std::make_shared<Parts>(call, keys.size(), [call](int64_t deleted) { call->Number(deleted); });
  for (const std::string& key : keys) {
    call->store->Delete(key, Condition::Exists(), call->until, [parts](const Status& status) {
      const bool absent = status.code() == Code::kConditionFailed || status.code() == Code::kNotFound;
      parts->End(absent ? Status() : status, status.ok());
    });
  }
}

void MSet(SharedCall call) {
  if (call->words.size() % 2 == 0) return call->Fail("ERR wrong number of arguments for 'mset' command");
  std::unordered_map<std::string_view, std::string_view> pairs;  // of a key that comes twice the last
  for (size_t at = 1; at < call->words.size(); at += 2) pairs[call->words[at]] = call->words[at + 1];
  auto parts = std::make_shared<Parts>(call, pairs.size(), [call](int64_t) { call->Ok(); });
  for (const auto& [key, bytes] : pairs) {
    PutValue(*call->store, std::string(key), {.bytes = std::string(bytes)}, Condition::None(), call->until,
             [parts](const Result<Version>& put) { parts->End(put ? Status() : put.error(), false); });
  }
}

void BitOpOf(SharedCall call) {
  std::vector<std::string> keys = KeyWords(*call);
  const std::string target = keys.front();
  keys.erase(keys.begin());
  ReadAll(call, std::move(keys), Freshness::kLatest, [call, target](const Values& values) {
    std::vector<std::string_view> bytes;
    for (const auto& value : values) bytes.push_back(value ? std::string_view(value->bytes) : std::string_view());
    Reply reply(call->protocol);
    const std::optional<std::string> result = BitOp(call->words[1], bytes, reply);
    if (!result) return call->Answer(reply);
    const int64_t size = std::ssize(*result);
    if (size == 0)
      return call->store->Delete(target, Condition::None(), call->until,
                                 [call](const Status& status) { status.ok() ? call->Number(0) : call->Fail(status); });
    PutValue(*call->store, target, {.bytes = *result}, Condition::None(), call->until,
             [call, size](const Result<Version>& put) { put ? call->Number(size) : call->Fail(put.error()); });
  });
}

// ---- from one key to another --------------------------------------------------------------------------------------------

struct Transfer {
  bool replaces = true;     // a value that is there
  bool takes_away = false;  // the source
};

void PutTransferred(SharedCall call, const Transfer& transfer, const FoundItem& source) {
  const auto put = [call, transfer, version = source.version](const Result<Version>& result) {
    if (!result && result.error().code() == Code::kConditionFailed) return call->Number(0);
    if (!result) return call->Fail(result.error());
    const bool says_ok = call->command->name == "rename";
    if (!transfer.takes_away) return call->Number(1);
    call->store->Delete(call->words[1], Condition::Is(version), call->until, [call, says_ok](const Status& status) {
      // Written anew meanwhile: as if after this command.
      if (!status.ok() && status.code() != Code::kConditionFailed) return call->Fail(status);
      says_ok ? call->Ok() : call->Number(1);
    });
  };
  Item item = source.item;
  item.expires_ms = source.expires_ms();  // to the millisecond
  const auto ttl = item.expires_ms ? TtlUntil(*item.expires_ms, *call->target) : std::chrono::milliseconds(0);
  call->target->Put(call->words[2], EncodeItem(std::move(item)), ttl,
                    transfer.replaces ? Condition::None() : Condition::Absent(), call->until, put);
}

void StartTransfer(SharedCall call, const Transfer& transfer) {
  const bool same = call->target == call->store && call->words[1] == call->words[2];
  call->store->Get(call->words[1], Freshness::kLatest, call->until, [call, transfer, same](Result<Record> record) {
    const auto found = ItemIn(std::move(record));
    if (!found) return call->Fail(found.error());
    const bool copies = !transfer.takes_away;
    if (!*found) return copies ? call->Number(0) : call->Fail("ERR no such key");
    if (same) return transfer.replaces ? call->Ok() : call->Number(0);
    PutTransferred(call, transfer, **found);
  });
}

void Rename(SharedCall call) {
  call->target = call->store;
  StartTransfer(call, {.replaces = call->command->name == "rename", .takes_away = true});
}

void Copy(SharedCall call) {
  Transfer transfer{.replaces = false};
  for (size_t at = 3; at < call->words.size(); ++at) {
    if (IsWord(call->words[at], "REPLACE")) {
      transfer.replaces = true;
    } else if (IsWord(call->words[at], "DB") && at + 1 < call->words.size()) {
      ++at;  // the connection has opened it
    } else {
      return call->Fail(kSyntax);
    }
  }
  if (call->target == nullptr) call->target = call->store;
  if (call->target == call->store && call->words[1] == call->words[2])
    return call->Fail("ERR source and destination objects are the same");
  StartTransfer(call, transfer);
}

// ---- OBJECT and MEMORY --------------------------------------------------------------------------------------------------

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

void Object(SharedCall call) {
  const std::string what = ToUpper(call->words[1]);
  const bool known = what == "ENCODING" || what == "REFCOUNT" || what == "IDLETIME" || what == "FREQ";
  if (what == "HELP" && call->words.size() == 2) {
    Reply reply(call->protocol);
    reply.Array(3).Simple("OBJECT <subcommand> <key>. Subcommands are:");
    reply.Simple("ENCODING").Simple("    How Redis would keep the value.");
    return call->Answer(reply);
  }
  if (!known) return call->Fail("ERR unknown subcommand '" + call->words[1].substr(0, 128) + "'. Try OBJECT HELP.");
  if (call->words.size() != 3)
    return call->Fail("ERR wrong number of arguments for 'object|" + ToLower(what) + "' command");
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
  if (!IsWord(call->words[1], "USAGE"))
    return call->Fail("ERR unknown subcommand '" + call->words[1].substr(0, 128) + "'. Try MEMORY HELP.");
  const bool samples = call->words.size() == 5 && IsWord(call->words[3], "SAMPLES") && ToInteger(call->words[4]);
  if (call->words.size() == 2) return call->Fail("ERR wrong number of arguments for 'memory|usage' command");
  if (call->words.size() != 3 && !samples) return call->Fail(kSyntax);
  WithValue(call, [key = call->words[2]](const Value& value, Reply& reply) {
    constexpr size_t kAround = 32;  // version, expiry and what else a record has
    reply.Number(static_cast<int64_t>(key.size() + value.bytes.size() + kAround));
  });
}

}  // namespace

KeyCommand FindKeyCommand(std::string_view name) {
  static const std::unordered_map<std::string_view, KeyCommand> commands = {
      {"bitop", BitOpOf},    {"copy", Copy},           {"dbsize", DbSize},   {"del", Del},
      {"exists", CountKeys}, {"flushall", FlushDb},    {"flushdb", FlushDb}, {"keys", Keys},
      {"lcs", LcsOf},        {"memory", Memory},       {"mget", MGet},       {"mset", MSet},
      {"object", Object},    {"randomkey", RandomKey}, {"rename", Rename},   {"renamenx", Rename},
      {"scan", Scan},        {"touch", CountKeys},     {"unlink", Del}};
  const auto found = commands.find(name);
  return found == commands.end() ? nullptr : found->second;
}

}  // namespace ebla::gateway::redis
