#include "tests/stories/tablet_story.h"

#include <sstream>
#include <stdexcept>
#include <utility>

#include "tabletserver/testing/test_functions.h"

namespace ebla::stories {

namespace ts = ebla::tabletserver;
using std::chrono::milliseconds;

TabletStory::TabletStory() {
  Arguments none({});
  Tablet(none);
}

const std::map<std::string, TabletStory::Verb>& TabletStory::Verbs() {
  static const std::map<std::string, Verb> verbs{
      {"tablet", &TabletStory::Tablet},         {"configure", &TabletStory::Configure},
      {"fence", &TabletStory::Fence},           {"drop", &TabletStory::Drop},
      {"forget", &TabletStory::Forget},         {"write", &TabletStory::Write},
      {"purge", &TabletStory::Purge},           {"tick", &TabletStory::Tick},
      {"flush", &TabletStory::Flush},           {"store", &TabletStory::Store},
      {"checkpoint", &TabletStory::Checkpoint}, {"crash", &TabletStory::Crash},
      {"state", &TabletStory::State},           {"log", &TabletStory::Log},
      {"records", &TabletStory::Records},       {"dedup_window", &TabletStory::DedupWindow}};
  return verbs;
}

Result<Lines> TabletStory::Run(const std::string& line) { return RunVerb(*this, Verbs(), line, parts_); }

// tablet window_ms=N sequences=N window_bytes=N unapplied_bytes=N apply_bytes=N ttl_ms=N lww: starts again with an
// unknown tablet
Lines TabletStory::Tablet(Arguments& arguments) {
  ts::TabletOptions options;
  options.tablet = TabletId{9};
  options.self = "ts-1";
  options.dedup_window.window_ms = static_cast<int64_t>(arguments.Number("window_ms", 600'000));
  options.dedup_window.sequences_per_client_max = arguments.Number("sequences", 1024);
  options.dedup_window.bytes_max = arguments.Number("window_bytes", 16 << 20);
  options.unapplied_bytes_max = arguments.Number("unapplied_bytes", 64 << 20);
  options.apply_bytes_max = arguments.Number("apply_bytes", 4 << 20);
  ts::TabletSchema schema = ts::testing::CoreRig::DefaultSchema();
  schema.default_ttl_ms = static_cast<int64_t>(arguments.Number("ttl_ms", 0));
  schema.last_write_wins = arguments.Flag("lww");
  schema.key_group.delimiter = ":";
  options.functions = ts::TestFunctions();
  rig_ = std::make_unique<ts::testing::CoreRig>(std::move(options), std::move(schema));
  return {};
}

// configure: see ParseConfigure
Lines TabletStory::Configure(Arguments& arguments) {
  rig_->Configure(ParseConfigure(arguments, "ts-1"));
  return News();
}

Lines TabletStory::Fence(Arguments& arguments) {
  rig_->Fence(Epoch{arguments.Number("epoch", 0)});
  return News();
}

Lines TabletStory::Drop(Arguments& arguments) {
  rig_->Drop(Epoch{arguments.Number("epoch", 0)});
  return News();
}

// The host has removed a dropped replica's records, applied state and log.
Lines TabletStory::Forget(Arguments&) {
  rig_->Forget();
  return News();
}

// write: see ParseRequest; then ; put k v ; ...
Lines TabletStory::Write(Arguments& arguments) {
  rig_->Write(ParseRequest(arguments, parts_, rig_->now()));
  return News();
}

// purge [reached=MS] [KEY@E.L]
Lines TabletStory::Purge(Arguments& arguments) {
  TabletTime reached;
  const std::string text = arguments.Text("reached", "");
  if (!text.empty()) reached = TabletTime{static_cast<uint64_t>(ts::testing::kMorningMs + std::stoll(text))};
  std::vector<ts::ExpiredKey> keys;
  for (std::string word = arguments.Word(); !word.empty(); word = arguments.Word()) {
    const size_t at = word.find('@');
    if (at == std::string::npos) throw std::invalid_argument("write KEY@VERSION");
    keys.push_back({word.substr(0, at), ParseVersion(word.substr(at + 1))});
  }
  rig_->Purge(std::move(keys), reached);
  return News();
}

Lines TabletStory::Tick(Arguments& arguments) {
  rig_->Tick(milliseconds(arguments.Number("ms", 100)));
  return News();
}

// flush hold: nothing becomes durable any more. flush one ends the oldest flush under way, and flush go all of them
Lines TabletStory::Flush(Arguments& arguments) {
  const std::string word = arguments.Word();
  if (word == "one") {
    rig_->FlushOne();
  } else if (word == "hold" || word == "go") {
    rig_->HoldFlush(word == "hold");
  } else {
    throw std::invalid_argument("flush hold, flush one or flush go");
  }
  return News();
}

// store append=none|overloaded|internal apply=...
Lines TabletStory::Store(Arguments& arguments) {
  rig_->store().failures.append = ParseFailure(arguments.Text("append", "none"));
  rig_->store().failures.apply = ParseFailure(arguments.Text("apply", "none"));
  return {};
}

Lines TabletStory::Checkpoint(Arguments& arguments) {
  rig_->Checkpoint(arguments.Flag("truncate"));
  return {};
}

// crash [keep=N] [clock=MS]: what was flushed survives, and the first N unflushed pieces; the clock is MS off then
Lines TabletStory::Crash(Arguments& arguments) {
  const size_t keep = arguments.Number("keep", 0);
  rig_->Crash(keep, milliseconds(std::stoll(arguments.Text("clock", "0"))));
  return News();
}

// ---- pictures -------------------------------------------------------------------------------------------------------

Lines TabletStory::State(Arguments&) {
  const ts::TabletView& view = *rig_->view;
  const ts::ReplicaCore& replica = rig_->core().replica();
  static constexpr const char* kRoles[] = {"absent", "follower", "primary"};
  std::ostringstream role;
  role << kRoles[static_cast<int>(view.role)] << " epoch " << view.epoch << " promised " << replica.state().promised
       << " led " << replica.state().led;
  if (view.barrier_applied && view.lease_until > rig_->now()) role << " reads";
  if (view.replaying) role << " replaying";
  if (view.writes_stalled) role << " stalled";
  if (view.incomplete) role << " incomplete";
  if (replica.state().tombstone) role << " tombstone";
  if (!view.failure.empty()) role << " dead";
  std::ostringstream log;
  log << "log to " << Show(replica.last_appended()) << " committed " << replica.committed() << " applied "
      << Show(view.applied) << " waiting " << rig_->core().waiting();
  return {role.str(), log.str()};
}

Lines TabletStory::Log(Arguments&) {
  Lines lines;
  for (const ts::LogEntry& entry : rig_->store().Log()) lines.push_back(Show(entry));
  return lines;
}

Lines TabletStory::Records(Arguments&) {
  Lines lines;
  for (const auto& [key, record] : rig_->store().records()) lines.push_back(Show(key, record));
  return lines;
}

Lines TabletStory::DedupWindow(Arguments&) {
  Lines lines;
  for (const auto& [key, row] : rig_->store().dedup_window()) {
    std::ostringstream line;
    line << "client " << row.client << "." << row.sequence << " " << CodeName(row.outcome.code) << " entry "
         << row.version;
    lines.push_back(line.str());
  }
  return lines;
}

Lines TabletStory::News() {
  Lines lines;
  for (const ts::ControlReply& reply : std::exchange(rig_->controls, {})) {
    lines.push_back("control " + std::to_string(reply.token.value) + " " + Show(reply));
  }
  for (const ts::WriteReply& reply : std::exchange(rig_->writes, {})) lines.push_back(Show(reply));
  for (const ts::PurgeReply& reply : std::exchange(rig_->purges, {})) lines.push_back(Show(reply));
  return lines;
}

}  // namespace ebla::stories
