// Verbs on tables: table create, alter, drop, list, describe.
#include <algorithm>
#include <fstream>

#include "common/base/count.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/split_points.h"

namespace ebla::shell {

namespace {

// What create and alter have in common.
struct OptionArguments {
  int replicas = 0;
  std::string compression, durability, key_group, default_ack, default_read, default_ttl, split_size, merge_size;
  uint64_t split_ops = 0;
  bool last_write_wins = false;

  void AddTo(CLI::App* verb, bool create) {
    verb->add_option("--replicas", replicas, "Copies of each tablet (3, or as many as servers live)")
        ->check(CLI::Range(1, 7));
    verb->add_option("--durability", durability, "sync, or interval=1s: fsynced at least that often")
        ->type_name("MODE");
    if (create) {
      verb->add_option("--compression", compression, "none, snappy or zlib; for life")->type_name("KIND");
      verb->add_option("--key-group", key_group,
                       "What no split cuts: a number of bytes, or a delimiter as ':'; for life");
      verb->add_flag("--last-write-wins", last_write_wins, "The later write wins at every level; for life");
    }
    verb->add_option("--default-ack", default_ack, "Of writes that say none")->type_name("LEVEL");
    verb->add_option("--default-read", default_read, "Of reads that say none")->type_name("LEVEL");
    verb->add_option("--default-ttl", default_ttl, "Of puts that say none; 0: never")->type_name("DURATION");
    verb->add_option("--split-size", split_size, "A larger tablet is split")->type_name("SIZE");
    verb->add_option("--split-ops", split_ops, "A busier tablet is split, in operations/s")->check(Positive());
    verb->add_option("--merge-size", merge_size, "Smaller neighbours are merged")->type_name("SIZE");
  }

  Result<TableOptions> Options() const {
    TableOptions options;
    if (replicas > 0) options.replicas = replicas;
    if (!compression.empty()) {
      if (compression != "none" && compression != "snappy" && compression != "zlib") {
        return Error(Code::kInvalidArgument, "--compression " + compression + ": write none, snappy or zlib");
      }
      options.compression = compression == "none"     ? TableCompression::kNone
                            : compression == "snappy" ? TableCompression::kSnappy
                                                      : TableCompression::kZlib;
    }
    EBLA_TRY(FillDurability(options));
    if (!key_group.empty()) {
      EBLA_ASSIGN(options.key_group, KeyGroup());
    }
    if (last_write_wins) options.last_write_wins = true;
    if (!default_ack.empty()) {
      EBLA_ASSIGN(options.default_ack, ParseAck(default_ack));
    }
    if (!default_read.empty()) {
      EBLA_ASSIGN(options.default_read, ParseRead(default_read));
    }
    if (!default_ttl.empty()) {
      EBLA_ASSIGN(options.default_ttl, ParseDuration(default_ttl));
    }
    if (!split_size.empty()) {
      EBLA_ASSIGN(options.split_bytes, ParseBytes(split_size));
    }
    if (split_ops > 0) options.split_ops_per_second = split_ops;
    if (!merge_size.empty()) {
      EBLA_ASSIGN(options.merge_bytes, ParseBytes(merge_size));
    }
    return options;
  }

 private:
  Status FillDurability(TableOptions& options) const {
    if (durability.empty()) return {};
    if (durability == "sync") {
      options.durability = TableDurability::kSync;
      return {};
    }
    if (durability != "interval" && !durability.starts_with("interval=")) {
      return Error(Code::kInvalidArgument, "--durability " + durability + ": write sync, interval or interval=1s");
    }
    options.durability = TableDurability::kInterval;
    if (durability != "interval") {
      EBLA_ASSIGN(options.interval, ParseDuration(std::string_view(durability).substr(9)));
    }
    return {};
  }

  Result<TableKeyGroup> KeyGroup() const {
    TableKeyGroup group;
    if (key_group.find_first_not_of("0123456789") == std::string::npos && key_group.size() <= 3) {
      group.prefix_bytes = static_cast<uint32_t>(std::stoul(key_group));
      return group;
    }
    EBLA_ASSIGN(const std::string bytes, UnescapeBytes(key_group));
    if (bytes.size() != 1) {
      return Error(Code::kInvalidArgument,
                   "--key-group " + key_group + ": write a number of bytes (1 to 256) or one delimiter");
    }
    group.delimiter = bytes.front();
    return group;
  }
};

struct SplitArguments {
  std::string split_points, sample, pattern;
  size_t splits = 0;
  uint64_t count = 0;

  void AddTo(CLI::App* verb) {
    verb->add_option("--split-points", split_points, "Where to cut, as f,m,t")->type_name("KEYS");
    verb->add_option("--splits", splits, "How many tablets to make, cut as --sample or --pattern say")
        ->type_name("N")
        ->check(Positive());
    verb->add_option("--sample", sample, "A file with one key per line, like those to come")->type_name("PATH");
    verb->add_option("--pattern", pattern, "Keys are numbered so, as 'user%08d'")->type_name("PATTERN");
    verb->add_option("--count", count, "How many keys the pattern has")->type_name("M")->check(Positive());
  }

  Result<std::vector<std::string>> Points() const {
    if (!split_points.empty() && (splits > 0 || !sample.empty() || !pattern.empty())) {
      return Error(Code::kInvalidArgument, "--split-points says it all: leave out --splits, --sample and --pattern");
    }
    if (!split_points.empty()) return ParseList(split_points);
    if (splits == 0 && sample.empty() && pattern.empty() && count == 0) return std::vector<std::string>();
    if (splits == 0)
      return Error(Code::kInvalidArgument, "--sample and --pattern need --splits, the number of tablets");
    if (sample.empty() == pattern.empty()) {
      return Error(Code::kInvalidArgument,
                   "--splits needs --sample FILE or --pattern 'user%08d' --count M, one of the two");
    }
    if (splits == 1) return std::vector<std::string>();
    EBLA_ASSIGN(std::vector<std::string> keys, SampleKeys(sample, pattern, count));
    return SplitByQuantiles(std::move(keys), splits);
  }
};

Json ToJson(const TableOptions& options) {
  static constexpr const char* kCompressions[] = {"none", "snappy", "zlib"};
  Json object = Json::object();
  if (options.replicas) object["replicas"] = *options.replicas;
  if (options.compression) object["compression"] = kCompressions[static_cast<size_t>(*options.compression) % 3];
  if (options.durability) {
    const bool interval = *options.durability == TableDurability::kInterval;
    object["durability"] =
        interval ? "interval=" + FormatDuration(options.interval.value_or(std::chrono::seconds(1))) : "sync";
  }
  if (options.key_group && options.key_group->prefix_bytes)
    object["key_group"] = std::to_string(*options.key_group->prefix_bytes);
  if (options.key_group && options.key_group->delimiter)
    object["key_group"] = EscapeBytes(std::string(1, *options.key_group->delimiter));
  if (options.last_write_wins) object["last_write_wins"] = *options.last_write_wins;
  if (options.default_ack) object["default_ack"] = FormatAck(*options.default_ack);
  if (options.default_read) object["default_read"] = FormatRead(*options.default_read);
  if (options.default_ttl) object["default_ttl"] = FormatDuration(*options.default_ttl);
  if (options.split_bytes) object["split_size"] = *options.split_bytes;
  if (options.split_ops_per_second) object["split_ops"] = *options.split_ops_per_second;
  if (options.merge_bytes) object["merge_size"] = *options.merge_bytes;
  return object;
}

Json ToJson(const TableInfo& table) {
  return {{"name", table.name},
          {"id", table.id.value},
          {"schema_version", table.schema_version},
          {"tablets", table.tablets},
          {"tablets_serving", table.tablets_serving},
          {"replicas_least", table.replicas_least},
          {"size_bytes", table.size_bytes},
          {"records", table.records},
          {"reads_per_second", table.reads_per_second},
          {"writes_per_second", table.writes_per_second},
          {"options", ToJson(table.options)}};
}

std::string Serving(const TableInfo& table) {
  return std::to_string(table.tablets_serving) + "/" + std::to_string(table.tablets);
}

bool LacksReplicas(const TableInfo& table) {
  return table.options.replicas && table.replicas_least > 0 && table.replicas_least < *table.options.replicas;
}

// "3", or "2 of 3" while there are too few servers or copies are being made.
std::string Replicas(const TableInfo& table) {
  const std::string wanted = std::to_string(table.options.replicas.value_or(0));
  return LacksReplicas(table) ? std::to_string(table.replicas_least) + " of " + wanted : wanted;
}

std::string Created(const TableInfo& table) {
  const std::string text =
      Count(table.tablets, "tablet") + " of " + Count(std::max(table.replicas_least, 1), "replica");
  if (!LacksReplicas(table)) return text;
  return text + ", to be " + std::to_string(*table.options.replicas) + " once as many tablet servers live";
}

constexpr const char* kNothingCounted = "nothing counted (yet)";
constexpr const char* kCounted =
    "\n\nTABLETS: those that serve, of all. RECORDS and SIZE are estimates, made every ten seconds; of tablets beyond "
    "a thousand records of\n"
    "what is on the disk, compressed, so that the latest minute's writes may be missing. \"-\": nothing counted (yet).";

void AddCreate(Verbs& verbs) {
  struct Arguments {
    std::string name;
    OptionArguments options;
    SplitArguments splits;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("table create", "Makes a table", "table create carts --split-points f,m,t",
                             [args](Context& context) -> Status {
                               CreateTableOptions options{.deadline = context.deadline};
                               EBLA_ASSIGN(options.table, args->options.Options());
                               EBLA_ASSIGN(options.split_points, args->splits.Points());
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_ASSIGN(const TableInfo table, client.CreateTable(args->name, std::move(options)));
                               context.out.Ok(Created(table), ToJson(table));
                               return {};
                             });
  verb->add_option("NAME", args->name, "1 to 128 of A-Z a-z 0-9 _ - .")->required();
  args->options.AddTo(verb, true);
  args->splits.AddTo(verb);
}

void AddAlter(Verbs& verbs) {
  struct Arguments {
    std::string name;
    OptionArguments options;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("table alter", "Changes a table's options", "table alter carts --default-ttl 7d",
                             [args](Context& context) -> Status {
                               EBLA_ASSIGN(const TableOptions changes, args->options.Options());
                               if (ToJson(changes).empty())
                                 return Error(Code::kInvalidArgument, "nothing to change: see help table alter");
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_ASSIGN(const TableInfo table, client.AlterTable(args->name, changes));
                               context.out.Ok("schema version " + std::to_string(table.schema_version), ToJson(table));
                               return {};
                             });
  verb->add_option("TABLE", args->name)->required();
  args->options.AddTo(verb, false);
}

void AddDrop(Verbs& verbs) {
  auto name = std::make_shared<std::string>();
  CLI::App* verb = verbs.Add("table drop", "Drops a table and all its records", "table drop carts",
                             [name](Context& context) -> Status {
                               EBLA_ASSIGN(const Client client, context.connect());
                               EBLA_TRY(client.DropTable(*name));
                               context.out.Ok();
                               return {};
                             });
  verb->add_option("TABLE", *name)->required();
}

void AddList(Verbs& verbs) {
  CLI::App* verb = verbs.Add("table list", "Lists the tables", "table list", [](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const std::vector<TableInfo> tables, client.ListTables());
    if (context.out.json) {
      Json all = Json::array();
      for (const TableInfo& table : tables) all.push_back(ToJson(table));
      context.out.Value(all);
      return {};
    }
    std::vector<std::vector<std::string>> rows = {
        {"TABLE", "TABLETS", "REPLICAS", "RECORDS", "SIZE", "READS/S", "WRITES/S"}};
    for (const TableInfo& table : tables) {
      rows.push_back({table.name, Serving(table), Replicas(table), Records(table.records), Bytes(table.size_bytes),
                      Rounded(table.reads_per_second), Rounded(table.writes_per_second)});
    }
    context.out.Columns(rows);
    return {};
  });
  verb->footer(verb->get_footer() + kCounted);
}

void AddDescribe(Verbs& verbs) {
  auto name = std::make_shared<std::string>();
  CLI::App* verb = verbs.Add(
      "table describe", "Shows a table's options and size", "table describe carts", [name](Context& context) -> Status {
        EBLA_ASSIGN(const Client client, context.connect());
        EBLA_ASSIGN(const TableInfo table, client.DescribeTable(*name));
        if (context.out.json) {
          context.out.Value(ToJson(table));
          return {};
        }
        std::vector<std::vector<std::string>> rows = {
            {"table", table.name},
            {"id", std::to_string(table.id.value)},
            {"tablets serving", Serving(table)},
            {"records", table.records > 0 ? "about " + std::to_string(table.records) : kNothingCounted},
            {"size", table.size_bytes > 0 ? "about " + Size(table.size_bytes) : kNothingCounted},
            {"schema version", std::to_string(table.schema_version)}};
        const Json options = ToJson(table.options);
        for (const auto& [option, value] : options.items()) {
          if (option == "replicas") {
            rows.push_back({"replicas", Replicas(table)});
            continue;
          }
          std::string label = option;
          std::ranges::replace(label, '_', ' ');
          rows.push_back({label, value.is_string() ? value.get<std::string>() : value.dump()});
        }
        context.out.Columns(rows);
        return {};
      });
  verb->footer(verb->get_footer() + kCounted);
  verb->add_option("TABLE", *name)->required();
}

}  // namespace

void AddTableVerbs(Verbs& verbs) {
  AddCreate(verbs);
  AddAlter(verbs);
  AddDrop(verbs);
  AddList(verbs);
  AddDescribe(verbs);
}

}  // namespace ebla::shell
