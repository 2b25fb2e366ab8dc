// Verbs that look at the whole cluster and judge: health.
#include <algorithm>
#include <chrono>

#include "tools/ebla/arguments.h"
#include "tools/ebla/health.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;

// A tablet that has just changed its members or its leader is not led, as far as the last report says; servers report
// every second.
constexpr int kLooks = 3;
constexpr milliseconds kLookAgain{700};

Result<ClusterState> Ask(const Client& client, ClusterInfo info) {
  ClusterState state;
  state.info = std::move(info);
  EBLA_ASSIGN(state.servers, client.ListServers());
  EBLA_ASSIGN(state.tables, client.ListTables());
  EBLA_ASSIGN(state.tablets, client.ListReplicas());
  return state;
}

bool MayPass(const Health& health) {
  return std::ranges::any_of(health.tables, [](const TableHealth& table) { return table.without_leader + table.not_ready > 0; });
}

Health LookOnce(const Client& client) {
  Result<ClusterInfo> info = client.DescribeCluster();
  if (!info) return Unknown(info.error());
  if (!info->from_leader) return NobodyLeads(*info);
  const Result<ClusterState> state = Ask(client, *std::move(info));
  return state ? Judge(*state) : Unknown(state.error());
}

Health Look(const Client& client, const Context& context) {
  Health health = LookOnce(client);
  const auto until = std::chrono::steady_clock::now() + context.deadline - kLookAgain;
  for (int look = 1; look < kLooks && MayPass(health) && !context.interrupted; ++look) {
    if (std::chrono::steady_clock::now() >= until) break;
    if (!Sleep(context, kLookAgain)) break;
    health = LookOnce(client);
  }
  return health;
}

Json ToJson(const Health& health) {
  Json findings = Json::array(), tables = Json::array();
  for (const Finding& finding : health.findings) {
    findings.push_back({{"grade", Name(finding.grade)}, {"what", finding.what}, {"do", finding.action}});
  }
  for (const TableHealth& table : health.tables) {
    tables.push_back({{"table", table.table},
                      {"replicas", table.wanted},
                      {"tablets", table.tablets},
                      {"without_majority", table.without_majority},
                      {"without_leader", table.without_leader},
                      {"not_ready", table.not_ready},
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
          {"tables", tables}};
}

void Show(const Health& health, Output& out) {
  out.Line(std::string(Name(health.grade)) + "  " + std::to_string(health.live_servers) + " of " +
           std::to_string(health.known_servers) + " servers live, " + std::to_string(health.tables.size()) + " tables, " +
           std::to_string(health.tablets) + " tablets, " + std::to_string(health.copies) + " copies under way");
  for (const Finding& finding : health.findings) {
    out.Line(std::string(Name(finding.grade)) + ": " + finding.what);
    out.Line("  -> " + finding.action);
  }
  std::vector<std::vector<std::string>> rows = {
      {"TABLE", "TABLETS", "REPLICAS", "NO MAJORITY", "NO LEADER", "NOT READY", "TOO FEW REPLICAS"}};
  for (const TableHealth& table : health.tables) {
    if (table.without_majority + table.without_leader + table.not_ready + table.under_replicated == 0) continue;
    rows.push_back({table.table, std::to_string(table.tablets), std::to_string(table.wanted),
                    std::to_string(table.without_majority), std::to_string(table.without_leader),
                    std::to_string(table.not_ready), std::to_string(table.under_replicated)});
  }
  if (rows.size() > 1) out.Columns(rows);
}

}  // namespace

void AddHealthVerbs(Verbs& verbs) {
  verbs.Add("health",
            "Judges the cluster and says what to do; exit code 0 healthy, 1 degraded, 2 something is not served",
            "health --json --deadline 3s", [](Context& context) -> Status {
              EBLA_ASSIGN(const Client client, context.connect());
              const Health health = Look(client, context);
              if (context.out.json) {
                context.out.Value(ToJson(health));
              } else {
                Show(health, context.out);
              }
              context.exit_code = static_cast<int>(health.grade);
              return {};
            });
}

}  // namespace ebla::shell
