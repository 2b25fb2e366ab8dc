#include "master/balancer/planner/view_json.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tuple>
#include <type_traits>

namespace ebla::master {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;
// Of any number: ids, bytes and milliseconds stay far below.
constexpr double kNumberMax = 9e15;

constexpr std::array kFindings = {"none", "key", "popular key", "one direction"};
constexpr std::array kStates = {"settled", "unsettled", "intent open", "copying"};
constexpr const auto& NamesOf(SplitFinding) { return kFindings; }
constexpr const auto& NamesOf(TabletState) { return kStates; }

// ---- the fields of each kind of line: one list, by which it is written and read ----

// `of` gets the member; `key`: bytes, which are escaped.
template <class Of>
struct Field {
  const char* name;
  Of of;
  bool key = false;
};

#define FIELD_AS(name, path)                        \
  Field {                                           \
    name, [](auto& in) -> auto& { return in.path; } \
  }
#define FIELD(path) FIELD_AS(#path, path)
#define KEY_AS(name, path)                                \
  Field {                                                 \
    name, [](auto& in) -> auto& { return in.path; }, true \
  }

template <class T>
constexpr auto kFields = nullptr;
template <>
constexpr auto kFields<Rates> =
    std::tuple{FIELD(reads), FIELD(writes), FIELD(read_bytes), FIELD(write_bytes), FIELD(cpu)};
template <>
constexpr auto kFields<Streak> = std::tuple{FIELD_AS("since_ms", since), FIELD_AS("seen_ms", seen), FIELD(samples)};
template <>
constexpr auto kFields<TableView> = std::tuple{FIELD(name),
                                               FIELD(replicas),
                                               FIELD(split_bytes),
                                               FIELD(split_operations),
                                               FIELD(split_cores),
                                               FIELD(merge_part),
                                               FIELD_AS("group_prefix_bytes", key_group.prefix_bytes),
                                               KEY_AS("group_delimiter", key_group.delimiter)};
template <>
constexpr auto kFields<PlannedServer> =
    std::tuple{FIELD(rack),           FIELD(lost), FIELD(maintenance),     FIELD(draining),        FIELD(surplus),
               FIELD(writes_refused), FIELD(cpu),  FIELD(disk_free_bytes), FIELD(disk_total_bytes)};
// But for its table and its members, which are names there and indexes here.
template <>
constexpr auto kFields<TabletView> = std::tuple{KEY_AS("start", range.start),
                                                KEY_AS("end", range.end),
                                                FIELD(state),
                                                FIELD(learners_level),
                                                FIELD(size_bytes),
                                                FIELD(led),
                                                FIELD(followed),
                                                FIELD_AS("peak_operations", peaks.operations),
                                                FIELD_AS("peak_cpu", peaks.cpu),
                                                FIELD_AS("history_ms", history),
                                                FIELD(finding),
                                                KEY_AS("split_key", split_key),
                                                KEY_AS("middle_key", middle_key),
                                                FIELD_AS("last_split_ms", last_split),
                                                FIELD_AS("last_merge_ms", last_merge),
                                                FIELD_AS("last_failed_ms", last_failed),
                                                FIELD_AS("held_until_ms", held_until)};
template <>
constexpr auto kFields<TabletMemory> = std::tuple{FIELD(over),        FIELD_AS("left_alone_until_ms", left_alone_until),
                                                  FIELD(actions),     FIELD_AS("acted_ms", acted),
                                                  FIELD(moving_from), FIELD(moving_to),
                                                  FIELD(led)};
// The part of the planner's memory about the cluster as a whole.
template <>
constexpr auto kFields<PlannerMemory> =
    std::tuple{FIELD_AS("began_ms", began), FIELD_AS("scale_over", scale.over), FIELD_AS("scale_under", scale.under),
               FIELD_AS("grown_ms", scale.grown), FIELD_AS("released_ms", scale.released)};
// But for the margins, which are one for each dimension.
template <>
constexpr auto kFields<PlannerOptions> = std::tuple{FIELD_AS("gap_max_ms", gap_max),
                                                    FIELD(rejected_max),
                                                    FIELD(splits),
                                                    FIELD(merges),
                                                    FIELD(balances),
                                                    FIELD(disk_kept_free),
                                                    FIELD_AS("split_sustained_ms", split.sustained),
                                                    FIELD_AS("split_samples", split.samples),
                                                    FIELD_AS("split_again_ms", split.again),
                                                    FIELD_AS("split_left_alone_ms", split.left_alone),
                                                    FIELD_AS("split_most", split.most),
                                                    FIELD_AS("split_most_per_server", split.most_per_server),
                                                    FIELD_AS("merge_history_ms", merge.history),
                                                    FIELD_AS("merge_after_split_ms", merge.after_split),
                                                    FIELD_AS("merge_region", merge.region),
                                                    FIELD_AS("merge_most", merge.most),
                                                    FIELD_AS("merge_part_max", merge.part_max),
                                                    FIELD_AS("balance_stop", balance.stop),
                                                    FIELD_AS("balance_sustained_ms", balance.sustained),
                                                    FIELD_AS("balance_samples", balance.samples),
                                                    FIELD_AS("cool_down_ms", balance.cool_down),
                                                    FIELD_AS("cool_down_max_ms", balance.cool_down_max),
                                                    FIELD_AS("after_failure_ms", balance.after_failure),
                                                    FIELD_AS("rates_settle_ms", balance.rates_settle),
                                                    FIELD_AS("transfers", balance.transfers),
                                                    FIELD_AS("transfers_per_server", balance.transfers_per_server),
                                                    FIELD_AS("copies", balance.copies),
                                                    FIELD_AS("copies_per_server", balance.copies_per_server),
                                                    FIELD_AS("autoscale", autoscale.enabled),
                                                    FIELD_AS("autoscale_dry_run", autoscale.dry_run),
                                                    FIELD_AS("operations_per_server", autoscale.operations_per_server),
                                                    FIELD_AS("cores_per_server", autoscale.cores_per_server),
                                                    FIELD_AS("disk_fraction", autoscale.disk_fraction),
                                                    FIELD_AS("release_below", autoscale.release_below),
                                                    FIELD_AS("over_sustained_ms", autoscale.over_sustained),
                                                    FIELD_AS("under_sustained_ms", autoscale.under_sustained),
                                                    FIELD_AS("after_growth_ms", autoscale.after_growth),
                                                    FIELD_AS("after_release_ms", autoscale.after_release),
                                                    FIELD_AS("servers_min", autoscale.servers_min),
                                                    FIELD_AS("servers_max", autoscale.servers_max)};

// An option that is not listed above is silently lost from saved views.
static_assert(sizeof(PlannerOptions) == 392, "list the new option in kFields<PlannerOptions>, then mend this number");

#undef FIELD_AS
#undef FIELD
#undef KEY_AS

template <class T>
concept HasFields = !std::is_same_v<decltype(kFields<T>), const std::nullptr_t>;

// ---- one value each way ----

int64_t Ms(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

// An unreadable line throws within this file alone; TakeLine turns it into a Status.
struct Unreadable {
  std::string what;
};

template <class T>
void Put(Json& line, const T& value, const T* defaults);

template <class T>
Json ToJson(const T& value) {
  if constexpr (HasFields<T>) {
    static const T defaults;
    Json object = Json::object();
    Put(object, value, &defaults);
    return object;
  } else if constexpr (std::is_same_v<T, Duration>) {
    return Ms(value);
  } else if constexpr (std::is_same_v<T, MonotonicTime>) {
    return Ms(value.since_boot);
  } else if constexpr (std::is_enum_v<T>) {
    return NamesOf(value)[static_cast<size_t>(value)];
  } else {
    return value;
  }
}

// Puts what is not as it is by default; all where no defaults are given.
template <class T>
void Put(Json& line, const T& value, const T* defaults) {
  const auto put = [&](const auto& field) {
    const auto& member = field.of(value);
    if (defaults && member == field.of(*defaults)) return;
    if constexpr (std::is_convertible_v<decltype(member), std::string>) {
      line[field.name] = field.key ? EscapeBytes(member) : member;
    } else {
      line[field.name] = ToJson(member);
    }
  };
  std::apply([&](const auto&... field) { (put(field), ...); }, kFields<T>);
}

template <class T>
void Read(const Json& line, T& value);

template <class T>
void FromJson(const Json& json, const std::string& name, T& value) {
  if constexpr (HasFields<T>) {
    return Read(json, value);
  } else if constexpr (std::is_same_v<T, MonotonicTime>) {
    return FromJson(json, name, value.since_boot);
  } else if constexpr (std::is_same_v<T, Duration>) {
    int64_t ms = 0;
    FromJson(json, name, ms);
    if (std::abs(ms) > Ms(Duration::max())) throw Unreadable{name + " is not a time"};
    value = std::chrono::milliseconds(ms);
  } else if constexpr (std::is_enum_v<T>) {
    std::string text;
    FromJson(json, name, text);
    const auto& names = NamesOf(value);
    const auto found = std::ranges::find(names, text);
    if (found == names.end()) throw Unreadable{name + " is unknown: " + text};
    value = static_cast<T>(found - names.begin());
  } else {
    if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean()) throw Unreadable{name + " is neither true nor false"};
    } else if constexpr (std::is_arithmetic_v<T>) {
      const bool whole = !std::is_integral_v<T> || json.is_number_integer();
      if (!json.is_number() || !whole) throw Unreadable{name + " is not a number that fits"};
      const double number = json.template get<double>();
      if (number < (std::is_unsigned_v<T> ? 0 : -kNumberMax) || number > kNumberMax) {
        throw Unreadable{name + " is beyond any bound"};
      }
    } else if (!json.is_string()) {
      throw Unreadable{name + " is not text"};
    }
    value = json.template get<T>();
  }
}

// Takes it where it is there.
template <class T>
void Get(const Json& line, const std::string& name, T& value) {
  if (const auto found = line.find(name); found != line.end()) FromJson(*found, name, value);
}

template <class T>
void Read(const Json& line, T& value) {
  const auto take = [&](const auto& field) {
    auto& member = field.of(value);
    Get(line, field.name, member);
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(member)>, std::string>) {
      if (!field.key) return;
      Result<std::string> bytes = UnescapeBytes(member);
      if (!bytes) throw Unreadable{std::string(field.name) + ": " + bytes.error().message()};
      member = *std::move(bytes);
    }
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, kFields<T>);
}

// ---- the kinds of lines ----

// The line's key, with the fields that differ from their defaults.
template <class T>
Json With(Json line, const T& value) {
  line.update(ToJson(value));
  return line;
}

template <class Options, class Visit>
void EachMargin(Options& options, const Visit& visit) {
  for (size_t d = 0; d < kDimensions; ++d) {
    const std::string name = std::string("margin_") + Name(static_cast<Dimension>(d));
    visit(name + "_fraction", options.balance.margins[d].fraction);
    visit(name + "_floor", options.balance.margins[d].floor);
  }
}

// All of them, whatever their defaults are: another build may have others.
Json OptionsLine(const PlannerOptions& options) {
  Json object = Json::object();
  Put<PlannerOptions>(object, options, nullptr);
  EachMargin(options, [&](const std::string& name, double value) { object[name] = value; });
  return {{"options", std::move(object)}};
}

PlannerOptions ReadOptions(const Json& line) {
  const Json& object = line.at("options");
  if (!object.is_object()) throw Unreadable{"options are no object"};
  PlannerOptions options;
  Read(object, options);
  EachMargin(options, [&](const std::string& name, double& value) { Get(object, name, value); });
  return options;
}

void PutMembers(Json& line, const char* name, const Members& members, const ClusterView& view) {
  if (members.empty()) return;
  Json& names = line[name] = Json::array();
  for (const ServerIndex server : members) names.push_back(view.servers[server].name);
}

Json TabletLine(const TabletView& tablet, const ClusterView& view) {
  Json line = With({{"tablet", tablet.id.value}, {"table", view.tables[tablet.table].id.value}}, tablet);
  PutMembers(line, "voters", tablet.voters, view);
  PutMembers(line, "learners", tablet.learners, view);
  return line;
}

Json ServerMemoryLine(const ServerName& name, const ServerMemory& memory) {
  Json line = {{"server_memory", name}};
  for (size_t d = 0; d < kDimensions; ++d) {
    const char* dimension = Name(static_cast<Dimension>(d));
    if (memory.over[d].samples > 0) line[dimension] = ToJson(memory.over[d]);
    if (memory.overloaded[d]) line[std::string("overloaded_") + dimension] = true;
  }
  return line;
}

// Takes one line after another; the names that lines refer to come before them.
class Loader {
 public:
  void Take(const Json& line) {
    if (!line.is_object()) throw Unreadable{"no JSON object"};
    if (line.contains("view")) return TakeHead(line);
    if (!headed_) throw Unreadable{"the first line is not that of a view"};
    if (line.contains("options")) return TakeOptions(line);
    if (line.contains("tablet")) return TakeTablet(line);
    if (line.contains("server")) return TakeServer(line);
    if (line.contains("table")) return TakeTable(line);
    if (line.contains("server_memory")) return TakeServerMemory(line);
    if (line.contains("tablet_memory")) return TakeTabletMemory(line);
    throw Unreadable{"it is of no known kind"};
  }

  Result<SavedView> Finish() {
    if (!headed_) return Error(Code::kInvalidArgument, "the file holds no view");
    std::ranges::sort(saved_.view.tablets, {},
                      [](const TabletView& tablet) { return std::tie(tablet.table, tablet.range.start); });
    EBLA_TRY(CheckView(saved_.view));
    return std::move(saved_);
  }

 private:
  void TakeHead(const Json& line) {
    int version = 0;
    Get(line, "view", version);
    if (version != kFormatVersion) throw Unreadable{"a view of format " + std::to_string(version) + ", not 1"};
    headed_ = true;
    Get(line, "now_ms", saved_.view.now);
    Read(line, saved_.memory);
  }
  void TakeServer(const Json& line) {
    PlannedServer& server = saved_.view.servers.emplace_back();
    server.live = true;
    Get(line, "server", server.name);
    Get(line, "live", server.live);
    Read(line, server);
    servers_[server.name] = static_cast<ServerIndex>(saved_.view.servers.size() - 1);
  }
  void TakeTable(const Json& line) {
    TableView& table = saved_.view.tables.emplace_back();
    Get(line, "table", table.id.value);
    Read(line, table);
    tables_[table.id] = static_cast<TableIndex>(saved_.view.tables.size() - 1);
  }
  void TakeTablet(const Json& line) {
    TabletView& tablet = saved_.view.tablets.emplace_back();
    Get(line, "tablet", tablet.id.value);
    TableId table;
    Get(line, "table", table.value);
    const auto known = tables_.find(table);
    if (known == tables_.end()) throw Unreadable{"table " + std::to_string(table.value) + " is unknown"};
    tablet.table = known->second;
    Read(line, tablet);
    GetMembers(line, "voters", tablet.voters);
    GetMembers(line, "learners", tablet.learners);
  }
  void GetMembers(const Json& line, const char* name, Members& members) {
    const auto names = line.find(name);
    if (names == line.end()) return;
    for (const Json& value : *names) {
      const auto server = servers_.find(value.is_string() ? value.get<std::string>() : "");
      if (server == servers_.end()) throw Unreadable{std::string(name) + " names an unknown server: " + value.dump()};
      if (!members.Add(server->second)) throw Unreadable{std::string(name) + " are more than 7"};
    }
  }
  void TakeOptions(const Json& line) { saved_.options = ReadOptions(line); }
  void TakeServerMemory(const Json& line) {
    ServerName name;
    Get(line, "server_memory", name);
    ServerMemory& memory = saved_.memory.servers[name];
    for (size_t d = 0; d < kDimensions; ++d) {
      const char* dimension = Name(static_cast<Dimension>(d));
      Get(line, dimension, memory.over[d]);
      Get(line, std::string("overloaded_") + dimension, memory.overloaded[d]);
    }
  }
  void TakeTabletMemory(const Json& line) {
    TabletId id;
    Get(line, "tablet_memory", id.value);
    Read(line, saved_.memory.tablets[id]);
  }

  SavedView saved_;
  bool headed_ = false;
  std::map<ServerName, ServerIndex> servers_;
  std::unordered_map<TableId, TableIndex> tables_;
};

// Empty: taken; else what is wrong.
std::string TakeLine(Loader& loader, const std::string& text) {
  const Json line = Json::parse(text, nullptr, false);
  if (line.is_discarded()) return "no JSON";
  try {
    loader.Take(line);
    return {};
  } catch (const Unreadable& unreadable) {
    return unreadable.what;
  } catch (const Json::exception& error) {
    return error.what();
  }
}

void Write(const Json& line, std::ostream& out) {
  out << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace

void SaveView(const ClusterView& view, const PlannerMemory& memory, const PlannerOptions& options, std::ostream& out) {
  Write(With({{"view", kFormatVersion}, {"now_ms", Ms(view.now.since_boot)}}, memory), out);
  Write(OptionsLine(options), out);
  for (const TableView& table : view.tables) Write(With({{"table", table.id.value}}, table), out);
  for (const PlannedServer& server : view.servers)
    Write(With({{"server", server.name}, {"live", server.live}}, server), out);
  for (const TabletView& tablet : view.tablets) Write(TabletLine(tablet, view), out);
  for (const auto& [name, server] : memory.servers) Write(ServerMemoryLine(name, server), out);
  for (const TabletView& tablet : view.tablets) {
    const auto remembered = memory.tablets.find(tablet.id);
    if (remembered == memory.tablets.end()) continue;
    Write(With({{"tablet_memory", tablet.id.value}}, remembered->second), out);
  }
}

Result<SavedView> LoadView(std::istream& in) {
  Loader loader;
  std::string text;
  for (size_t number = 1; std::getline(in, text); ++number) {
    if (text.empty()) continue;
    if (const std::string wrong = TakeLine(loader, text); !wrong.empty()) {
      return Error(Code::kInvalidArgument, "line " + std::to_string(number) + ": " + wrong);
    }
  }
  return loader.Finish();
}

}  // namespace ebla::master
