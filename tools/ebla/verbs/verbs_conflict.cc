// Verbs on conflict records: acknowledged writes that a failover rolled back, or that arrived too late. A server keeps
// them until an operator decides (PROTOCOL 22). The verbs are conflict list, export, apply and forget.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>

#include "common/base/clocks.h"
#include "common/base/count.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

const char* State(const UnresolvedWrite& write) {
  if (write.waiting) return "waiting";
  return write.repeated ? "repeated" : "conflict";
}

std::string Name(const UnresolvedWrite& write) {
  return write.server + " " + std::to_string(write.tablet.value) + " " + write.version.ToString();
}

Json ToJson(const UnresolvedWrite& write) {
  Json object = {{"server", write.server},
                 {"tablet", write.tablet.value},
                 {"version", write.version.ToString()},
                 {"state", State(write)},
                 {"accepted_at_ms", write.accepted.time_since_epoch().count()}};
  Json writes = Json::Array();
  for (const UnresolvedEffect& effect : write.effects) {
    Json one = Json::Object();
    PutBytes(one, "key", effect.key);
    one["delete"] = effect.is_delete;
    PutBytes(one, "value", effect.is_delete ? std::nullopt : std::optional<std::string_view>(effect.value));
    one["expires_at_ms"] = effect.expires ? Json(effect.expires->time_since_epoch().count()) : Json();
    writes.push_back(std::move(one));
  }
  object["writes"] = std::move(writes);
  return object;
}

// The table's, with a word on what could not be asked.
Result<UnresolvedWrites> Listed(Context& context, const std::string& table) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(UnresolvedWrites unresolved, client.ListUnresolved(table));
  std::string unreachable;
  for (const ServerName& server : unresolved.unreachable) unreachable += (unreachable.empty() ? "" : ", ") + server;
  if (!unreachable.empty())
    context.out.Note("no answer from: " + unreachable + "; conflict records there are not shown");
  return unresolved;
}

Status ListConflicts(Context& context, const std::string& table) {
  EBLA_ASSIGN(const UnresolvedWrites unresolved, Listed(context, table));
  std::vector<std::vector<std::string>> rows = {{"SERVER", "TABLET", "VERSION", "STATE", "ACCEPTED", "WRITES"}};
  Json all = Json::Array();
  for (const UnresolvedWrite& write : unresolved.writes) {
    all.push_back(ToJson(write));
    std::string text;
    for (const UnresolvedEffect& effect : write.effects) {
      text += (text.empty() ? "" : ", ") + ReadableLine(effect.key) +
              (effect.is_delete ? " deleted" : "=" + ReadableLine(effect.value.substr(0, 40)));
    }
    rows.push_back({write.server, std::to_string(write.tablet.value), write.version.ToString(), State(write),
                    FormatTime(write.accepted), text});
  }
  if (context.out.json) {
    context.out.Value(all);
  } else {
    context.out.Listed(rows, "table " + table + " has no conflict records");
  }
  return {};
}

Status ExportTo(std::ostream& output, const UnresolvedWrites& unresolved) {
  for (const UnresolvedWrite& write : unresolved.writes) output << ToJson(write).Dump() << '\n';
  output.flush();
  return output ? Status() : Error(Code::kInternal, "the file cannot be written: is its disk full?");
}

Status Export(Context& context, const std::string& table, const std::string& path) {
  EBLA_ASSIGN(const UnresolvedWrites unresolved, Listed(context, table));
  if (path == "-") return ExportTo(std::cout, unresolved);
  // Under another name until it is whole.
  const std::string unfinished = path + ".unfinished";
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  if (!file) return Error(Code::kInvalidArgument, "cannot write the file " + unfinished);
  Status written = ExportTo(file, unresolved);
  file.close();
  if (written.ok() && std::rename(unfinished.c_str(), path.c_str()) != 0) {
    written = Error(Code::kInternal, "cannot rename " + unfinished + " to " + path);
  }
  if (!written.ok()) {
    std::remove(unfinished.c_str());
    return written;
  }
  context.out.Ok(Count(unresolved.writes.size(), "record") + " in " + path,
                 {{"records", unresolved.writes.size()}, {"file", path}});
  return {};
}

// Which records a verb means: one by its name, or all.
struct Selection {
  std::string table, server;
  int64_t tablet = -1;  // not given; 0 is a tablet of conflict records
  std::optional<Version> version;
  bool all = false;

  void AddTo(Verb& verb) {
    verb.Argument("TABLE", TakeText(table));
    verb.Option("--server", "SERVER", TakeText(server), "The server that holds the record");
    verb.Option("--tablet", "TABLET", TakeWhole(tablet), "Its tablet, as conflict list shows it");
    verb.Option("--version", "VERSION", TakeVersion(version), "Its version, as conflict list shows it");
    verb.Flag("--all", all, "Every conflict record of the table");
  }
  Result<std::vector<UnresolvedWrite>> Find(Context& context) const {
    const bool named = !server.empty() && tablet >= 0 && version;
    const bool partly = !server.empty() || tablet >= 0 || version;
    if (all == named || (all && partly)) {
      return Error(Code::kInvalidArgument, "name the records: --server, --tablet and --version together, or --all");
    }
    EBLA_ASSIGN(UnresolvedWrites unresolved, Listed(context, table));
    std::vector<UnresolvedWrite> found;
    for (UnresolvedWrite& write : unresolved.writes) {
      const bool meant = write.server == server && static_cast<int64_t>(write.tablet.value) == tablet;
      if (all ? !write.waiting : meant && write.version == version) found.push_back(std::move(write));
    }
    if (named && found.empty()) {
      return Error(Code::kNotFound, "no such record; \"conflict list " + table + "\" shows those there are");
    }
    if (named && found.front().waiting) {
      return Error(Code::kInvalidArgument, "that write is still being delivered, and needs no decision");
    }
    return found;
  }
};

// Re-applies conflict records as new writes, each under the condition that its keys are as the failover left them.
class Reapply {
 public:
  Reapply(const Client& client, const Table& table, bool overwrite, std::chrono::milliseconds deadline)
      : client_(client), table_(table), overwrite_(overwrite), deadline_(deadline) {}

  // CONDITION_FAILED: not applied, and kept.
  Status Apply(const UnresolvedWrite& write) {
    if (write.repeated && !overwrite_) return NotApplied("a retry of it may have done the same");
    Batch batch;
    for (const UnresolvedEffect& effect : write.effects) EBLA_TRY(AddTo(batch, effect, write));
    if (!batch.empty()) {
      WriteOptions options{.ack = Ack::kMajority, .deadline = deadline_};
      const auto keys = batch.parts();
      Result<BatchResult> written = table_.Write(std::move(batch), options);
      if (!written && written.error().code() == Code::kConditionFailed)
        return NotApplied("a key changed at this very moment");
      if (!written) return written.error();
      for (const Batch::Part& part : keys) {
        if (written->version) ours_[part.key] = written->version;
      }
    }
    const Status forgotten = client_.DiscardUnresolved(table_.name(), write);
    return forgotten.code() == Code::kNotFound ? Status() : forgotten;
  }

 private:
  static Status NotApplied(const std::string& why) {
    return Error(Code::kConditionFailed, why + "; not applied (--overwrite applies it)");
  }

  Status AddTo(Batch& batch, const UnresolvedEffect& effect, const UnresolvedWrite& write) {
    const Result<Record> record = table_.Get(effect.key, {.read = Read::Strong(), .deadline = deadline_});
    if (!record && record.error().code() != Code::kNotFound) return record.error();
    BatchOptions options;
    if (record) {
      // A write of an earlier record of this run is no change. A count of ANY writes implies nothing about versions.
      const auto ours = ours_.find(effect.key);
      const bool own = ours != ours_.end() && ours->second == record->version;
      const bool changed = !own && (!write.tablet || record->version > write.version);
      if (changed && !overwrite_) {
        return NotApplied("\"" + EscapeBytes(effect.key) + "\" has changed since: it is at version " +
                          record->version.ToString());
      }
      options.if_version = record->version;
    } else {
      options.if_absent = true;
    }
    if (effect.is_delete) {
      if (record) batch.Delete(effect.key, options);
      return {};
    }
    if (effect.expires && HasPassed(*effect.expires)) return {};
    options.expires = effect.expires;
    if (!effect.expires) options.ttl = std::chrono::milliseconds(0);
    batch.Put(effect.key, effect.value, options);
    return {};
  }

  const Client& client_;
  const Table& table_;
  const bool overwrite_;
  const std::chrono::milliseconds deadline_;
  std::map<std::string, Version> ours_;  // that this run wrote last
};

Status Apply(Context& context, const Selection& selection, bool overwrite) {
  EBLA_ASSIGN(const std::vector<UnresolvedWrite> found, selection.Find(context));
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const Table table, client.OpenTable(selection.table));
  Reapply reapply(client, table, overwrite, context.deadline);
  size_t applied = 0, kept = 0;
  for (const UnresolvedWrite& write : found) {
    if (context.interrupted) return Error(Code::kUnavailable, "interrupted after " + Count(applied, "record"));
    const Status status = reapply.Apply(write);
    if (status.ok()) {
      ++applied;
      continue;
    }
    if (status.code() != Code::kConditionFailed) return Error(status.code(), Name(write) + ": " + status.message());
    ++kept;
    context.out.Note(Name(write) + ": " + status.message());
  }
  const std::string text = std::to_string(applied) + " applied, " + std::to_string(kept) + " not applied";
  if (kept > 0) return Error(Code::kConditionFailed, text);
  context.out.Ok(text, {{"applied", applied}, {"kept", kept}});
  return {};
}

Status Forget(Context& context, const Selection& selection, bool yes) {
  EBLA_ASSIGN(const std::vector<UnresolvedWrite> found, selection.Find(context));
  EBLA_TRY(Confirm(context, yes, "forgets " + Count(found.size(), "acknowledged write")));
  EBLA_ASSIGN(const Client client, context.connect());
  for (const UnresolvedWrite& write : found) {
    const Status status = client.DiscardUnresolved(selection.table, write);
    if (!status.ok() && status.code() != Code::kNotFound)
      return Error(status.code(), Name(write) + ": " + status.message());
  }
  context.out.Ok(std::to_string(found.size()) + " forgotten", {{"forgotten", found.size()}});
  return {};
}

}  // namespace

void AddConflictVerbs(Verbs& verbs) {
  auto table = std::make_shared<std::string>();
  verbs
      .Add("conflict list", "Shows acknowledged writes that servers hold, but the table does not",
           "conflict list carts", [table](Context& context) { return ListConflicts(context, *table); })
      .Argument("TABLE", TakeText(*table))
      .Notes(
          "STATE: \"conflict\" waits for your decision; \"repeated\" does, too, but a retry may have written the "
          "same;\n"
          "\"waiting\" is still being delivered, and needs no decision.");

  auto target = std::make_shared<std::pair<std::string, std::string>>();
  verbs
      .Add("conflict export", "Writes the conflict records of a table to a file, as JSON lines",
           "conflict export carts conflicts.jsonl",
           [target](Context& context) { return Export(context, target->first, target->second); })
      .Argument("TABLE", TakeText(target->first))
      .Argument("FILE", TakeText(target->second), "- is standard output");

  struct Settling {
    Selection selection;
    bool sure = false;
  };
  auto apply = std::make_shared<Settling>();
  Verb& apply_verb = verbs.Add("conflict apply", "Writes conflict records again if their keys have not changed since",
                               "conflict apply carts --server ts-2 --tablet 7 --version 3.118",
                               [apply](Context& context) { return Apply(context, apply->selection, apply->sure); });
  apply->selection.AddTo(apply_verb.StopsOnInterrupt());
  apply_verb.Flag("--overwrite", apply->sure,
                  "Applies it even if a key has changed, or a retry may have written the same");

  auto forget = std::make_shared<Settling>();
  Verb& forget_verb =
      verbs.Add("conflict forget", "Forgets conflict records for good", "conflict forget carts --all --yes",
                [forget](Context& context) { return Forget(context, forget->selection, forget->sure); });
  forget->selection.AddTo(forget_verb);
  forget_verb.Dangerous(forget->sure);
}

}  // namespace ebla::shell
