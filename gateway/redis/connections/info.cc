#include "gateway/redis/connections/info.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "common/base/clocks.h"
#include "common/process/process.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/connections/options.h"

namespace ebla::gateway::redis {
namespace {

struct Section {
  std::string_view name;
  std::vector<std::pair<std::string, std::string>> lines;
  bool only_if_asked = false;
};

std::string Seconds(const timeval& time) {
  return std::to_string(static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6);
}

// The counts of all connections since the start.
Totals TotalsOf(const Shared& shared) {
  Totals totals = shared.statistics == nullptr ? Totals() : shared.statistics->Sum();
  totals.connections_accepted = shared.clients->connections;
  return totals;
}

uint64_t CommandsOf(const Totals& totals) {
  uint64_t commands = 0;
  for (const CommandTotals& kind : totals.kinds) commands += kind.commands;
  return commands;
}

// In Redis's form: total and mean in microseconds.
std::vector<std::pair<std::string, std::string>> CommandLines(const Statistics& statistics, const Totals& totals) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (size_t kind = 0; kind < totals.kinds.size(); ++kind) {
    const CommandTotals& one = totals.kinds[kind];
    if (one.commands == 0) continue;
    const double micros = one.seconds * 1e6;
    lines.emplace_back("cmdstat_" + statistics.names()[kind],
                       "calls=" + std::to_string(one.commands) + ",usec=" + std::to_string(std::llround(micros)) +
                           ",usec_per_call=" + std::to_string(micros / static_cast<double>(one.commands)) +
                           ",rejected_calls=0,failed_calls=" + std::to_string(one.errors));
  }
  return lines;
}

std::vector<std::pair<std::string, std::string>> ErrorLines(const std::map<std::string, uint64_t>& errors) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& [code, count] : errors) lines.emplace_back("errorstat_" + code, "count=" + std::to_string(count));
  return lines;
}

// How many of them expire is not known.
std::vector<std::pair<std::string, std::string>> KeyspaceLines(const Shared& shared) {
  std::vector<std::pair<std::string, std::string>> lines;
  if (shared.tables == nullptr) return lines;
  for (const auto& [number, records] : shared.tables->Records())
    lines.emplace_back("db" + std::to_string(number), "keys=" + std::to_string(records) + ",expires=0,avg_ttl=0");
  return lines;
}

// "64.00M", as Redis writes it.
std::string InUnits(uint64_t bytes) {
  if (bytes < 1'024) return std::to_string(bytes) + "B";
  constexpr std::string_view kUnits = "KMGTP";
  double count = static_cast<double>(bytes) / 1'024;
  size_t unit = 0;
  for (; count >= 1'024 && unit + 1 < kUnits.size(); ++unit) count /= 1'024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f%c", count, kUnits[unit]);
  return text.data();
}

// Like a Redis that has just saved everything, because a table keeps acknowledged writes by its own durability.
std::vector<std::pair<std::string, std::string>> PersistenceLines() {
  return {{"loading", "0"},
          {"rdb_changes_since_last_save", "0"},
          {"rdb_bgsave_in_progress", "0"},
          {"rdb_last_save_time", std::to_string(TimeOfDayMs() / 1'000)},
          {"rdb_last_bgsave_status", "ok"},
          {"aof_enabled", "1"},
          {"aof_rewrite_in_progress", "0"},
          {"aof_last_write_status", "ok"}};
}

std::vector<Section> Sections(const Shared& shared) {
  const Clients& clients = *shared.clients;
  const Channels& channels = *shared.channels;
  Scripts& scripts = *shared.scripts;
  const auto up = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - clients.began);
  utsname system{};
  uname(&system);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const std::string memory = std::to_string(process::ReadUsage().resident_bytes);
  const MemoryBounds bounds = shared.tables == nullptr ? MemoryBounds() : shared.tables->Bounds();
  const Totals ever = TotalsOf(shared), totals = shared.counts->Of(ever);
  const std::map<std::string, uint64_t> errors = shared.errors->All();
  uint64_t hits = 0, misses = 0, failures = 0;
  for (const auto& [code, count] : errors) failures += count;
  for (const CommandTotals& kind : totals.kinds) {
    hits += kind.hits;
    misses += kind.misses;
  }
  return {{"Server",
           {{"redis_version", std::string(kRedisVersion)},
            {"redis_mode", "standalone"},
            {"ebla_version", std::string(process::BuildVersion())},
            {"os", std::string(system.sysname) + " " + system.release + " " + system.machine},
            {"arch_bits", std::to_string(8 * sizeof(void*))},
            {"process_id", std::to_string(getpid())},
            {"uptime_in_seconds", std::to_string(up.count())},
            {"uptime_in_days", std::to_string(up.count() / 86'400)}}},
          {"Clients",
           {{"connected_clients", std::to_string(clients.size())},
            {"maxclients", std::to_string(clients.most)},
            {"blocked_clients", "0"}}},
          {"Memory",
           {{"used_memory", memory},
            {"used_memory_rss", memory},
            {"used_memory_scripts", std::to_string(scripts.cache().bytes())},
            {"number_of_cached_scripts", std::to_string(scripts.cache().size())},
            {"maxmemory", std::to_string(bounds.bytes_max)},
            {"maxmemory_human", InUnits(bounds.bytes_max)},
            {"maxmemory_policy", std::string(bounds.policy)}}},
          {"Persistence", PersistenceLines()},
          {"Stats",
           {{"total_connections_received", std::to_string(totals.connections_accepted)},
            {"total_commands_processed", std::to_string(CommandsOf(totals))},
            {"instantaneous_ops_per_sec",
             std::to_string(shared.rate->Of(CommandsOf(ever), std::chrono::steady_clock::now()))},
            {"total_net_input_bytes", std::to_string(totals.bytes_in)},
            {"total_net_output_bytes", std::to_string(totals.bytes_out)},
            {"rejected_connections", std::to_string(totals.connections_refused)},
            {"evicted_keys", std::to_string(bounds.evicted)},
            {"keyspace_hits", std::to_string(hits)},
            {"keyspace_misses", std::to_string(misses)},
            {"total_error_replies", std::to_string(failures)},
            {"pubsub_channels", std::to_string(channels.Count(ChannelKind::kChannel))},
            {"pubsub_patterns", std::to_string(channels.Count(ChannelKind::kPattern))},
            {"pubsubshard_channels", std::to_string(channels.Count(ChannelKind::kShard))}}},
          {"Scripts",
           {{"scripts_running", std::to_string(scripts.running())},
            {"scripts_waiting", std::to_string(scripts.waiting())}}},
          {"Replication", {{"role", "master"}, {"connected_slaves", "0"}, {"master_repl_offset", "0"}}},
          {"CPU", {{"used_cpu_sys", Seconds(used.ru_stime)}, {"used_cpu_user", Seconds(used.ru_utime)}}},
          {"Commandstats",
           shared.statistics == nullptr ? decltype(Section::lines)() : CommandLines(*shared.statistics, totals), true},
          {"Errorstats", ErrorLines(errors)},
          {"Cluster", {{"cluster_enabled", "0"}}},
          {"Keyspace", KeyspaceLines(shared)}};
}

}  // namespace

int64_t RateMeter::Of(uint64_t count, std::chrono::steady_clock::time_point now) {
  MutexLock lock(mutex_);
  if (now - since_ >= kLeast) {
    const double seconds = std::chrono::duration<double>(now - since_).count();
    rate_ = std::llround(static_cast<double>(count - count_) / seconds);
    since_ = now;
    count_ = count;
  }
  return rate_;
}

void ResetCounts(const Shared& shared) {
  shared.counts->Reset(TotalsOf(shared));
  shared.errors->Reset();
}

std::string InfoText(const Shared& shared, const Words& sections) {
  const auto named = [&](const std::initializer_list<std::string>& names) {
    return std::ranges::any_of(
        sections, [&](const std::string& word) { return std::ranges::find(names, ToLower(word)) != names.end(); });
  };
  const bool all = named({"all", "everything"}), usual = sections.empty() || named({"default"});
  std::string text;
  for (const Section& section : Sections(shared)) {
    if (!all && !(usual && !section.only_if_asked) && !named({ToLower(section.name)})) continue;
    text += (text.empty() ? "# " : "\r\n# ") + std::string(section.name) + "\r\n";
    for (const auto& [key, value] : section.lines) text += key + ":" + value + "\r\n";
  }
  return text;
}

}  // namespace ebla::gateway::redis
