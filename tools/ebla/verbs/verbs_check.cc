// Whether the catalog, the servers and the replicas agree: check.
#include <algorithm>
#include <future>
#include <set>

#include "common/base/count.h"
#include "tools/ebla/reports/check.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A difference may be a change under way, so it is a fault only after this many looks, this far apart; servers report
// every second.
constexpr milliseconds kCatalogWait{1'500};
// Followers learn within 150 ms of what is committed.
constexpr milliseconds kPageWait{200};
constexpr milliseconds kProgress{2'000};
constexpr size_t kNotComparedShown = 20;

struct CheckResult {
  std::vector<CheckFault> faults;
  std::vector<CheckFault> not_compared;  // no faults: under load, or on its way
  size_t tables = 0, tablets = 0, replicas = 0;
  int64_t records = 0;  // compared, of one replica each
  int64_t bytes = 0;
  bool interrupted = false;

  bool ok() const { return faults.empty() && not_compared.empty(); }
};

struct CheckLimits {
  int tries = 4;
  int64_t bytes_per_second = 0;
};

Result<CatalogView> Gather(const Client& client, const std::string& table) {
  CatalogView view;
  if (table.empty()) {
    EBLA_ASSIGN(view.tables, client.ListTables());
  } else {
    EBLA_ASSIGN(TableInfo one, client.DescribeTable(table));
    view.tables.push_back(std::move(one));
  }
  EBLA_ASSIGN(view.tablets, client.ListReplicas(table));
  EBLA_ASSIGN(view.servers, client.ListServers());
  return view;
}

// Compares the replicas of one tablet, page by page.
class ContentCheck {
 public:
  ContentCheck(Context& context, const Client& client, const CatalogView& view, const CheckLimits& limits,
               CheckResult& result)
      : context_(context), client_(client), view_(view), limits_(limits), result_(result) {}

  void Run() {
    for (size_t i = 0; i < view_.tablets.size() && !result_.interrupted; ++i) {
      const TabletSummary& tablet = view_.tablets[i];
      if (tablet.status != TabletStatus::kServing) {
        Miss(tablet, {}, tablet.status == TabletStatus::kCreating ? "it is being created" : "it is being dropped");
        continue;
      }
      progress_ = "tablet " + std::to_string(i + 1) + " of " + std::to_string(view_.tablets.size());
      Check(tablet);
    }
  }

 private:
  void Miss(const TabletSummary& tablet, const ServerName& server, std::string why) {
    result_.not_compared.push_back({tablet.table, tablet.id, server, std::move(why)});
  }

  // The live ones.
  std::vector<const ServerSummary*> HoldersOf(const TabletSummary& tablet) {
    std::vector<const ServerSummary*> holders;
    for (const ServerName& voter : tablet.voters) {
      const auto server = std::ranges::find(view_.servers, voter, &ServerSummary::name);
      if (server != view_.servers.end() && server->live) {
        holders.push_back(&*server);
      } else {
        Miss(tablet, voter, "its server is not live");
      }
    }
    return holders;
  }

  void Check(const TabletSummary& tablet) {
    const auto holders = HoldersOf(tablet);
    std::string from;
    while (!holders.empty()) {
      std::vector<ReplicaPage> pages;
      PageVerdict verdict;
      for (int attempt = 0; attempt < limits_.tries; ++attempt) {
        if (!Sleep(context_, attempt == 0 ? milliseconds(0) : kPageWait)) {
          result_.interrupted = true;
          return;
        }
        pages = Ask(holders, tablet, from);
        verdict = Compare(pages);
        if (!Throttle(pages)) return;
        if (verdict.comparison == Comparison::kEqual || verdict.comparison == Comparison::kDifferent) break;
      }
      const auto answered = std::ranges::find_if(pages, [](const ReplicaPage& page) { return page.page.has_value(); });
      if (verdict.comparison == Comparison::kDifferent) {
        result_.faults.push_back({tablet.table, tablet.id, verdict.server, "contents differ: " + verdict.why});
        return;
      }
      if (verdict.comparison == Comparison::kUnread) {
        result_.faults.push_back({tablet.table, tablet.id, verdict.server, "cannot be read: " + verdict.why});
        return;
      }
      if (verdict.comparison == Comparison::kMoving) {
        Miss(tablet, verdict.server, verdict.why);
        if (answered == pages.end()) return;
      } else {
        result_.records += answered->page->records;
        result_.bytes += answered->page->bytes;
      }
      if (!(answered->page->range == tablet.range)) return Miss(tablet, {}, "its range has changed meanwhile");
      if (answered->page->done) return;
      from = answered->page->next;
    }
  }

  // All at once, so that they are asked at about the same position.
  std::vector<ReplicaPage> Ask(const std::vector<const ServerSummary*>& holders, const TabletSummary& tablet,
                               const std::string& from) const {
    std::vector<std::future<Result<ChecksumPage>>> asked;
    for (const ServerSummary* server : holders) {
      asked.push_back(std::async(std::launch::async, [&, server] { return client_.Checksum(*server, tablet, from); }));
    }
    std::vector<ReplicaPage> pages;
    for (size_t i = 0; i < holders.size(); ++i) pages.push_back({holders[i]->name, asked[i].get()});
    return pages;
  }

  // Each server reads no more than that in a second, over time.
  bool Throttle(const std::vector<ReplicaPage>& pages) {
    int64_t most = 0;
    for (const ReplicaPage& page : pages) most = std::max(most, page.page ? page.page->bytes : 0);
    if (Clock::now() - progress_shown_ >= kProgress) {
      progress_shown_ = Clock::now();
      context_.out.Note(progress_ + ": " + Count(result_.records, "record") + ", " + Size(result_.bytes) + " compared");
    }
    if (Sleep(context_, milliseconds(most * 1'000 / limits_.bytes_per_second))) return true;
    result_.interrupted = true;
    return false;
  }

  Context& context_;
  const Client& client_;
  const CatalogView& view_;
  const CheckLimits limits_;
  CheckResult& result_;
  std::string progress_;
  Clock::time_point progress_shown_ = Clock::now();
};

struct CheckArguments {
  std::string table;
  std::optional<uint64_t> bytes_per_second;
  bool catalog_only = false;
  bool verbose = false;
  int tries = 4;
};

Result<CheckResult> Check(Context& context, const Client& client, const CheckArguments& args,
                          const CheckLimits& limits) {
  CheckResult result;
  EBLA_ASSIGN(CatalogView view, Gather(client, args.table));
  result.faults = CheckCatalog(view);
  for (int attempt = 1; attempt < limits.tries && !result.faults.empty(); ++attempt) {
    context.out.Note("something differs, perhaps only for a moment: comparing again");
    result.interrupted = !Sleep(context, kCatalogWait);
    if (result.interrupted) break;
    EBLA_ASSIGN(view, Gather(client, args.table));
    result.faults = CheckCatalog(view);
  }
  result.tables = view.tables.size();
  result.tablets = view.tablets.size();
  for (const TabletSummary& tablet : view.tablets) result.replicas += tablet.voters.size();
  if (!args.catalog_only && !result.interrupted) ContentCheck(context, client, view, limits, result).Run();
  return result;
}

Json ToJson(const std::vector<CheckFault>& faults) {
  Json all = Json::Array();
  for (const CheckFault& fault : faults) {
    all.push_back(
        {{"table", fault.table}, {"tablet", fault.tablet.value}, {"server", fault.server}, {"what", fault.what}});
  }
  return all;
}

// Leaves out what was missed of a replica that already has a fault.
std::vector<CheckFault> MissedOnly(const CheckResult& result) {
  std::set<std::pair<ServerName, TabletId>> faulty;
  for (const CheckFault& fault : result.faults) faulty.insert({fault.server, fault.tablet});
  std::vector<CheckFault> missed = result.not_compared;
  std::erase_if(
      missed, [&](const CheckFault& one) { return !one.server.empty() && faulty.contains({one.server, one.tablet}); });
  return missed;
}

// Each fault by itself, or those that are alike together.
std::vector<std::string> Lines(const std::vector<CheckFault>& faults, bool verbose) {
  std::vector<std::string> lines;
  if (verbose) {
    for (const CheckFault& fault : faults) lines.push_back(ToLine(Grouped({fault}).front()));
  } else {
    for (const CheckGroup& group : Grouped(faults)) lines.push_back(ToLine(group));
  }
  return lines;
}

void ShowMissed(const CheckResult& result, bool verbose, Output& out) {
  const std::vector<std::string> lines = Lines(verbose ? result.not_compared : MissedOnly(result), verbose);
  const size_t shown = verbose ? lines.size() : std::min(lines.size(), kNotComparedShown);
  for (size_t i = 0; i < shown; ++i) out.Line("not compared: " + lines[i]);
  if (shown < lines.size())
    out.Line("not compared: " + std::to_string(lines.size() - shown) + " more, which --verbose shows");
}

void Show(const CheckResult& result, bool contents, bool verbose, Output& out) {
  if (out.json) {
    return out.Value({{"ok", result.ok()},
                      {"tables", result.tables},
                      {"tablets", result.tablets},
                      {"replicas", result.replicas},
                      {"contents", contents},
                      {"records_compared", result.records},
                      {"bytes_compared", result.bytes},
                      {"faults", ToJson(result.faults)},
                      {"not_compared", ToJson(result.not_compared)}});
  }
  for (const std::string& line : Lines(result.faults, verbose)) out.Line("FAULT " + line);
  ShowMissed(result, verbose, out);
  const std::string verdict = !result.faults.empty() ? Count(result.faults.size(), "fault")
                              : result.ok()          ? "OK"
                                                     : "NOT ALL COMPARED";
  out.Line(verdict + "  " + Count(result.tables, "table") + ", " + Count(result.tablets, "tablet") + ", " +
           Count(result.replicas, "replica") +
           (contents ? "; " + Count(result.records, "record") + ", " + Size(result.bytes) + " compared" : ""));
}

Status Run(const CheckArguments& args, Context& context) {
  const uint64_t bytes_per_second = args.bytes_per_second.value_or(uint64_t{32} << 20);
  if (bytes_per_second < 1024) return Error(Code::kInvalidArgument, "--bytes-per-second must be 1KiB or more");
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const CheckResult result,
              Check(context, client, args, {args.tries, static_cast<int64_t>(bytes_per_second)}));
  Show(result, !args.catalog_only, args.verbose, context.out);
  if (result.interrupted) return Error(Code::kUnavailable, "interrupted: not everything was compared");
  context.exit_code = !result.faults.empty() ? 1 : result.ok() ? 0 : 3;
  return {};
}

}  // namespace

void AddCheckVerbs(Verbs& verbs) {
  auto args = std::make_shared<CheckArguments>();
  verbs
      .Add(
          "check",
          "Compares the catalog with the servers, and replicas with each other; the exit code shows whether they agree",
          "check carts", [args](Context& context) { return Run(*args, context); })
      .StopsOnInterrupt()
      .Optional("TABLE", TakeText(args->table), "Only this table")
      .Flag("--catalog-only", args->catalog_only, "Does not compare the records of the replicas")
      .Flag("--verbose", args->verbose, "Shows a line for each replica; without it, equal replicas share a line")
      .Option("--tries", "NUMBER", TakeWhole(args->tries, 1, 1'000),
              "Comparisons of a difference before it counts, because it may be a change under way (4)")
      .Option("--bytes-per-second", "SIZE", TakeSize(args->bytes_per_second),
              "Most bytes per second that each server reads; more finishes earlier and loads the servers more (32MiB)")
      .Notes(
          "Exit codes:\n"
          "  0  everything was compared, and agrees\n"
          "  1  something is wrong: the FAULT lines name it\n"
          "  2  wrong usage\n"
          "  3  no fault was found, but not everything was compared: a replica was behind, busy, away or\n"
          "     moving, Ctrl-C was pressed, or no master answered. Check again with less load, or with more --tries");
}

}  // namespace ebla::shell
