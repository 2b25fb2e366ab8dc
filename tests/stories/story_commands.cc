#include "tests/stories/story_commands.h"

#include <algorithm>
#include <sstream>

namespace ebla::stories {

namespace ts = ebla::tabletserver;
using std::chrono::milliseconds;

namespace {

std::vector<std::string> SplitWords(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// "1.3" or "none".
Version ParseVersion(const std::string& text) {
  Version version;
  if (text == "none") return version;
  const size_t dot = text.find('.');
  version.epoch = Epoch{std::stoull(text.substr(0, dot))};
  version.lsn = Lsn{std::stoull(text.substr(dot + 1))};
  return version;
}

std::string Show(Version version) { return version ? version.ToString() : "none"; }

ts::AckLevel ParseLevel(const std::string& text) {
  if (text == "default") return ts::AckLevel::kDefault;
  if (text == "majority") return ts::AckLevel::kMajority;
  if (text == "all") return ts::AckLevel::kAll;
  if (text == "primary") return ts::AckLevel::kPrimary;
  if (text == "any") return ts::AckLevel::kAny;
  throw std::invalid_argument("no level " + text);
}

std::string Show(ts::AckLevel level) {
  switch (level) {
    case ts::AckLevel::kDefault: return "default";
    case ts::AckLevel::kMajority: return "majority";
    case ts::AckLevel::kAll: return "all";
    case ts::AckLevel::kPrimary: return "primary";
    case ts::AckLevel::kAny: return "any";
  }
  return "?";
}

std::string Show(ts::EntryKind kind) {
  switch (kind) {
    case ts::EntryKind::kWrite: return "write";
    case ts::EntryKind::kPurge: return "purge";
    case ts::EntryKind::kBarrier: return "barrier";
    case ts::EntryKind::kSplit: return "split";
    case ts::EntryKind::kFreeze: return "freeze";
    case ts::EntryKind::kFloor: return "floor";
  }
  return "?";
}

// Tablet time as seconds since the rig's morning.
std::string Show(TabletTime time) {
  if (!time) return "none";
  const auto ms = static_cast<int64_t>(time.value) - ts::testing::kMorningMs;
  return std::to_string(ms) + "ms";
}

// put KEY VALUE | delete KEY | incr KEY DELTA | check KEY, then: if absent|exists|VERSION, ttl MS
ts::Write ParseWrite(const std::vector<std::string>& words) {
  ts::Write write;
  size_t at = 0;
  const auto next = [&] {
    if (at >= words.size()) throw std::invalid_argument("a write breaks off");
    return words[at++];
  };
  const std::string verb = next();
  write.key = next();
  if (verb == "put") {
    write.value = next();
  } else if (verb == "incr") {
    write.kind = ts::WriteKind::kIncrement;
    write.delta = std::stoll(next());
  } else if (verb == "delete") {
    write.kind = ts::WriteKind::kDelete;
  } else if (verb == "check") {
    write.kind = ts::WriteKind::kCheck;
  } else {
    throw std::invalid_argument("no write " + verb);
  }
  while (at < words.size()) {
    const std::string word = next();
    if (word == "ttl") {
      write.ttl_ms = std::stoll(next());
    } else if (word == "if") {
      const std::string what = next();
      using Kind = ts::Condition::Kind;
      write.condition.kind = what == "absent" ? Kind::kAbsent : what == "exists" ? Kind::kExists : Kind::kVersionIs;
      if (write.condition.kind == Kind::kVersionIs) write.condition.version = ParseVersion(what);
    } else {
      throw std::invalid_argument("left over: " + word);
    }
  }
  return write;
}

Status ParseFailure(const std::string& text) {
  if (text == "none") return {};
  if (text == "overloaded") return Status(Code::kOverloaded, "disk full");
  if (text == "internal") return Status(Code::kInternal, "disk broken");
  throw std::invalid_argument("no failure " + text);
}

}  // namespace

bool Arguments::Flag(const std::string& name) {
  const auto found = std::find(words_.begin(), words_.end(), name);
  if (found == words_.end()) return false;
  words_.erase(found);
  return true;
}

std::string Arguments::Text(const std::string& name, const std::string& fallback) {
  const auto found = std::find_if(words_.begin(), words_.end(), [&](const std::string& word) {
    return word.starts_with(name + "=");
  });
  if (found == words_.end()) return fallback;
  std::string text = found->substr(name.size() + 1);
  words_.erase(found);
  return text;
}

uint64_t Arguments::Number(const std::string& name, uint64_t fallback) {
  return std::stoull(Text(name, std::to_string(fallback)));
}

std::string Arguments::Word() {
  const auto found =
      std::find_if(words_.begin(), words_.end(), [](const std::string& word) { return !word.contains('='); });
  if (found == words_.end()) return "";
  std::string word = *found;
  words_.erase(found);
  return word;
}

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
      {"records", &TabletStory::Records},       {"window", &TabletStory::Window}};
  return verbs;
}

Result<Lines> TabletStory::Run(const std::string& line) {
  parts_.clear();
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, ';');) parts_.push_back(SplitWords(part));
  if (parts_.empty() || parts_[0].empty()) return Error(Code::kInvalidArgument, "an empty command");
  const std::string verb = parts_[0][0];
  const auto found = Verbs().find(verb);
  if (found == Verbs().end()) return Error(Code::kInvalidArgument, "no command \"" + verb + "\"");
  if (parts_.size() > 1 && verb != "write") return Error(Code::kInvalidArgument, "only a write has parts");
  Arguments arguments({parts_[0].begin() + 1, parts_[0].end()});
  try {
    Lines lines = (this->*found->second)(arguments);
    if (!arguments.left().empty()) {
      return Error(Code::kInvalidArgument, "unknown argument \"" + arguments.left()[0] + "\" of " + verb);
    }
    return lines;
  } catch (const std::exception& bad) {  // std::stoull and the parsers above
    return Error(Code::kInvalidArgument, line + ": " + bad.what());
  }
}

// tablet window_ms=N sequences=N window_bytes=N overlay_bytes=N apply_bytes=N ttl_ms=N lww: begins anew with a tablet
// that nobody knows
Lines TabletStory::Tablet(Arguments& arguments) {
  ts::TabletOptions options;
  options.tablet = TabletId{9};
  options.self = "ts-1";
  options.window.window_ms = static_cast<int64_t>(arguments.Number("window_ms", 600'000));
  options.window.sequences_per_client_max = arguments.Number("sequences", 1024);
  options.window.bytes_max = arguments.Number("window_bytes", 16 << 20);
  options.overlay_bytes_max = arguments.Number("overlay_bytes", 64 << 20);
  options.apply_bytes_max = arguments.Number("apply_bytes", 4 << 20);
  ts::TabletSchema schema = ts::testing::CoreRig::DefaultSchema();
  schema.default_ttl_ms = static_cast<int64_t>(arguments.Number("ttl_ms", 0));
  schema.last_write_wins = arguments.Flag("lww");
  rig_ = std::make_unique<ts::testing::CoreRig>(std::move(options), std::move(schema));
  return {};
}

// configure epoch=N [primary=NAME] [born] [fenced] [presumed=E.L] [start=KEY] [end=KEY]
Lines TabletStory::Configure(Arguments& arguments) {
  ts::ConfigureReplica configure;
  configure.epoch = Epoch{arguments.Number("epoch", 0)};
  configure.primary = arguments.Text("primary", "ts-1");
  configure.voters = {configure.primary};
  configure.born = arguments.Flag("born");
  configure.fenced = arguments.Flag("fenced");
  configure.presumed = ParseVersion(arguments.Text("presumed", "none"));
  configure.range = {arguments.Text("start", ""), arguments.Text("end", "")};
  rig_->Configure(std::move(configure));
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

// write client=N seq=N [first=N] [learnt=MS] [level=L] [deadline=MS] ; put k v ; ...
Lines TabletStory::Write(Arguments& arguments) {
  ts::WriteRequest request;
  request.client = ClientId{arguments.Number("client", 1)};
  request.sequence = Sequence{arguments.Number("seq", 0)};
  request.first_incomplete = Sequence{arguments.Number("first", 1)};
  const std::string learnt = arguments.Text("learnt", "");
  if (!learnt.empty()) request.learnt = TabletTime{static_cast<uint64_t>(ts::testing::kMorningMs + std::stoll(learnt))};
  request.level = ParseLevel(arguments.Text("level", "default"));
  const std::string deadline = arguments.Text("deadline", "");
  if (!deadline.empty()) request.deadline = rig_->now() + milliseconds(std::stoll(deadline));
  for (size_t i = 1; i < parts_.size(); ++i) request.writes.push_back(ParseWrite(parts_[i]));
  rig_->Write(std::move(request));
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

// flush hold: nothing becomes durable any more; flush one: the oldest flush under way is done; flush go: all are again
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
  rig_->FailAppend(ParseFailure(arguments.Text("append", "none")));
  rig_->FailApply(ParseFailure(arguments.Text("apply", "none")));
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
  for (const ts::LogEntry& entry : rig_->Log()) {
    std::ostringstream line;
    line << entry.version << " " << Show(entry.kind) << " at " << Show(entry.time);
    if (entry.client) line << " client " << entry.client << "." << entry.sequence << " " << Show(entry.level);
    if (entry.outcome.code != Code::kOk) line << " " << CodeName(entry.outcome.code);
    if (entry.kind == ts::EntryKind::kFloor) line << " floor " << Show(entry.floor_time);
    for (const ts::Effect& effect : entry.effects) {
      line << " " << effect.key << (effect.is_delete ? " gone" : "=" + effect.value);
      if (effect.expires_at) line << " until " << Show(effect.expires_at);
    }
    lines.push_back(line.str());
  }
  return lines;
}

Lines TabletStory::Records(Arguments&) {
  Lines lines;
  for (const auto& [key, record] : rig_->records()) {
    std::string line = key + "=" + record.value + " version " + record.version.ToString();
    if (record.expires_at) line += " until " + Show(record.expires_at);
    if (!record.writer.empty()) line += " written " + Show(TabletTime{static_cast<uint64_t>(record.write_time_ms)}) + " by " + record.writer;
    lines.push_back(line);
  }
  return lines;
}

Lines TabletStory::Window(Arguments&) {
  Lines lines;
  for (const auto& [key, row] : rig_->window()) {
    std::ostringstream line;
    line << "client " << row.client << "." << row.sequence << " " << CodeName(row.outcome.code) << " entry " << row.version;
    lines.push_back(line.str());
  }
  return lines;
}

Lines TabletStory::News() {
  Lines lines;
  for (const ts::ControlReply& reply : rig_->controls) {
    std::ostringstream line;
    line << "control " << reply.token << " " << CodeName(reply.status.code()) << " promised " << reply.promised << " last "
         << Show(reply.last_appended) << (reply.known ? "" : " unknown") << (reply.dropped ? " dropped" : "") << " time "
         << Show(reply.time);
    lines.push_back(line.str());
  }
  for (const ts::WriteReply& reply : rig_->writes) {
    std::ostringstream line;
    line << "write " << reply.token << " " << CodeName(reply.status.code());
    if (reply.version) line << " version " << reply.version;
    for (const int64_t counter : reply.counters) line << " counter " << counter;
    if (reply.failed_index >= 0) line << " failed " << reply.failed_index;
    if (reply.retry_after_ms >= 0) line << " retry " << reply.retry_after_ms;
    lines.push_back(line.str());
  }
  for (const ts::PurgeReply& reply : rig_->purges) {
    std::ostringstream line;
    line << "purge " << reply.token << " " << CodeName(reply.status.code()) << " purged " << reply.purged;
    lines.push_back(line.str());
  }
  rig_->controls.clear();
  rig_->writes.clear();
  rig_->purges.clear();
  return lines;
}

}  // namespace ebla::stories
