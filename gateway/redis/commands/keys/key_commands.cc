#include "gateway/redis/commands/keys/key_commands.h"

#include <algorithm>
#include <utility>

#include "gateway/redis/commands/fan_out.h"
#include "gateway/redis/commands/read_values.h"
#include "gateway/redis/commands/subcommands.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/store/items.h"

namespace ebla::gateway::redis {

// EXISTS and TOUCH count a key as often as it is named.
void CountKeys(SharedCall call) {
  std::vector<std::string> keys = KeyWords(*call);
  auto count = std::make_shared<int64_t>(0);
  auto visit = [count, times = CountOf(keys)](const std::string& key, const std::optional<Value>& value) mutable {
    if (value) *count += static_cast<int64_t>(times[key]);
    return true;
  };
  VisitKeys(call, std::move(keys), Freshness::kAsConfigured, std::move(visit), [call, count] { call->Number(*count); });
}

// DEL and UNLINK.
void Del(SharedCall call) {
  std::vector<std::string> keys = KeyWords(*call);
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  const size_t count = keys.size();
  auto start = [call, keys = std::move(keys)](size_t key, const std::shared_ptr<FanOut>& all) {
    call->store->Delete(keys[key], Condition::Exists(), call->until,
                        [all](const Status& status) { all->End(WasAbsent(status) ? Status() : status, status.ok()); });
  };
  FanOut::Start(count, std::move(start), [call](const Status& failure, int64_t deleted) {
    failure.ok() ? call->Number(deleted) : call->Fail(failure);
  });
}

// ---- from one key to another ----------------------------------------------------------------------------------------

namespace {

struct Transfer {
  Condition over = Condition::None();  // of what is there
  bool takes_away = false;             // the source
};

void EndTransfer(StoreCall& call) { call.command.name == "rename" ? call.Ok() : call.Number(1); }

// Over several groups another client may have written the source since it was read. Then the source stays, too.
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

// ---- OBJECT and MEMORY ----------------------------------------------------------------------------------------------

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
  if (value.changed_in_place) return "raw";
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
                {"IDLETIME <key>", "Is 0, because reads are not noted."},
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
      reply.Failure(
          "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
          "between policies at runtime LRU and LFU data will take some time to adjust.");
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
  if (call->words.size() == 2) return call->Fail(WrongNumberForSubcommand(call->words));
  for (size_t at = 3; at < call->words.size(); at += 2) {
    if (!IsWord(call->words[at], "SAMPLES") || at + 1 == call->words.size()) return call->Fail(kSyntax);
    const std::optional<int64_t> samples = ToInteger(call->words[at + 1]);
    if (!samples) return call->Fail(kNotAnInteger);
    if (*samples < 0) return call->Fail(kSyntax);
  }
  WithValue(call, [key = call->words[2]](const Value& value, Reply& reply) {
    constexpr size_t kAround = 32;  // version, expiry and what else a record has
    reply.Number(static_cast<int64_t>(key.size() + value.bytes.size() + kAround));
  });
}

// ---- COPY's options -------------------------------------------------------------------------------------------------

CopyOptions CopyOptionsOf(const Words& words) {
  CopyOptions options;
  for (size_t at = 3; at < words.size(); ++at) {
    if (IsWord(words[at], "REPLACE")) {
      options.replaces = true;
    } else if (IsWord(words[at], "DB") && at + 1 < words.size()) {
      const std::optional<int64_t> number = ToInteger(words[++at]);
      if (!number) options.failure = kNotAnInteger;
      if (number) options.failure = WrongDatabase(*number);
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
