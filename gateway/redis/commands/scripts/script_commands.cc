#include "gateway/redis/commands/scripts/script_commands.h"

#include <algorithm>
#include <expected>
#include <optional>
#include <span>
#include <utility>

#include "gateway/redis/commands/scripts/script_host.h"
#include "gateway/redis/commands/subcommands.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/scripts/scripts.h"
#include "gateway/redis/transactions/multi.h"

namespace ebla::gateway::redis {
namespace {

using SharedCall = std::shared_ptr<StoreCall>;

constexpr std::string_view kNoScriptText = "NOSCRIPT No matching script. Please use EVAL.";
constexpr size_t kShaDigits = 40;

// ---- EVAL -----------------------------------------------------------------------------------------------------------

bool NamesItsScript(const CommandInfo& command) { return command.name.starts_with("evalsha"); }

// The fault of the call that needs no key to be seen; empty: none.
std::string_view WrongWith(const StoreCall& call) {
  const bool by_name = NamesItsScript(call.command);
  if (by_name && call.words[1].size() != kShaDigits) return kNoScriptText;
  const std::optional<int64_t> keys = ToInteger(call.words[2]);
  if (!keys) return kNotAnInteger;
  if (*keys > std::ssize(call.words) - 3) return "ERR Number of keys can't be greater than number of args";
  if (*keys < 0) return "ERR Number of keys can't be negative";
  return by_name && !call.shared().scripts->cache().Has(call.words[1], call.owner()) ? kNoScriptText : "";
}

// The script, which from then on has a name for EVALSHA; or the reply's text.
std::expected<std::shared_ptr<const Script>, std::string> ScriptOf(const StoreCall& call) {
  ScriptCache& cache = call.shared().scripts->cache();
  const bool by_name = NamesItsScript(call.command);
  if (auto script = cache.Find(by_name ? call.words[1] : ScriptSha(call.words[1]), call.owner())) return script;
  if (by_name) return std::unexpected(std::string(kNoScriptText));
  auto flags = CompileScript(call.words[1], call.shared().scripts->limits());
  if (!flags) return std::unexpected(std::move(flags.error()));
  return cache.Add(call.words[1], *flags, call.owner());
}

// Within the transaction.
void EvalInTransaction(StoreCall& call) {
  if (const std::string_view wrong = WrongWith(call); !wrong.empty()) return call.Fail(wrong);
  const auto script = ScriptOf(call);
  if (!script) return call.Fail(script.error());
  const auto count = static_cast<size_t>(*ToInteger(call.words[2]));
  const std::span<const std::string> words(call.words);
  const auto keys = words.subspan(3, count);
  ScriptLimits limits = call.shared().scripts->limits();
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(call.until - std::chrono::steady_clock::now());
  limits.time = std::clamp(left, std::chrono::milliseconds(1), limits.time);
  TransactionHost host(call, keys, (*script)->flags.no_writes || call.command.Is(kReadOnly),
                       std::chrono::steady_clock::now() + limits.time);
  ScriptResult result = RunScript((*script)->body, keys, words.subspan(3 + count), call.protocol, limits, host);
  if (result.cut) {
    // A script that was cut off takes no effect, because half of its effects would be useless.
    constexpr std::string_view kCode = "-ERR ";
    const std::string text = result.reply.substr(kCode.size(), result.reply.size() - kCode.size() - 2);
    call.effects->failure = Status(Code::kInternal, text);
  }
  call.done(std::move(result.reply));
}

void EvalAlone(SharedCall call) {
  const std::vector<std::string> keys = CopiedKeysOf(call->command, call->words);
  if (!keys.empty() && !OneGroupOf(keys)) return call->Fail(kCrossSlot);
  std::vector<QueuedCommand> commands;
  commands.push_back({&call->command, std::shared_ptr<const Words>(call, &call->words)});
  StoreContext context = *call;
  RunTogether(std::move(context), std::move(commands), {}, [call = std::move(call)](Result<Replies> replies) {
    replies ? call->done(std::move((**replies)[0])) : call->Fail(replies.error());
  });
}

// ---- SCRIPT ---------------------------------------------------------------------------------------------------------

// On a thread for scripts, as it is compiled.
void Load(SharedCall call) {
  Scripts& scripts = *call->shared().scripts;
  const Until until = call->until;
  const size_t bytes = call->words[2].size();
  scripts.Run(until, bytes, [call = std::move(call)](const Status& may) {
    if (!may.ok()) return call->Fail(may);
    const auto flags = CompileScript(call->words[2], call->shared().scripts->limits());
    if (!flags) return call->Fail(flags.error());
    const auto script = call->shared().scripts->cache().Add(call->words[2], *flags, call->owner());
    call->done(Reply(call->protocol).Bulk(script->sha).Take());
  });
}

void Exists(StoreCall& call) {
  Reply reply(call.protocol);
  reply.Array(call.words.size() - 2);
  for (size_t at = 2; at < call.words.size(); ++at)
    reply.Number(call.shared().scripts->cache().Has(call.words[at], call.owner()) ? 1 : 0);
  call.Answer(reply);
}

void Flush(StoreCall& call) {
  if (!EndsWithFlushMode(call.words, 2)) return call.Fail("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  call.shared().scripts->cache().Clear(call.owner());
  call.Ok();
}

void ScriptHelp(StoreCall& call) {
  Reply reply(call.protocol);
  AnswerHelp("SCRIPT",
             {{"EXISTS <sha1> [<sha1> ...]", "Whether this gateway knows the scripts."},
              {"FLUSH [ASYNC|SYNC]", "Forgets all scripts of your user at this gateway."},
              {"KILL", "Ends the scripts of your user that run at this gateway."},
              {"LOAD <script>", "Remembers a script, and names it for EVALSHA."}},
             reply);
  call.Answer(reply);
}

}  // namespace

void EvalCommand(SharedCall call) {
  if (call->effects != nullptr) return EvalInTransaction(*call);
  if (const std::string_view wrong = WrongWith(*call); !wrong.empty()) return call->Fail(wrong);
  EvalAlone(std::move(call));
}

void ScriptCommand(SharedCall call) {
  const std::string what = ToUpper(call->words[1]);
  const size_t size = call->words.size();
  if (what == "LOAD" && size == 3) {
    Load(std::move(call));
  } else if (what == "EXISTS" && size >= 3) {
    Exists(*call);
  } else if (what == "FLUSH") {
    Flush(*call);
  } else if (what == "KILL" && size == 2) {
    call->shared().scripts->Kill(call->owner()) ? call->Ok() : call->Fail("NOTBUSY No scripts in execution right now.");
  } else if (what == "HELP" && size == 2) {
    ScriptHelp(*call);
  } else if (what == "DEBUG") {
    call->Fail("ERR SCRIPT DEBUG is not served by Ebla");
  } else {
    call->Fail(WrongWithSubcommand(call->words));
  }
}

}  // namespace ebla::gateway::redis
