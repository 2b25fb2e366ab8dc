#include "tools/ebla/verbs/verbs.h"

#include <algorithm>

#include "common/base/interruptible_wait.h"
#include "common/base/key_range.h"

namespace ebla::shell {

bool Sleep(const Context& context, std::chrono::milliseconds duration) {
  return WaitUnless([&context] { return static_cast<bool>(context.interrupted); }, duration);
}

Status Confirm(const Context& context, bool yes, const std::string& what) {
  if (yes) return {};
  if (!context.ask) return Error(Code::kInvalidArgument, "this " + what + " for good; add --yes to do it");
  if (context.ask("This " + what + " for good. Type yes to do it: ")) return {};
  return Error(Code::kConditionFailed, "the answer was not yes; nothing was changed");
}

Verb& Verbs::Add(std::string_view words, std::string_view summary, std::string_view example, Verb::Run run) {
  return all_.emplace_back(std::string(words), std::string(summary), std::string(example), std::move(run));
}

const Verb* Verbs::Find(std::string_view words) const {
  const auto found = std::ranges::find(all_, words, &Verb::words);
  return found == all_.end() ? nullptr : &*found;
}

bool Verbs::IsGroup(std::string_view word) const { return !word.empty() && !NamesIn(word).empty(); }

std::vector<std::string> Verbs::NamesIn(std::string_view group) const {
  std::vector<std::string> names;
  for (const Verb& verb : all_) {
    const size_t blank = verb.words().find(' ');
    if (group.empty()) {
      names.push_back(verb.words().substr(0, blank));
    } else if (blank != std::string::npos && std::string_view(verb.words()).substr(0, blank) == group) {
      names.push_back(verb.words().substr(blank + 1));
    }
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

void AddAllVerbs(Verbs& verbs) {
  AddSessionVerbs(verbs);
  AddDataVerbs(verbs);
  AddFileVerbs(verbs);
  AddTableVerbs(verbs);
  AddTabletVerbs(verbs);
  AddServerVerbs(verbs);
  AddClusterVerbs(verbs);
  AddMergeVerbs(verbs);
  AddConflictVerbs(verbs);
  AddBalanceVerbs(verbs);
  AddHealthVerbs(verbs);
  AddHotVerbs(verbs);
  AddCheckVerbs(verbs);
  AddScrubVerbs(verbs);
  AddWatchVerbs(verbs);
  AddProcedureVerbs(verbs);
  AddPresplitVerbs(verbs);
  AddCompactVerbs(verbs);
  AddStatsVerbs(verbs);
  AddBackupVerbs(verbs);
  AddCertVerbs(verbs);
  AddAccessVerbs(verbs);
  AddLimitVerbs(verbs);
}

Status CheckServer(const Client& client, const ServerName& name) {
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  std::string all;
  for (const ServerSummary& server : servers) {
    if (server.name == name) return {};
    all += (all.empty() ? "" : ", ") + server.name;
  }
  return Error(Code::kNotFound,
               "no server \"" + name + "\"" + (all.empty() ? "; none has ever joined" : "; there are " + all));
}

Result<Table> TableArgument::Open(Context& context) const {
  EBLA_ASSIGN(const Client client, context.connect());
  return client.OpenTable(table);
}

void WriteArguments::AddTo(Verb& verb, bool with_ttl, bool with_absent) {
  verb.Option("--ack", "LEVEL", TakeLevel(ack),
              "Which replicas hold the write before it is acknowledged: majority, all, primary or any");
  if (with_ttl)
    verb.Option("--ttl", "DURATION", TakeDuration(ttl),
                "The record expires after this long; 0 means never. Without it put takes the table's default, incr "
                "keeps the record's");
  if (with_absent) verb.Flag("--if-absent", if_absent, "Writes only if the key has no record");
  verb.Flag("--if-exists", if_exists, "Writes only if the key has a record");
  verb.Option("--if-version", "VERSION", TakeVersion(if_version), "Writes only if the record has this version");
}

void ReadArguments::AddTo(Verb& verb) {
  verb.Option("--read", "LEVEL", TakeLevel(read), "How fresh the answer is: strong, session, bounded=2s or eventual");
  verb.Option("--token", "TOKEN", TakeText(token), "Continues the session that this token names");
}

void RangeArguments::AddTo(Verb& verb) {
  verb.Option("--prefix", "KEY", TakeBytes(prefix), "Only keys that begin with this");
  verb.Option("--start", "KEY", TakeBytes(start), "The first key");
  verb.Option("--end", "KEY", TakeBytes(end), "Stops before this key");
}

Result<KeyRange> RangeArguments::Range() const {
  KeyRange range{start, end};
  if (!range.end.empty() && range.start > range.end) {
    return Error(Code::kInvalidArgument, "--start lies after --end");
  }
  if (prefix.empty()) return range;
  KeyRange within = KeyRange::Prefix(prefix).Intersect(range);
  return within.Empty() ? KeyRange{prefix, prefix} : within;
}

}  // namespace ebla::shell
