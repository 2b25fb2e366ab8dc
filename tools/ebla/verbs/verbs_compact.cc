// Giving the room of deleted records back: table compact.
#include <algorithm>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCompactionPoll{1'000};

struct CompactArguments {
  std::string table, server;
  milliseconds limit = std::chrono::minutes(10);
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
  Json all = Json::Array();
  for (const CompactionInfo& one : servers) {
    const auto known = [&](Json value) { return one.age ? value : Json(); };
    all.push_back({{"server", one.server},
                   {"running", one.running},
                   {"state", StateOf(one)},
                   {"age_ms", one.age ? Json(one.age->count()) : Json()},
                   {"bytes_before", known(one.bytes_before)},
                   {"bytes_after", known(one.bytes_after)},
                   {"bytes_freed", known(Freed(one))}});
  }
  return all;
}

void Show(const std::vector<CompactionInfo>& servers, Output& out) {
  if (out.json) return out.Value(ToJson(servers));
  std::vector<std::vector<std::string>> rows = {{"SERVER", "FILE BEFORE", "NOW", "FREED", "BEGUN", "STATE"}};
  for (const CompactionInfo& one : servers) {
    const bool was = one.age.has_value();
    rows.push_back({one.server, was ? Size(one.bytes_before) : "-", was ? Size(one.bytes_after) : "-",
                    was ? Size(Freed(one)) : "-", was ? AgeText(*one.age) : "-", StateOf(one)});
  }
  out.Listed(rows, "no server holds the table");
}

// The first failure. A compaction that reached its time limit has freed what it could.
Status Outcome(const std::vector<CompactionInfo>& servers) {
  for (const CompactionInfo& one : servers) {
    if (one.running || one.outcome.ok() || one.outcome.code() == Code::kDeadlineExceeded) continue;
    return Error(one.outcome.code(), "server " + one.server + ": " + one.outcome.message());
  }
  return {};
}

Status Compact(const CompactArguments& args, Context& context) {
  CompactTableOptions options{.server = args.server,
                              .start = !args.status,
                              .limit = std::chrono::duration_cast<std::chrono::seconds>(args.limit)};
  if (options.limit.count() < 1 || options.limit > std::chrono::hours(24)) {
    return Error(Code::kInvalidArgument, "--limit: write a duration from 1s to 24h");
  }
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(std::vector<CompactionInfo> servers, client.CompactTable(args.table, options));
  options.start = false;
  size_t told = 0;
  while (!args.status && !args.no_wait) {
    const auto running = static_cast<size_t>(std::ranges::count_if(servers, &CompactionInfo::running));
    if (running == 0) break;
    if (running != told)
      context.out.Note(Count(running, "server") + " still compacting; after Ctrl-C they continue by themselves");
    told = running;
    if (!Sleep(context, kCompactionPoll)) break;
    EBLA_ASSIGN(servers, client.CompactTable(args.table, options));
  }
  Show(servers, context.out);
  return Outcome(servers);
}

}  // namespace

void AddCompactVerbs(Verbs& verbs) {
  auto args = std::make_shared<CompactArguments>();
  verbs
      .Add("table compact", "Frees the disk space of deleted records; the table serves meanwhile",
           "table compact carts --server ts-1 --limit 1h", [args](Context& context) { return Compact(*args, context); })
      .StopsOnInterrupt()
      .Argument("TABLE", TakeText(args->table), "Each server stores all of its tablets of this table in one file")
      .Option("--server", "SERVER", TakeText(args->server), "Only on this server")
      .Option("--limit", "DURATION", TakeDuration(args->limit), "Time limit on each server (10m)")
      .Flag("--status", args->status, "Only shows the progress, or the result of the last compaction")
      .Flag("--no-wait", args->no_wait, "Returns as soon as the servers have begun");
}

}  // namespace ebla::shell
