// Verbs on tables: table create, alter, drop, list, describe.
#include <algorithm>
#include <fstream>

#include "common/base/count.h"
#include "ebla/level_names.h"
#include "tools/ebla/reports/listing.h"
#include "tools/ebla/verbs/arguments.h"
#include "tools/ebla/verbs/split_points.h"

namespace ebla::shell {

namespace {

// Options that create and alter share.
struct OptionArguments {
  int replicas = 0;
  std::string compression;
  uint64_t split_ops = 0;
  bool last_write_wins = false;
  bool memory = false;
  std::string evict;
  TableOptions options;

  void AddTo(Verb& verb, bool create) {
    verb.Option("--replicas", "NUMBER", TakeWhole(replicas, 1, 7),
                "Replicas of each tablet; more survive more failures (3, or one per live server if fewer)");
    verb.Option("--durability", "MODE", Durability(),
                "sync: every write is fsynced; interval=1s: the log is fsynced at least that often");
    if (create) {
      verb.Option("--compression", "KIND", TakeOneOf(compression, {"none", "snappy", "zlib"}),
                  "none, snappy or zlib; cannot be changed later");
      verb.Option("--key-group", "GROUP", KeyGroup(),
                  "Keys with the same prefix stay in one tablet: a number of bytes, or a delimiter such as ':' that "
                  "ends the prefix. all: the table is one tablet, which never splits. Cannot be changed later");
      verb.Flag("--last-write-wins", last_write_wins,
                "The write with the later time wins, at every level; cannot be changed later");
      verb.Flag("--memory", memory,
                "Records live in memory only: they are lost when every server with a replica restarts; cannot be "
                "changed later");
    }
    verb.Option("--memory-limit", "SIZE", TakeSize(options.memory_limit),
                "Most memory of a table in memory on each server; more holds more records");
    verb.Option("--evict", "WHAT", TakeOneOf(evict, {"lru", "lfu", "ttl", "none"}),
                "Which records a full table in memory evicts first: least recently used (lru), least often used (lfu), "
                "soonest to expire (ttl); none: it refuses writes");
    verb.Option("--default-ack", "LEVEL", TakeLevel(options.default_ack), "The level of writes that name none");
    verb.Option("--default-read", "LEVEL", TakeLevel(options.default_read), "The level of reads that name none");
    verb.Option("--default-ttl", "DURATION", TakeDuration(options.default_ttl),
                "Lifetime of a record whose put names no --ttl; 0 means for ever");
    verb.Option("--split-size", "SIZE", TakeSize(options.split_bytes),
                "Size above which a tablet is split; a larger size makes fewer tablets");
    verb.Option("--split-ops", "RATE", TakeWhole(split_ops, 1),
                "Operations per second above which a tablet is split; a larger rate makes fewer tablets");
    verb.Option("--merge-size", "SIZE", TakeSize(options.merge_bytes),
                "Size below which two neighbouring tablets are merged");
  }

  TableOptions Options() const {
    TableOptions all = options;
    if (replicas > 0) all.replicas = replicas;
    if (!compression.empty()) {
      all.compression = compression == "none"     ? TableCompression::kNone
                        : compression == "snappy" ? TableCompression::kSnappy
                                                  : TableCompression::kZlib;
    }
    if (last_write_wins) all.last_write_wins = true;
    if (memory) all.memory = true;
    if (const auto eviction = EvictionNamed(evict)) all.eviction = eviction;
    if (split_ops > 0) all.split_ops_per_second = split_ops;
    return all;
  }

 private:
  Take Durability() {
    return [this](std::string_view text) -> Status {
      if (text == "sync") {
        options.durability = TableDurability::kSync;
        return {};
      }
      if (text != "interval" && !text.starts_with("interval=")) {
        return Error(Code::kInvalidArgument, "\"" + std::string(text) + "\" is not sync, interval or interval=1s");
      }
      options.durability = TableDurability::kInterval;
      if (text != "interval") {
        using namespace std::chrono_literals;
        EBLA_ASSIGN(options.interval, ParseDuration(text.substr(9)));
        if (*options.interval < 10ms || *options.interval > 1min)
          return Error(Code::kInvalidArgument, "\"" + std::string(text) + "\": an interval is from 10ms to 1m");
      }
      return {};
    };
  }

  Take KeyGroup() {
    return [this](std::string_view text) -> Status {
      TableKeyGroup& group = options.key_group.emplace();
      if (text == "all") {
        group.all = true;
        return {};
      }
      if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
        EBLA_ASSIGN(const int64_t bytes, ParseWhole(text, 1, 256));
        group.prefix_bytes = static_cast<uint32_t>(bytes);
        return {};
      }
      EBLA_ASSIGN(const std::string bytes, UnescapeBytes(text));
      if (bytes.size() != 1) {
        return Error(
            Code::kInvalidArgument,
            "\"" + std::string(text) + "\" is neither a number of bytes (1 to 256) nor one delimiter, nor all");
      }
      group.delimiter = bytes.front();
      return {};
    };
  }
};

struct CreateSplitArguments {
  std::vector<std::string> split_points;
  std::string sample, pattern;
  size_t splits = 0;
  uint64_t count = 0;

  void AddTo(Verb& verb) {
    verb.Option("--split-points", "KEYS", TakeListOfBytes(split_points),
                "The keys at which tablets begin, for example f,m,t");
    verb.Option("--splits", "NUMBER", TakeWhole(splits, 1),
                "Number of tablets; --sample or --pattern decides where they begin");
    verb.Option("--sample", "PATH", TakeText(sample), "A file of typical keys, one per line");
    verb.Option("--pattern", "PATTERN", TakeText(pattern),
                "Pattern of the table's future keys, for example 'user%08d'");
    verb.Option("--count", "NUMBER", TakeWhole(count, 1), "Number of future keys of this pattern");
  }

  Result<std::vector<std::string>> Points() const {
    if (!split_points.empty() && (splits > 0 || !sample.empty() || !pattern.empty())) {
      return Error(Code::kInvalidArgument, "--split-points names the keys: leave out --splits, --sample and --pattern");
    }
    if (!split_points.empty()) return split_points;
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

constexpr const char* kCompressions[] = {"none", "snappy", "zlib"};

// Everything that an option may be, null where it is not set.
Json ToJson(const TableOptions& options) {
  const auto text = [](const auto& known, auto format) { return known ? Json(format(*known)) : Json(); };
  const auto ms = [](const auto& known) { return known ? Json(known->count()) : Json(); };
  const bool interval = options.durability == TableDurability::kInterval;
  const TableKeyGroup group = options.key_group.value_or(TableKeyGroup{});
  Json object = {
      {"replicas", options.replicas},
      {"compression",
       text(options.compression, [](TableCompression kind) { return kCompressions[static_cast<size_t>(kind) % 3]; })},
      {"durability", options.durability ? Json(interval ? "interval" : "sync") : Json()},
      {"sync_interval_ms", interval ? Json(options.interval.value_or(std::chrono::seconds(1)).count()) : Json()},
      {"key_group_bytes", group.prefix_bytes},
      {"key_group_all", group.all}};
  PutBytes(object, "key_group_delimiter",
           group.delimiter ? std::optional(std::string_view(&*group.delimiter, 1)) : std::nullopt);
  object.Update({{"last_write_wins", options.last_write_wins},
                 {"default_ack", text(options.default_ack, FormatAck)},
                 {"default_read", text(options.default_read, FormatRead)},
                 {"default_ttl_ms", ms(options.default_ttl)},
                 {"split_bytes", options.split_bytes},
                 {"split_ops_per_second", options.split_ops_per_second},
                 {"merge_bytes", options.merge_bytes}});
  if (options.memory.value_or(false)) {
    object.Update({{"memory", true},
                   {"memory_limit_bytes", options.memory_limit},
                   {"evict", text(options.eviction, FormatEviction)}});
  }
  return object;
}

bool IsOneGroup(const TableOptions& options) { return options.key_group && options.key_group->all; }

// The options that are set, for people.
std::vector<std::vector<std::string>> Rows(const TableOptions& options) {
  std::vector<std::vector<std::string>> rows;
  if (options.compression)
    rows.push_back({"compression", kCompressions[static_cast<size_t>(*options.compression) % 3]});
  if (options.memory.value_or(false)) rows.push_back({"kept in", "memory only"});
  if (options.memory_limit) {
    const bool none = *options.memory_limit == 0;
    rows.push_back(
        {"memory limit", none ? "the servers' own" : FormatBytes(*options.memory_limit) + " on each server"});
  }
  if (options.eviction) rows.push_back({"evict", FormatEviction(*options.eviction)});
  if (options.durability && !options.memory.value_or(false)) {
    const bool interval = *options.durability == TableDurability::kInterval;
    const auto often = options.interval.value_or(std::chrono::seconds(1));
    rows.push_back({"durability", interval ? "interval=" + FormatDuration(often) : "sync"});
  }
  if (options.key_group && options.key_group->prefix_bytes)
    rows.push_back({"key group", "the first " + Count(*options.key_group->prefix_bytes, "byte") + " of a key"});
  if (options.key_group && options.key_group->delimiter)
    rows.push_back({"key group", "up to \"" + EscapeBytes(std::string(1, *options.key_group->delimiter)) + "\""});
  if (IsOneGroup(options)) rows.push_back({"key group", "all of the table, so it is one tablet and never splits"});
  if (options.last_write_wins) rows.push_back({"last write wins", *options.last_write_wins ? "yes" : "no"});
  if (options.default_ack) rows.push_back({"default ack", FormatAck(*options.default_ack)});
  if (options.default_read) rows.push_back({"default read", FormatRead(*options.default_read)});
  if (options.default_ttl) {
    const bool never = options.default_ttl->count() == 0;
    rows.push_back({"default ttl", never ? "never expires" : FormatDuration(*options.default_ttl)});
  }
  if (options.split_bytes) rows.push_back({"split size", FormatBytes(*options.split_bytes)});
  if (options.split_ops_per_second)
    rows.push_back({"split ops", std::to_string(*options.split_ops_per_second) + " operations/s"});
  if (options.merge_bytes) rows.push_back({"merge size", FormatBytes(*options.merge_bytes)});
  return rows;
}

Json ToJson(const TableMemory& memory) {
  return {{"server", memory.server},           {"bytes", memory.bytes},     {"records", memory.records},
          {"limit_bytes", memory.limit_bytes}, {"evicted", memory.evicted}, {"refused", memory.refused}};
}

Json ToJson(const TableInfo& table) {
  Json object = {{"name", table.name},
                 {"id", table.id.value},
                 {"schema_version", table.schema_version},
                 {"tablets", table.tablets},
                 {"tablets_serving", table.tablets_serving},
                 {"replicas_least", table.replicas_least},
                 {"size_bytes", Counted(table.size_bytes)},
                 {"records", Counted(table.records)},
                 {"reads_per_second", Json::Rounded(table.reads_per_second)},
                 {"writes_per_second", Json::Rounded(table.writes_per_second)},
                 {"options", ToJson(table.options)}};
  if (!table.options.memory.value_or(false)) return object;
  Json memory = Json::Array();
  for (const TableMemory& one : table.memory) memory.push_back(ToJson(one));
  object.Update({{"memory", memory},
                 {"times_emptied", table.times_emptied},
                 {"emptied_ms_ago", table.since_emptied ? Json(table.since_emptied->count()) : Json()}});
  return object;
}

// The memory that a table in memory takes on each server, for people, and how often it has lost all records.
void AddMemory(const TableInfo& table, std::vector<std::vector<std::string>>& rows) {
  for (const TableMemory& one : table.memory) {
    std::string text = FormatBytes(static_cast<uint64_t>(one.bytes));
    if (one.limit_bytes > 0) text += " of " + FormatBytes(static_cast<uint64_t>(one.limit_bytes));
    text += ", " + Count(one.records, "record");
    if (one.evicted > 0) text += ", " + std::to_string(one.evicted) + " evicted";
    if (one.refused > 0) text += ", " + Count(one.refused, "write") + " refused because it was full";
    rows.push_back({"memory on " + one.server, text});
  }
  if (table.times_emptied == 0) return;
  std::string text =
      "tablets started empty " + Count(table.times_emptied, "time") + ", because no server had their records";
  if (table.since_emptied) text += " any more; the latest " + FormatDuration(*table.since_emptied) + " ago";
  rows.push_back({"lost all", text});
}

std::string Serving(const TableInfo& table) {
  return std::to_string(table.tablets_serving) + "/" + std::to_string(table.tablets);
}

bool LacksReplicas(const TableInfo& table) {
  return table.options.replicas && table.replicas_least > 0 && table.replicas_least < *table.options.replicas;
}

// "3", or "2/3" while there are too few servers or copies are being made.
std::string Replicas(const TableInfo& table) {
  const std::string wanted = std::to_string(table.options.replicas.value_or(0));
  return LacksReplicas(table) ? std::to_string(table.replicas_least) + "/" + wanted : wanted;
}

std::string Created(const TableInfo& table) {
  std::string text = Count(table.tablets, "tablet") + " of " + Count(std::max(table.replicas_least, 1), "replica");
  if (!LacksReplicas(table)) return text;
  return text + ", to be " + std::to_string(*table.options.replicas) + " once that many tablet servers are live";
}

constexpr const char* kNothingCounted = "not counted yet";

void AddCreate(Verbs& verbs) {
  struct Arguments {
    std::string name;
    OptionArguments options;
    CreateSplitArguments splits;
  };
  auto args = std::make_shared<Arguments>();
  Verb& verb = verbs.Add("table create", "Creates a table", "table create carts --split-points f,m,t",
                         [args](Context& context) -> Status {
                           CreateTableOptions options{.deadline = context.deadline};
                           options.table = args->options.Options();
                           EBLA_ASSIGN(options.split_points, args->splits.Points());
                           EBLA_ASSIGN(const Client client, context.connect());
                           EBLA_ASSIGN(const TableInfo table, client.CreateTable(args->name, std::move(options)));
                           context.out.Ok(Created(table), ToJson(table));
                           return {};
                         });
  verb.Argument("NAME", TakeText(args->name), "1 to 128 of the characters A-Z a-z 0-9 _ - .");
  args->options.AddTo(verb, true);
  args->splits.AddTo(verb);
  verb.Notes(
      "A batch writes keys of one tablet, and tablets split as they grow. If your batches\n"
      "write several keys, name a --key-group, so that these keys always stay in one tablet.");
}

void AddAlter(Verbs& verbs) {
  struct Arguments {
    std::string name;
    OptionArguments options;
  };
  auto args = std::make_shared<Arguments>();
  Verb& verb = verbs.Add("table alter", "Changes the options of a table", "table alter carts --default-ttl 7d",
                         [args](Context& context) -> Status {
                           const TableOptions changes = args->options.Options();
                           if (!changes.replicas && Rows(changes).empty())
                             return Error(Code::kInvalidArgument, "nothing to change: see help table alter");
                           EBLA_ASSIGN(const Client client, context.connect());
                           EBLA_ASSIGN(const TableInfo table, client.AlterTable(args->name, changes));
                           context.out.Ok("schema version " + std::to_string(table.schema_version), ToJson(table));
                           return {};
                         });
  verb.Argument("TABLE", TakeText(args->name));
  args->options.AddTo(verb, false);
}

void AddDrop(Verbs& verbs) {
  struct Arguments {
    std::string name;
    bool yes = false;
  };
  auto args = std::make_shared<Arguments>();
  verbs
      .Add("table drop", "Drops a table and all its records", "table drop carts --yes",
           [args](Context& context) -> Status {
             EBLA_ASSIGN(const Client client, context.connect());
             EBLA_ASSIGN(const TableInfo table, client.DescribeTable(args->name));
             const std::string records =
                 table.records > 0 ? "about " + Count(table.records, "record") : std::string("all its records");
             EBLA_TRY(Confirm(context, args->yes, "drops table " + args->name + " with " + records));
             EBLA_TRY(client.DropTable(args->name));
             context.out.Ok();
             return {};
           })
      .Argument("TABLE", TakeText(args->name))
      .Dangerous(args->yes)
      .Notes("A dropped table cannot be brought back. If you are not sure, dump it first.");
}

Status ListTables(Context& context) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const std::vector<TableInfo> tables, client.ListTables());
  if (context.out.json) {
    Json all = Json::Array();
    for (const TableInfo& table : tables) all.push_back(ToJson(table));
    context.out.Value(all);
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"TABLE", "TABLETS", "REPLICAS", "RECORDS", "SIZE", "READS/S", "WRITES/S"}};
  for (const TableInfo& table : tables) {
    const char* const splits = IsOneGroup(table.options) ? " (one group)" : "";
    rows.push_back({table.name, Serving(table) + splits, Replicas(table), Records(table.records),
                    Bytes(table.size_bytes), Rounded(table.reads_per_second), Rounded(table.writes_per_second)});
  }
  context.out.Listed(rows, "there are no tables");
  return {};
}

void AddList(Verbs& verbs) {
  verbs.Add("table list", "Lists the tables", "table list", ListTables)
      .Notes(std::string("TABLETS: how many serve, of how many. One group: the table never splits. ") + kEstimates);
}

Status Describe(Context& context, const std::string& name) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_ASSIGN(const TableInfo table, client.DescribeTable(name));
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
  if (table.options.replicas) rows.push_back({"replicas", Replicas(table)});
  for (std::vector<std::string>& row : Rows(table.options)) rows.push_back(std::move(row));
  AddMemory(table, rows);
  context.out.Columns(rows);
  return {};
}

void AddDescribe(Verbs& verbs) {
  auto name = std::make_shared<std::string>();
  verbs
      .Add("table describe", "Shows the options and the size of a table", "table describe carts",
           [name](Context& context) { return Describe(context, *name); })
      .Argument("TABLE", TakeText(*name))
      .Notes(kEstimates);
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
