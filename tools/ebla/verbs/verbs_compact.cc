// Giving the room of deleted records back: table compact.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAgain{1'000};

struct Arguments {
  std::string table, server, limit = "10m";
  bool status = false;
  bool no_wait = false;
};

int64_t Freed(const CompactionInfo& one) { return std::max<int64_t>(0, one.bytes_before - one.bytes_after); }

std::string StateOf(const CompactionInfo& one) {
  if (one.running) return "runs";
  if (!one.outcome.ok()) return one.outcome.ToString();
  return one.age ? "done" : "none since the server started";
}

Json ToJson(const std::vector<CompactionInfo>& servers) {
  Json all = Json::array();
  for (const CompactionInfo& one : servers) {
    Json object = {{"server", one.server}, {"running", one.running}, {"state", StateOf(one)}};
    if (one.age) object["age_ms"] = one.age->count();
    object["bytes_before"] = one.bytes_before;
    object["bytes_after"] = one.bytes_after;
    object["bytes_freed"] = Freed(one);
    all.push_back(std::move(object));
  }
  return all;
}

void Show(const std::vector<CompactionInfo>& servers, Output& out) {
  if (out.json) return out.Value(ToJson(servers));
  std::vector<std::vector<std::string>> rows = {{"SERVER", "FILE BEFORE", "NOW", "FREED", "BEGUN", "STATE"}};
  for (const CompactionInfo& one : servers) {
    const bool was = one.age.has_value();
    rows.push_back({one.server, was ? Size(one.bytes_before) : "-", was ? Size(one.bytes_after) : "-",
                    was ? Size(Freed(one)) : "-", was ? Ago(*one.age) : "-", StateOf(one)});
  }
  out.Columns(rows);
}

// The first that went wrong. One whose time was up did what it could.
Status Outcome(const std::vector<CompactionInfo>& servers) {
  for (const CompactionInfo& one : servers) {
    if (one.running || one.outcome.ok() || one.outcome.code() == Code::kDeadlineExceeded) continue;
    return Error(one.outcome.code(), "server " + one.server + ": " + one.outcome.message());
  }
  return {};
}

Status Compact(const Arguments& args, Context& context) {
  EBLA_ASSIGN(const milliseconds limit, ParseDuration(args.limit));
  CompactTableOptions options{
      .server = args.server, .start = !args.status, .limit = std::chrono::duration_cast<std::chrono::seconds>(limit)};
  if (options.limit.count() < 1 || options.limit > std::chrono::hours(24)) {
    return Error(Code::kInvalidArgument, "--limit " + args.limit + ": it must be from 1s to 24h");
  }
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(std::vector<CompactionInfo> servers, client.CompactTable(args.table, options));
  options.start = false;
  size_t told = 0;
  while (!args.status && !args.no_wait) {
    const auto running = static_cast<size_t>(std::ranges::count_if(servers, &CompactionInfo::running));
    if (running == 0) break;
    if (running != told) context.out.Note(Count(running, "server") + " at work; Ctrl-C leaves them to it");
    told = running;
    if (!Sleep(context, kLookAgain)) break;
    EBLA_ASSIGN(servers, client.CompactTable(args.table, options));
  }
  Show(servers, context.out);
  return Outcome(servers);
}

}  // namespace

void AddCompactVerbs(Verbs& verbs) {
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "table compact", "Has servers give the room of a table's deleted records back to the disk, while it serves",
      "table compact carts --server ts-1 --limit 1h", [args](Context& context) { return Compact(*args, context); });
  verb->add_option("TABLE", args->table, "The table: each server keeps all of its tablets there in one file")
      ->required();
  verb->add_option("--server", args->server, "On this server alone, else on every one that holds the table")
      ->type_name("SERVER");
  verb->add_option("--limit", args->limit, "How long it may take on each (10m)")->type_name("DURATION");
  verb->add_flag("--status", args->status, "Begins nothing, only shows how it goes, or how the latest went");
  verb->add_flag("--no-wait", args->no_wait, "Returns when it is begun");
}

}  // namespace ebla::shell
