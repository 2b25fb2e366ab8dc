#include "gateway/memcached/stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/process/process.h"

namespace ebla::gateway::memcached {
namespace {

class Lines {
 public:
  void Add(std::string_view name, std::string_view value) {
    text_.append("STAT ").append(name).append(" ").append(value).append("\r\n");
  }
  void Add(std::string_view name, uint64_t value) { Add(name, std::to_string(value)); }
  std::string End() { return std::move(text_.append("END\r\n")); }

 private:
  std::string text_;
};

std::string Seconds(const timeval& time) {
  char text[32];
  snprintf(text, sizeof text, "%lld.%06ld", static_cast<long long>(time.tv_sec), static_cast<long>(time.tv_usec));
  return text;
}

CommandTotals SumOf(const Totals& totals, std::initializer_list<Verb> verbs) {
  CommandTotals sum;
  for (const Verb verb : verbs) {
    const CommandTotals& of = totals.kinds[static_cast<size_t>(verb)];
    sum.commands += of.commands;
    sum.errors += of.errors;
    sum.hits += of.hits;
    sum.misses += of.misses;
  }
  return sum;
}

void AddCommands(const Totals& totals, Lines& lines) {
  using enum Verb;
  const CommandTotals gets = SumOf(totals, {kGet, kGets, kGat, kGats, kMetaGet});
  const CommandTotals sets = SumOf(totals, {kSet, kAdd, kReplace, kAppend, kPrepend, kCas, kMetaSet});
  const CommandTotals touches = SumOf(totals, {kTouch, kGat, kGats});
  const CommandTotals meta = SumOf(totals, {kMetaGet, kMetaSet, kMetaDelete, kMetaArithmetic, kMetaDebug});
  const CommandTotals cas = SumOf(totals, {kCas});
  lines.Add("cmd_get", gets.hits + gets.misses);
  lines.Add("cmd_set", sets.commands);
  lines.Add("cmd_flush", SumOf(totals, {kFlushAll}).commands);
  lines.Add("cmd_touch", touches.hits + touches.misses);
  lines.Add("cmd_meta", meta.commands);
  lines.Add("get_hits", gets.hits);
  lines.Add("get_misses", gets.misses);
  const auto both = [&](std::string name, std::initializer_list<Verb> verbs) {
    const CommandTotals of = SumOf(totals, verbs);
    lines.Add(name + "_misses", of.misses);
    lines.Add(name + "_hits", of.hits);
  };
  both("delete", {kDelete, kMetaDelete});
  both("incr", {kIncr, kMetaArithmetic});
  both("decr", {kDecr});
  lines.Add("cas_misses", cas.misses);
  lines.Add("cas_hits", cas.hits);
  lines.Add("cas_badval", cas.commands - std::min(cas.commands, cas.hits + cas.misses + cas.errors));
  lines.Add("touch_hits", touches.hits);
  lines.Add("touch_misses", touches.misses);
}

std::string General(const Environment& environment) {
  const Totals totals = environment.counts.Of(environment.statistics.Sum());
  const auto uptime = std::chrono::steady_clock::now() - environment.started;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Lines lines;
  lines.Add("pid", static_cast<uint64_t>(getpid()));
  lines.Add("uptime", static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(uptime).count()));
  lines.Add("time", static_cast<uint64_t>(environment.store.NowMs() / 1000));
  lines.Add("version", kVersionSpoken);
  lines.Add("ebla_version", process::BuildVersion());
  lines.Add("pointer_size", sizeof(void*) * 8);
  lines.Add("rusage_user", Seconds(usage.ru_utime));
  lines.Add("rusage_system", Seconds(usage.ru_stime));
  lines.Add("max_connections", environment.connections_max);
  lines.Add("curr_connections", totals.connections);
  lines.Add("total_connections", totals.connections_accepted);
  lines.Add("rejected_connections", totals.connections_refused);
  AddCommands(totals, lines);
  lines.Add("bytes_read", totals.bytes_in);
  lines.Add("bytes_written", totals.bytes_out);
  lines.Add("threads", environment.threads);
  return lines.End();
}

std::string Settings(const Environment& environment) {
  Lines lines;
  lines.Add("maxconns", environment.connections_max);
  lines.Add("tcpport", environment.port);
  lines.Add("udpport", 0);
  lines.Add("evictions", "off");
  lines.Add("num_threads", environment.threads);
  lines.Add("reqs_per_event", 0);
  lines.Add("cas_enabled", "yes");
  lines.Add("item_size_max", kCacheValueBytesMax);
  lines.Add("flush_enabled", "yes");
  lines.Add("binding_protocol", "ascii");
  lines.Add("dump_enabled", "no");
  return lines.End();
}

}  // namespace

std::string StatsText(Environment& environment, const std::string& of) {
  if (of.empty()) return General(environment);
  if (of == "settings") return Settings(environment);
  if (of == "items" || of == "slabs") return "END\r\n";
  if (of == "sizes") return "STAT sizes_status disabled\r\nEND\r\n";
  if (of != "reset") return "ERROR\r\n";
  environment.counts.Reset(environment.statistics.Sum());
  return "RESET\r\n";
}

}  // namespace ebla::gateway::memcached
