// Where the load is: hot.
#include <algorithm>
#include <cmath>
#include <optional>

#include "tools/ebla/reports/hot.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

std::string Percent(double part) { return Rounded(part * 100) + "%"; }
std::string Percent(std::optional<double> part) { return part ? Percent(*part) : "-"; }

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
               {"of_table", heat.of_table ? Json(*heat.of_table) : Json(nullptr)},
               {"of_server", heat.of_server ? Json(*heat.of_server) : Json(nullptr)}};
  if (heat.load.popular_key.empty()) return json;
  PutBytes(json, "top_key", heat.load.popular_key);
  json["top_key_of_tablet"] = heat.load.popular_part;
  return json;
}

void Show(const std::vector<Heat>& hottest, double operations, Output& out) {
  if (operations < kIdleBelow) {
    out.Line("the cluster is idle: " + Rounded(operations) + " operations/s in all; shares are shown from " +
             Rounded(kIdleBelow) + " on");
  }
  std::vector<std::vector<std::string>> rows = {{"TABLET", "TABLE", "RANGE", "PRIMARY", "READS/S", "WRITES/S", "READ/S",
                                                 "WRITTEN/S", "CPU", "OF TABLE", "OF SERVER", "TOP KEY", "OF TABLET"}};
  for (const Heat& heat : hottest) {
    const bool known = !heat.load.popular_key.empty() && heat.operations() >= kIdleBelow;
    rows.push_back({std::to_string(heat.tablet->id.value), heat.tablet->table, heat.tablet->range.ToString(),
                    heat.tablet->primary.empty() ? "(none)" : heat.tablet->primary, Rounded(heat.load.reads_per_second),
                    Rounded(heat.load.writes_per_second), Size(std::llround(heat.load.read_bytes_per_second)),
                    Size(std::llround(heat.load.write_bytes_per_second)),
                    Percent(heat.load.cpu_micros_per_second / 1e6), Percent(heat.of_table), Percent(heat.of_server),
                    known ? "\"" + EscapeBytes(heat.load.popular_key) + "\"" : "-",
                    known ? Percent(heat.load.popular_part) : "-"});
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
  CLI::App* verb = verbs.Add("hot",
                             "Shows the busiest tablets, their part in the load of their table and server, and the key "
                             "that takes most of each",
                             "hot --tablets 5", [args](Context& context) -> Status {
                               EBLA_ASSIGN(const Client client, context.connect());
                               // The share of a server is known only from all of its tablets.
                               if (!args->table.empty()) {
                                 EBLA_ASSIGN([[maybe_unused]] const TableInfo known, client.DescribeTable(args->table));
                               }
                               EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListReplicas());
                               std::vector<Heat> hottest = ByHeat(tablets);
                               const double operations = Operations(hottest);
                               std::erase_if(hottest, [&](const Heat& heat) {
                                 return !args->table.empty() && heat.tablet->table != args->table;
                               });
                               hottest.resize(std::min(hottest.size(), args->most));
                               if (!context.out.json) {
                                 Show(hottest, operations, context.out);
                                 return {};
                               }
                               Json all = Json::array();
                               for (const Heat& heat : hottest) all.push_back(ToJson(heat));
                               context.out.Value(all);
                               return {};
                             });
  verb->footer(verb->get_footer() + std::string("\n\nOF TABLE, OF SERVER: the tablet's part in the operations of its "
                                                "table, and its primary's in those of its server; OF TABLET: the\n"
                                                "top key's. They are shown from 10 operations/s on: below, \"-\"."));
  verb->add_option("TABLE", args->table, "Only its tablets");
  verb->add_option("--tablets", args->most, "How many are shown")->check(CLI::Range(1, 10'000))->type_name("NUMBER");
}

}  // namespace ebla::shell
