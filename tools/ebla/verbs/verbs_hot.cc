// Shows the tablets with the most load: hot.
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
  const TabletLoadInfo& load = heat.load;
  const auto part = [](const std::optional<double>& known) { return known ? Json::Rounded(*known, 3) : Json(); };
  const bool top = !load.popular_key.empty();
  Json json = {{"id", heat.tablet->id.value},
               {"table", heat.tablet->table},
               {"range", RangeJson(heat.tablet->range)},
               {"primary", heat.tablet->primary.empty() ? Json() : Json(heat.tablet->primary)},
               {"reads_per_second", Json::Rounded(load.reads_per_second)},
               {"writes_per_second", Json::Rounded(load.writes_per_second)},
               {"read_bytes_per_second", Json::Rounded(load.read_bytes_per_second)},
               {"write_bytes_per_second", Json::Rounded(load.write_bytes_per_second)},
               {"cpu_micros_per_second", Json::Rounded(load.cpu_micros_per_second)},
               {"of_table", part(heat.of_table)},
               {"of_server", part(heat.of_server)}};
  PutBytes(json, "top_key", top ? std::optional<std::string_view>(load.popular_key) : std::nullopt);
  json["top_key_of_tablet"] = top ? Json::Rounded(load.popular_part, 3) : Json();
  return json;
}

void Show(const std::vector<Heat>& hottest, double operations, Output& out) {
  if (operations < kIdleBelow) {
    out.Line("the cluster is idle: " + Rounded(operations) + " operations/s in all; shares are shown from " +
             Rounded(kIdleBelow) + " on");
  }
  std::vector<std::vector<std::string>> rows = {{"TABLET", "TABLE", "RANGE", "PRIMARY", "READS/S", "WRITES/S",
                                                 "READ_BYTES/S", "WRITE_BYTES/S", "CPU", "OF_TABLE", "OF_SERVER",
                                                 "TOP_KEY", "OF_TABLET"}};
  for (const Heat& heat : hottest) {
    const bool known = !heat.load.popular_key.empty() && heat.operations() >= kIdleBelow;
    rows.push_back({std::to_string(heat.tablet->id.value), heat.tablet->table, RangeCell(heat.tablet->range),
                    heat.tablet->primary.empty() ? "(none)" : heat.tablet->primary, Rounded(heat.load.reads_per_second),
                    Rounded(heat.load.writes_per_second), SizeCell(std::llround(heat.load.read_bytes_per_second)),
                    SizeCell(std::llround(heat.load.write_bytes_per_second)),
                    Percent(heat.load.cpu_micros_per_second / 1e6), Percent(heat.of_table), Percent(heat.of_server),
                    known ? KeyCell(heat.load.popular_key) : "-", known ? Percent(heat.load.popular_part) : "-"});
  }
  out.Listed(rows, "there are no tablets");
}

struct HotArguments {
  std::string table;
  size_t most = 10;
};

Status Hot(const HotArguments& args, Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  if (!args.table.empty()) {
    EBLA_ASSIGN([[maybe_unused]] const TableInfo known, client.DescribeTable(args.table));
  }
  // The share of a server is known only from all of its tablets.
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client.ListReplicas());
  std::vector<Heat> hottest = ByHeat(tablets);
  const double operations = Operations(hottest);
  std::erase_if(hottest, [&](const Heat& heat) { return !args.table.empty() && heat.tablet->table != args.table; });
  hottest.resize(std::min(hottest.size(), args.most));
  if (!context.out.json) {
    Show(hottest, operations, context.out);
    return {};
  }
  Json all = Json::Array();
  for (const Heat& heat : hottest) all.push_back(ToJson(heat));
  context.out.Value(all);
  return {};
}

}  // namespace

void AddHotVerbs(Verbs& verbs) {
  auto args = std::make_shared<HotArguments>();
  verbs
      .Add("hot", "Shows the busiest tablets, and the key that takes most of the load of each", "hot --tablets 5",
           [args](Context& context) { return Hot(*args, context); })
      .Optional("TABLE", TakeText(args->table), "Only tablets of this table")
      .Option("--tablets", "NUMBER", TakeWhole(args->most, 1, 10'000), "How many tablets are shown (10)")
      .Notes(
          "OF_TABLE: the tablet's share of its table's operations. OF_SERVER: its share of its primary's server.\n"
          "OF_TABLET: the share of the top key. Shares are shown from 10 operations/s on.\n"
          "All rates are averages with a time constant of five seconds.");
}

}  // namespace ebla::shell
