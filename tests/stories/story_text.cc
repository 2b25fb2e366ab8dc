#include "tests/stories/story_text.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "common/base/encoding.h"
#include "tabletserver/testing/core_rig.h"

namespace ebla::stories {

namespace ts = ebla::tabletserver;
using std::chrono::milliseconds;

namespace {

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

}  // namespace

std::vector<std::string> SplitWords(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> SplitNames(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> names;
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

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

std::string Show(TabletTime time) {
  if (!time) return "none";
  const auto ms = static_cast<int64_t>(time.value) - ts::testing::kMorningMs;
  return std::to_string(ms) + "ms";
}

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
  } else if (verb == "apply") {
    write.kind = ts::WriteKind::kApply;
    write.function = next();
    if (at < words.size()) write.value = next();
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

bool Arguments::Flag(const std::string& name) {
  const auto found = std::find(words_.begin(), words_.end(), name);
  if (found == words_.end()) return false;
  words_.erase(found);
  return true;
}

std::string Arguments::Text(const std::string& name, const std::string& fallback) {
  const auto found =
      std::find_if(words_.begin(), words_.end(), [&](const std::string& word) { return word.starts_with(name + "="); });
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

ts::WriteRequest ParseRequest(Arguments& arguments, const std::vector<std::vector<std::string>>& parts,
                              MonotonicTime now) {
  ts::WriteRequest request;
  request.client = ClientId{arguments.Number("client", 1)};
  request.sequence = Sequence{arguments.Number("seq", 0)};
  request.first_incomplete = Sequence{arguments.Number("first", 1)};
  const std::string learnt = arguments.Text("learnt", "");
  if (!learnt.empty()) request.learnt = TabletTime{static_cast<uint64_t>(ts::testing::kMorningMs + std::stoll(learnt))};
  request.level = ParseLevel(arguments.Text("level", "default"));
  const std::string deadline = arguments.Text("deadline", "");
  if (!deadline.empty()) request.deadline = now + milliseconds(std::stoll(deadline));
  for (size_t i = 1; i < parts.size(); ++i) request.writes.push_back(ParseWrite(parts[i]));
  return request;
}

ts::ConfigureReplica ParseConfigure(Arguments& arguments, const std::string& primary) {
  ts::ConfigureReplica configure;
  configure.epoch = Epoch{arguments.Number("epoch", 0)};
  configure.primary = arguments.Text("primary", primary);
  configure.voters = SplitNames(arguments.Text("voters", configure.primary));
  configure.learners = SplitNames(arguments.Text("learners", ""));
  configure.created_empty = arguments.Flag("created_empty");
  configure.fenced = arguments.Flag("fenced");
  configure.transfer = arguments.Flag("transfer");
  configure.presumed = ParseVersion(arguments.Text("presumed", "none"));
  configure.range = {arguments.Text("start", ""), arguments.Text("end", "")};
  return configure;
}

std::string Show(const ts::LogEntry& entry) {
  std::ostringstream line;
  line << entry.version << " " << Show(entry.kind) << " at " << Show(entry.time);
  if (entry.client) line << " client " << entry.client << "." << entry.sequence << " " << Show(entry.level);
  if (entry.outcome.code != Code::kOk) line << " " << CodeName(entry.outcome.code);
  if (entry.kind == ts::EntryKind::kFloor) line << " floor " << Show(entry.floor_time);
  for (const ts::Effect& effect : entry.effects) {
    line << " " << effect.key << (effect.is_delete ? " gone" : "=" + effect.value);
    if (effect.expires_at) line << " until " << Show(effect.expires_at);
  }
  return line.str();
}

std::string Show(const std::string& key, const ts::StoredRecord& record) {
  std::string line = key + "=" + record.value + " version " + record.version.ToString();
  if (record.expires_at) line += " until " + Show(record.expires_at);
  if (!record.writer.empty()) {
    line += " written " + Show(TabletTime{static_cast<uint64_t>(record.write_time_ms)}) + " by " + record.writer;
  }
  return line;
}

std::string Show(const ts::ControlReply& reply) {
  std::ostringstream line;
  line << CodeName(reply.status.code()) << " promised " << reply.promised << " last " << Show(reply.last_appended)
       << (reply.known ? "" : " unknown") << (reply.dropped ? " dropped" : "")
       << (reply.incomplete ? " incomplete" : "") << (reply.may_have_lost_writes ? " may_have_lost_writes" : "")
       << (reply.lost ? " lost" : "") << " time " << Show(reply.time);
  return line.str();
}

std::string Show(const ts::WriteReply& reply) {
  std::ostringstream line;
  line << "write " << reply.token << " " << CodeName(reply.status.code());
  if (reply.version) line << " version " << reply.version;
  for (const int64_t counter : reply.counters) line << " counter " << counter;
  for (ByteReader answers(reply.answers); !answers.done();) line << " answer \"" << answers.Bytes() << '"';
  if (reply.failed_index >= 0) line << " failed " << reply.failed_index;
  if (reply.retry_after_ms >= 0) line << " retry " << reply.retry_after_ms;
  return line.str();
}

std::string Show(const ts::PurgeReply& reply) {
  std::ostringstream line;
  line << "purge " << reply.token << " " << CodeName(reply.status.code()) << " purged " << reply.purged;
  return line.str();
}

}  // namespace ebla::stories
