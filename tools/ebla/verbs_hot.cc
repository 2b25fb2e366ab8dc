// Where the load is: hot.
#include <algorithm>
#include <cmath>
#include <map>

#include "tools/ebla/arguments.h"

namespace ebla::shell {

namespace {

// What one tablet takes: reads at any of its replicas, writes at its primary.
struct Heat {
  const TabletSummary* tablet = nullptr;
  TabletLoadInfo load;
  double of_table = 0;   // its part of the table's operations
  double of_server = 0;  // the primary's part in the operations of its server
  double operations() const { return load.reads_per_second + load.writes_per_second; }
};

Heat HeatOf(const TabletSummary& tablet) {
  Heat heat;
  heat.tablet = &tablet;
  for (const ReplicaReport& replica : tablet.replicas) {
    heat.load.reads_per_second += replica.load.reads_per_second;
    heat.load.read_bytes_per_second += replica.load.read_bytes_per_second;
    heat.load.cpu_micros_per_second += replica.load.cpu_micros_per_second;
    if (replica.server != tablet.primary) continue;
    heat.load.popular_key = replica.load.popular_key;
    heat.load.popular_part = replica.load.popular_part;
    heat.load.writes_per_second = replica.load.writes_per_second;
    heat.load.write_bytes_per_second = replica.load.write_bytes_per_second;
  }
  return heat;
}

double Part(double part, double whole) { return whole > 0 ? std::min(1.0, part / whole) : 0; }

// All of them, the busiest first.
std::vector<Heat> ByHeat(const std::vector<TabletSummary>& tablets) {
  std::map<std::string, double> of_tables;
  std::map<ServerName, double> of_servers;
  std::vector<Heat> all;
  for (const TabletSummary& tablet : tablets) {
    all.push_back(HeatOf(tablet));
    of_tables[tablet.table] += all.back().operations();
    for (const ReplicaReport& replica : tablet.replicas) {
      of_servers[replica.server] += replica.load.reads_per_second + replica.load.writes_per_second;
    }
  }
  for (Heat& heat : all) {
    heat.of_table = Part(heat.operations(), of_tables[heat.tablet->table]);
    const TabletLoadInfo at_primary = heat.tablet->load.value_or(TabletLoadInfo{});
    heat.of_server =
        Part(at_primary.reads_per_second + at_primary.writes_per_second, of_servers[heat.tablet->primary]);
  }
  std::ranges::stable_sort(all, std::greater<>(), &Heat::operations);
  return all;
}

std::string Percent(double part) { return Rounded(part * 100) + "%"; }

Json ToJson(const Heat& heat) {
  Json json = {{"id", heat.tablet->id.value},
               {"table", heat.tablet->table},
               {"range", RangeJson(heat.tablet->range)},
               {"primary", heat.tablet->primary},
               {"reads_per_second", heat.load.reads_per_second},
               {"writes_per_second", heat.load.writes_per_second},
               {"read_bytes_per_second", heat.load.read_bytes_per_second},
               {"write_bytes_per_second", heat.load.write_bytes_per_second},
               {"cpu_micros_per_second", heat.load.cpu_micros_per_second},
               {"of_table", heat.of_table},
               {"of_server", heat.of_server}};
  if (heat.load.popular_key.empty()) return json;
  PutBytes(json, "top_key", heat.load.popular_key);
  json["top_key_of_tablet"] = heat.load.popular_part;
  return json;
}

void Show(const std::vector<Heat>& hottest, Output& out) {
  std::vector<std::vector<std::string>> rows = {{"TABLET", "TABLE", "RANGE", "PRIMARY", "READS/S", "WRITES/S", "READ/S",
                                                 "WRITTEN/S", "CPU", "OF TABLE", "OF SERVER", "TOP KEY", "OF TABLET"}};
  for (const Heat& heat : hottest) {
    rows.push_back({std::to_string(heat.tablet->id.value), heat.tablet->table, heat.tablet->range.ToString(),
                    heat.tablet->primary.empty() ? "(none)" : heat.tablet->primary, Rounded(heat.load.reads_per_second),
                    Rounded(heat.load.writes_per_second), Size(std::llround(heat.load.read_bytes_per_second)),
                    Size(std::llround(heat.load.write_bytes_per_second)), Percent(heat.load.cpu_micros_per_second / 1e6),
                    Percent(heat.of_table), Percent(heat.of_server),
                    heat.load.popular_key.empty() ? "-" : "\"" + EscapeBytes(heat.load.popular_key) + "\"",
                    heat.load.popular_key.empty() ? "-" : Percent(heat.load.popular_part)});
  }
  out.Columns(rows);
}

}  // namespace

void AddHotVerbs(Verbs& verbs) {
  struct Arguments {
    std::string table;
    size_t most = 10;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("hot", "Shows the busiest tablets, their part in the load of their table and server, and the key that takes most of each",
                             "hot --tablets 5", [args](Context& context) -> Status {
                               EBLA_ASSIGN(const Client client, context.connect());
                               // The share of a server is known only from all of its tablets.
                               if (!args->table.empty()) {
                                 EBLA_ASSIGN([[maybe_unused]] const TableInfo known, client.DescribeTable(args->table));
                               }
                               EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListReplicas());
                               std::vector<Heat> hottest = ByHeat(tablets);
                               std::erase_if(hottest, [&](const Heat& heat) {
                                 return !args->table.empty() && heat.tablet->table != args->table;
                               });
                               hottest.resize(std::min(hottest.size(), args->most));
                               if (!context.out.json) {
                                 Show(hottest, context.out);
                                 return {};
                               }
                               Json all = Json::array();
                               for (const Heat& heat : hottest) all.push_back(ToJson(heat));
                               context.out.Value(all);
                               return {};
                             });
  verb->add_option("TABLE", args->table, "Only its tablets");
  verb->add_option("--tablets", args->most, "How many are shown")->check(CLI::Range(1, 10'000))->type_name("NUMBER");
}

}  // namespace ebla::shell
