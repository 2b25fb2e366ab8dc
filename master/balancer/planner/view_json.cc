#include "master/balancer/planner/view_json.h"

#include <algorithm>
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

constexpr const char* kFindings[] = {"none", "key", "popular key", "one direction"};
constexpr const char* kStates[] = {"settled", "unsettled", "intent open", "copying"};

// ---- one value each way; what equals `otherwise` is left out ----

int64_t Ms(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

template <class T>
void Put(Json& line, const char* name, const T& value, const T& otherwise = {}) {
  if (value != otherwise) line[name] = value;
}
void Put(Json& line, const char* name, Duration value) { Put<int64_t>(line, name, Ms(value)); }
void Put(Json& line, const char* name, MonotonicTime value) { Put(line, name, value.since_boot); }
void PutKey(Json& line, const char* name, const std::string& key) { Put<std::string>(line, name, EscapeBytes(key)); }

// What cannot be read throws within this file alone; ReadLine turns it into a Status.
struct Unreadable {
  std::string what;
};

template <class T>
void Get(const Json& line, const char* name, T& value) {
  if (const auto found = line.find(name); found != line.end()) {
    if constexpr (std::is_same_v<T, bool>) {
      if (!found->is_boolean()) throw Unreadable{std::string(name) + " is neither true nor false"};
    } else if constexpr (std::is_arithmetic_v<T>) {
      const bool whole = !std::is_integral_v<T> || found->is_number_integer();
      if (!found->is_number() || !whole) throw Unreadable{std::string(name) + " is no such number"};
      const double number = found->template get<double>();
      if (number < (std::is_unsigned_v<T> ? 0 : -kNumberMax) || number > kNumberMax) {
        throw Unreadable{std::string(name) + " is beyond any bound"};
      }
    } else if (!found->is_string()) {
      throw Unreadable{std::string(name) + " is no text"};
    }
    value = found->template get<T>();
  }
}
void Get(const Json& line, const char* name, Duration& value) {
  int64_t ms = Ms(value);
  Get(line, name, ms);
  if (std::abs(ms) > Ms(Duration::max())) throw Unreadable{std::string(name) + " is no such time"};
  value = std::chrono::milliseconds(ms);
}
void Get(const Json& line, const char* name, MonotonicTime& value) { Get(line, name, value.since_boot); }
void GetKey(const Json& line, const char* name, std::string& key) {
  std::string text;
  Get(line, name, text);
  Result<std::string> bytes = UnescapeBytes(text);
  if (!bytes) throw Unreadable{std::string(name) + ": " + bytes.error().message()};
  key = *std::move(bytes);
}

template <class Enum, size_t kCount>
void GetName(const Json& line, const char* name, const char* const (&names)[kCount], Enum& value) {
  std::string text = names[static_cast<size_t>(value)];
  Get(line, name, text);
  const auto found = std::find(std::begin(names), std::end(names), text);
  if (found == std::end(names)) throw Unreadable{std::string(name) + " is unknown: " + text};
  value = static_cast<Enum>(found - std::begin(names));
}

// ---- the kinds of lines ----

Json TableLine(const TableView& table) {
  static const TableView defaults;
  Json line = {{"table", table.id.value}, {"name", table.name}};
  Put(line, "replicas", table.replicas, defaults.replicas);
  Put(line, "split_bytes", table.split_bytes, defaults.split_bytes);
  Put(line, "split_operations", table.split_operations, defaults.split_operations);
  Put(line, "split_cores", table.split_cores, defaults.split_cores);
  Put(line, "merge_part", table.merge_part, defaults.merge_part);
  Put(line, "group_prefix_bytes", table.key_group.prefix_bytes);
  PutKey(line, "group_delimiter", table.key_group.delimiter);
  return line;
}

TableView ReadTable(const Json& line) {
  TableView table;
  Get(line, "table", table.id.value);
  Get(line, "name", table.name);
  Get(line, "replicas", table.replicas);
  Get(line, "split_bytes", table.split_bytes);
  Get(line, "split_operations", table.split_operations);
  Get(line, "split_cores", table.split_cores);
  Get(line, "merge_part", table.merge_part);
  Get(line, "group_prefix_bytes", table.key_group.prefix_bytes);
  GetKey(line, "group_delimiter", table.key_group.delimiter);
  return table;
}

// Each option that a pass goes by, and its name.
template <class Options, class Field>
void EachOption(Options& options, const Field& field) {
  field("gap_max_ms", options.gap_max);
  field("rejected_max", options.rejected_max);
  field("splits", options.splits);
  field("merges", options.merges);
  field("balances", options.balances);
  auto& split = options.split;
  field("split_sustained_ms", split.sustained);
  field("split_samples", split.samples);
  field("split_again_ms", split.again);
  field("split_left_alone_ms", split.left_alone);
  field("split_most", split.most);
  field("split_most_per_server", split.most_per_server);
  auto& merge = options.merge;
  field("merge_history_ms", merge.history);
  field("merge_after_split_ms", merge.after_split);
  field("merge_region", merge.region);
  field("merge_most", merge.most);
  field("merge_part_max", merge.part_max);
  auto& balance = options.balance;
  for (size_t d = 0; d < kDimensions; ++d) {
    const std::string margin = std::string("margin_") + Name(static_cast<Dimension>(d));
    field((margin + "_fraction").c_str(), balance.margins[d].fraction);
    field((margin + "_floor").c_str(), balance.margins[d].floor);
  }
  field("balance_stop", balance.stop);
  field("balance_sustained_ms", balance.sustained);
  field("balance_samples", balance.samples);
  field("cool_down_ms", balance.cool_down);
  field("cool_down_max_ms", balance.cool_down_max);
  field("after_failure_ms", balance.after_failure);
  field("rates_settle_ms", balance.rates_settle);
  field("transfers", balance.transfers);
  field("transfers_per_server", balance.transfers_per_server);
  field("copies", balance.copies);
  field("copies_per_server", balance.copies_per_server);
  auto& scale = options.autoscale;
  field("autoscale", scale.enabled);
  field("autoscale_dry_run", scale.dry_run);
  field("operations_per_server", scale.operations_per_server);
  field("cores_per_server", scale.cores_per_server);
  field("disk_fraction", scale.disk_fraction);
  field("release_below", scale.release_below);
  field("over_sustained_ms", scale.over_sustained);
  field("under_sustained_ms", scale.under_sustained);
  field("after_growth_ms", scale.after_growth);
  field("after_release_ms", scale.after_release);
  field("servers_min", scale.servers_min);
  field("servers_max", scale.servers_max);
}

// All of them, whatever their defaults are: another build may have others.
Json OptionsLine(const PlannerOptions& options) {
  Json object = Json::object();
  EachOption(options, [&object](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Duration>) {
      object[name] = Ms(value);
    } else {
      object[name] = value;
    }
  });
  return {{"options", std::move(object)}};
}

PlannerOptions ReadOptions(const Json& line) {
  const Json& object = line.at("options");
  if (!object.is_object()) throw Unreadable{"options are no object"};
  PlannerOptions options;
  EachOption(options, [&object](const char* name, auto& value) { Get(object, name, value); });
  return options;
}

Json ServerLine(const PlannedServer& server) {
  Json line = {{"server", server.name}, {"live", server.live}};
  Put(line, "rack", server.rack);
  Put(line, "lost", server.lost);
  Put(line, "maintenance", server.maintenance);
  Put(line, "draining", server.draining);
  Put(line, "surplus", server.surplus);
  Put(line, "writes_refused", server.writes_refused);
  Put(line, "cpu", server.cpu);
  Put(line, "disk_free_bytes", server.disk_free_bytes);
  Put(line, "disk_total_bytes", server.disk_total_bytes);
  return line;
}

PlannedServer ReadServer(const Json& line) {
  PlannedServer server;
  server.live = true;
  Get(line, "server", server.name);
  Get(line, "live", server.live);
  Get(line, "rack", server.rack);
  Get(line, "lost", server.lost);
  Get(line, "maintenance", server.maintenance);
  Get(line, "draining", server.draining);
  Get(line, "surplus", server.surplus);
  Get(line, "writes_refused", server.writes_refused);
  Get(line, "cpu", server.cpu);
  Get(line, "disk_free_bytes", server.disk_free_bytes);
  Get(line, "disk_total_bytes", server.disk_total_bytes);
  return server;
}

void PutRates(Json& line, const char* name, const Rates& rates) {
  if (rates == Rates()) return;
  Json& object = line[name] = Json::object();
  Put(object, "reads", rates.reads);
  Put(object, "writes", rates.writes);
  Put(object, "read_bytes", rates.read_bytes);
  Put(object, "write_bytes", rates.write_bytes);
  Put(object, "cpu", rates.cpu);
}

void GetRates(const Json& line, const char* name, Rates& rates) {
  const auto object = line.find(name);
  if (object == line.end()) return;
  Get(*object, "reads", rates.reads);
  Get(*object, "writes", rates.writes);
  Get(*object, "read_bytes", rates.read_bytes);
  Get(*object, "write_bytes", rates.write_bytes);
  Get(*object, "cpu", rates.cpu);
}

void PutMembers(Json& line, const char* name, const Members& members, const ClusterView& view) {
  if (members.empty()) return;
  Json& names = line[name] = Json::array();
  for (const ServerIndex server : members) names.push_back(view.servers[server].name);
}

Json TabletLine(const TabletView& tablet, const ClusterView& view) {
  Json line = {{"tablet", tablet.id.value}, {"table", view.tables[tablet.table].id.value}};
  PutKey(line, "start", tablet.range.start);
  PutKey(line, "end", tablet.range.end);
  if (tablet.state != TabletState::kSettled) line["state"] = kStates[static_cast<size_t>(tablet.state)];
  PutMembers(line, "voters", tablet.voters, view);
  PutMembers(line, "learners", tablet.learners, view);
  Put(line, "learners_level", tablet.learners_level);
  Put(line, "size_bytes", tablet.size_bytes);
  PutRates(line, "led", tablet.led);
  PutRates(line, "followed", tablet.followed);
  Put(line, "peak_operations", tablet.peaks.operations);
  Put(line, "peak_cpu", tablet.peaks.cpu);
  Put(line, "history_ms", tablet.history);
  if (tablet.finding != SplitFinding::kNoKey) line["finding"] = kFindings[static_cast<size_t>(tablet.finding)];
  PutKey(line, "split_key", tablet.split_key);
  PutKey(line, "middle_key", tablet.middle_key);
  Put(line, "last_split_ms", tablet.last_split);
  Put(line, "last_merge_ms", tablet.last_merge);
  Put(line, "last_failed_ms", tablet.last_failed);
  Put(line, "held_until_ms", tablet.held_until);
  return line;
}

Json StreakValue(const Streak& streak) {
  return {
      {"since_ms", Ms(streak.since.since_boot)}, {"seen_ms", Ms(streak.seen.since_boot)}, {"samples", streak.samples}};
}
void PutStreak(Json& line, const char* name, const Streak& streak) {
  if (streak.samples > 0) line[name] = StreakValue(streak);
}
void GetStreak(const Json& line, const char* name, Streak& streak) {
  const auto object = line.find(name);
  if (object == line.end()) return;
  Get(*object, "since_ms", streak.since);
  Get(*object, "seen_ms", streak.seen);
  Get(*object, "samples", streak.samples);
}

Json HeadLine(const ClusterView& view, const PlannerMemory& memory) {
  Json line = {{"view", kFormatVersion}, {"now_ms", Ms(view.now.since_boot)}};
  Put(line, "began_ms", memory.began);
  PutStreak(line, "scale_over", memory.scale.over);
  PutStreak(line, "scale_under", memory.scale.under);
  Put(line, "grown_ms", memory.scale.grown);
  Put(line, "released_ms", memory.scale.released);
  return line;
}

Json ServerMemoryLine(const ServerName& name, const ServerMemory& memory) {
  Json line = {{"server_memory", name}};
  for (size_t d = 0; d < kDimensions; ++d) {
    PutStreak(line, Name(static_cast<Dimension>(d)), memory.over[d]);
    if (memory.overloaded[d]) line[std::string("overloaded_") + Name(static_cast<Dimension>(d))] = true;
  }
  return line;
}

Json TabletMemoryLine(TabletId id, const TabletMemory& memory) {
  Json line = {{"tablet_memory", id.value}};
  PutStreak(line, "over", memory.over);
  Put(line, "left_alone_until_ms", memory.left_alone_until);
  Put(line, "actions", memory.actions);
  Put(line, "acted_ms", memory.acted);
  Put(line, "moving_from", memory.moving_from);
  Put(line, "moving_to", memory.moving_to);
  PutRates(line, "led", memory.led);
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
    if (line.contains("server")) return TakeServer(ReadServer(line));
    if (line.contains("table")) return TakeTable(ReadTable(line));
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
    Get(line, "began_ms", saved_.memory.began);
    GetStreak(line, "scale_over", saved_.memory.scale.over);
    GetStreak(line, "scale_under", saved_.memory.scale.under);
    Get(line, "grown_ms", saved_.memory.scale.grown);
    Get(line, "released_ms", saved_.memory.scale.released);
  }
  void TakeServer(PlannedServer server) {
    servers_[server.name] = static_cast<ServerIndex>(saved_.view.servers.size());
    saved_.view.servers.push_back(std::move(server));
  }
  void TakeTable(TableView table) {
    tables_[table.id] = static_cast<TableIndex>(saved_.view.tables.size());
    saved_.view.tables.push_back(std::move(table));
  }
  void TakeTablet(const Json& line) {
    TabletView& tablet = saved_.view.tablets.emplace_back();
    Get(line, "tablet", tablet.id.value);
    TableId table;
    Get(line, "table", table.value);
    const auto known = tables_.find(table);
    if (known == tables_.end()) throw Unreadable{"table " + std::to_string(table.value) + " is unknown"};
    tablet.table = known->second;
    GetKey(line, "start", tablet.range.start);
    GetKey(line, "end", tablet.range.end);
    GetName(line, "state", kStates, tablet.state);
    GetMembers(line, "voters", tablet.voters);
    GetMembers(line, "learners", tablet.learners);
    Get(line, "learners_level", tablet.learners_level);
    Get(line, "size_bytes", tablet.size_bytes);
    GetRates(line, "led", tablet.led);
    GetRates(line, "followed", tablet.followed);
    Get(line, "peak_operations", tablet.peaks.operations);
    Get(line, "peak_cpu", tablet.peaks.cpu);
    Get(line, "history_ms", tablet.history);
    GetName(line, "finding", kFindings, tablet.finding);
    GetKey(line, "split_key", tablet.split_key);
    GetKey(line, "middle_key", tablet.middle_key);
    Get(line, "last_split_ms", tablet.last_split);
    Get(line, "last_merge_ms", tablet.last_merge);
    Get(line, "last_failed_ms", tablet.last_failed);
    Get(line, "held_until_ms", tablet.held_until);
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
      GetStreak(line, dimension, memory.over[d]);
      Get(line, (std::string("overloaded_") + dimension).c_str(), memory.overloaded[d]);
    }
  }
  void TakeTabletMemory(const Json& line) {
    TabletId id;
    Get(line, "tablet_memory", id.value);
    TabletMemory& memory = saved_.memory.tablets[id];
    GetStreak(line, "over", memory.over);
    Get(line, "left_alone_until_ms", memory.left_alone_until);
    Get(line, "actions", memory.actions);
    Get(line, "acted_ms", memory.acted);
    Get(line, "moving_from", memory.moving_from);
    Get(line, "moving_to", memory.moving_to);
    GetRates(line, "led", memory.led);
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
  Write(HeadLine(view, memory), out);
  Write(OptionsLine(options), out);
  for (const TableView& table : view.tables) Write(TableLine(table), out);
  for (const PlannedServer& server : view.servers) Write(ServerLine(server), out);
  for (const TabletView& tablet : view.tablets) Write(TabletLine(tablet, view), out);
  for (const auto& [name, server] : memory.servers) Write(ServerMemoryLine(name, server), out);
  for (const TabletView& tablet : view.tablets) {
    const auto remembered = memory.tablets.find(tablet.id);
    if (remembered != memory.tablets.end()) Write(TabletMemoryLine(tablet.id, remembered->second), out);
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
