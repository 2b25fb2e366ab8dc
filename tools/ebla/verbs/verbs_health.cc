// Verbs that look at the whole cluster and judge: health.
#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <variant>

#include "common/base/count.h"
#include "tools/ebla/reports/health.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;

using Clock = std::chrono::steady_clock;

// Servers report every second; a transfer and a failover are over within this, as a rule.
constexpr milliseconds kPassing{4'000};
constexpr milliseconds kHealthPoll{500};

Result<ClusterState> Ask(const Client& client, ClusterInfo info) {
  ClusterState state;
  state.info = std::move(info);
  EBLA_ASSIGN(state.servers, client.ListServers());
  EBLA_ASSIGN(state.tables, client.ListTables());
  EBLA_ASSIGN(state.tablets, client.ListReplicas());
  EBLA_ASSIGN(Procedures procedures, client.ListProcedures());
  state.procedures = std::move(procedures.listed);
  EBLA_ASSIGN(const PlannerState planner, client.Planner());
  state.planner_on = planner.enabled;
  return state;
}

// The state to judge, or a health that explains why it is unknown.
std::variant<ClusterState, Health> LookOnce(const Client& client) {
  Result<ClusterInfo> info = client.DescribeCluster();
  if (!info) return Unknown(info.error());
  if (!info->from_leader) return NoLeader(*info);
  Result<ClusterState> state = Ask(client, *std::move(info));
  if (!state) return Unknown(state.error());
  return *std::move(state);
}

// A live server that has not reported to a new leader yet.
bool AwaitsReports(const ClusterState& state) {
  return std::ranges::any_of(state.servers,
                             [](const ServerSummary& server) { return server.live && !server.since_heartbeat; });
}

// Looks again for a few seconds before it reports a tablet as not served; a state that passes meanwhile is a note.
Health Look(const Client& client, const Context& context) {
  const auto until = Clock::now() + std::min(kPassing, context.deadline - kHealthPoll);
  std::optional<std::set<TabletId>> lasting;  // not served at any look
  while (true) {
    const auto seen = LookOnce(client);
    const bool last = Clock::now() + kHealthPoll > until;
    if (const Health* unknown = std::get_if<Health>(&seen)) {
      if (last || !Sleep(context, kHealthPoll)) return *unknown;
      continue;
    }
    const ClusterState& state = std::get<ClusterState>(seen);
    std::set<TabletId> passing = Unserved(state);
    if (!lasting) lasting = passing;
    std::erase_if(*lasting, [&](TabletId tablet) { return !passing.contains(tablet); });
    std::erase_if(passing, [&](TabletId tablet) { return lasting->contains(tablet); });
    const bool settled = lasting->empty() && !AwaitsReports(state) && JustBegun(state).empty();
    if (settled || last || !Sleep(context, kHealthPoll)) return Judge(state, passing);
  }
}

Json ToJson(const Health& health) {
  Json findings = Json::Array(), tables = Json::Array();
  for (const Finding& finding : health.findings) {
    findings.push_back({{"grade", Name(finding.grade)}, {"what", finding.what}, {"do", finding.action}});
  }
  for (const TableHealth& table : health.tables) {
    tables.push_back({{"table", table.table},
                      {"replicas", table.wanted},
                      {"tablets", table.tablets},
                      {"without_majority", table.without_majority},
                      {"without_primary", table.without_primary},
                      {"not_ready", table.not_ready},
                      {"changing", table.changing},
                      {"under_replicated", table.under_replicated},
                      {"failed", table.failed}});
  }
  return {{"health", Name(health.grade)},
          {"exit_code", static_cast<int>(health.grade)},
          {"live_servers", health.live_servers},
          {"known_servers", health.known_servers},
          {"tablets", health.tablets},
          {"copies", health.copies},
          {"findings", findings},
          {"notes", health.notes},
          {"tables", tables}};
}

// The tables that lack something, as many as fit a screen.
void ShowTables(const Health& health, Output& out) {
  constexpr size_t kShown = 10;
  std::vector<std::vector<std::string>> rows = {
      {"TABLE", "TABLETS", "REPLICAS", "WITHOUT_MAJORITY", "WITHOUT_PRIMARY", "NOT_READY", "UNDER_REPLICATED"}};
  size_t lacking = 0;
  for (const bool served : {false, true}) {
    for (const TableHealth& table : health.tables) {
      const int unserved = table.without_majority + table.without_primary + table.not_ready;
      if ((unserved == 0) != served || unserved + table.under_replicated == 0 || ++lacking > kShown) continue;
      rows.push_back({table.table, std::to_string(table.tablets), std::to_string(table.wanted),
                      std::to_string(table.without_majority), std::to_string(table.without_primary),
                      std::to_string(table.not_ready), std::to_string(table.under_replicated)});
    }
  }
  if (lacking > 0) out.Columns(rows);
  if (lacking > kShown) out.Line("and " + Count(lacking - kShown, "more table") + ": ebla --json health lists all");
}

void Show(const Health& health, Output& out) {
  out.Line(std::string(Name(health.grade)) + "  " + std::to_string(health.live_servers) + " of " +
           Count(health.known_servers, "server") + " live, " + Count(health.tables.size(), "table") + ", " +
           Count(health.tablets, "tablet") + ", " + Count(health.copies, "copy", "copies") + " under way");
  for (const Finding& finding : health.findings) {
    out.Line(std::string(Name(finding.grade)) + ": " + finding.what);
    out.Line("  -> " + finding.action);
  }
  for (const std::string& note : health.notes) out.Line("note: " + note);
  ShowTables(health, out);
}

}  // namespace

void AddHealthVerbs(Verbs& verbs) {
  verbs
      .Add("health", "Judges the cluster and advises what to do; the exit code is the grade",
           "health --json --deadline 3s",
           [](Context& context) -> Status {
             const Result<Client> client = context.connect();
             if (!client && client.error().code() == Code::kInvalidArgument) return client.error();
             const Health health = client ? Look(*client, context) : Unknown(client.error());
             if (context.out.json) {
               context.out.Value(ToJson(health));
             } else {
               Show(health, context.out);
             }
             context.exit_code = static_cast<int>(health.grade);
             return {};
           })
      .Notes(
          "Exit codes:\n"
          "  0  healthy: everything is served, by as many replicas as the tables ask for. Notes name what is\n"
          "     switched off or under way, such as a drain\n"
          "  1  degraded: everything is served, but redundancy is missing, or nothing is repaired (safe mode)\n"
          "  2  wrong usage\n"
          "  3  failing: something has not been served for four seconds, or no master answers. health looks\n"
          "     again during these seconds; a shorter --deadline shortens them");
}

}  // namespace ebla::shell
