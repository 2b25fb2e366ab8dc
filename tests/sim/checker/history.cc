#include "tests/sim/checker/history.h"

#include <algorithm>
#include <regex>

namespace ebla::sim {
namespace {

std::string CellName(int cell) {
  return cell == kCounterCell ? "n" : cell == kMortalCell ? "t" : std::string(1, static_cast<char>('a' + cell));
}

std::string LevelText(const Operation& operation) {
  if (!operation.is_read) {
    switch (operation.ack) {
      case Ack::kAll: return "all ";
      case Ack::kPrimary: return "primary ";
      case Ack::kAny: return "any ";
      default: return "";
    }
  }
  switch (operation.read.level()) {
    case Read::Level::kSession: return "session ";
    case Read::Level::kBounded: return "bounded(" + std::to_string(operation.read.bound().count()) + "ms) ";
    case Read::Level::kEventual: return "eventual ";
    default: return "";
  }
}

std::string PartText(const WritePart& part) {
  std::string text;
  switch (part.kind) {
    case WritePart::Kind::kPut: text = "put " + CellName(part.cell) + "=" + part.value; break;
    case WritePart::Kind::kDelete: text = "delete " + CellName(part.cell); break;
    case WritePart::Kind::kIncrement: text = "add " + CellName(part.cell) + "+" + std::to_string(part.delta); break;
    case WritePart::Kind::kCheck: text = "check " + CellName(part.cell); break;
  }
  switch (part.condition) {
    case WritePart::Condition::kNone: break;
    case WritePart::Condition::kAbsent: text += " if absent"; break;
    case WritePart::Condition::kExists: text += " if exists"; break;
    case WritePart::Condition::kVersionIs: text += " if version " + part.version.ToString(); break;
    case WritePart::Condition::kValueIs: text += " of " + part.value + " that expires"; break;
  }
  return text;
}

}  // namespace

EventNumber History::FirstFrom(MonotonicTime moment) const {
  return static_cast<EventNumber>(std::ranges::lower_bound(moments, moment) - moments.begin());
}

std::optional<EventNumber> History::Until(uint64_t session, EventNumber moment, const Operation& operation) const {
  while (session != 0) {
    if (operation.session == session) return moment;
    const auto from = handovers.find(session);
    if (from == handovers.end()) return std::nullopt;
    session = from->second.parent;
    moment = std::min(moment, from->second.at);
  }
  return std::nullopt;
}

bool History::Knew(uint64_t session, EventNumber moment, const Operation& operation) const {
  const auto until = Until(session, moment, operation);
  return until && operation.returned < *until;
}

bool History::Asked(uint64_t session, EventNumber moment, const Operation& operation) const {
  const auto until = Until(session, moment, operation);
  return until && operation.invoked < *until;
}

std::string Operation::ToString() const {
  std::string text = client + " #" + std::to_string(id) + " g" + std::to_string(group) + " ";
  if (session != 0) text += "s" + std::to_string(session) + " ";
  text += LevelText(*this);
  if (is_read) {
    text += "read " + CellName(cell);
  } else {
    for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : ", ") + PartText(parts[i]);
  }
  text += " -> ";
  if (lost_write) {
    text += "lost write";
    for (const Version& version : lost) text += " " + version.ToString();
    return text;
  }
  if (outcome == Outcome::kUnknown) return text + "unknown";
  if (outcome == Outcome::kNotExecuted) return text + "not executed";
  if (outcome == Outcome::kRefused) return text + "refused";
  if (is_read) return text + (found ? found->value + " @" + found->version.ToString() : "nothing");
  text += "OK " + version.ToString();
  for (const int64_t counter : counters) text += " =" + std::to_string(counter);
  return text;
}

std::vector<Version> VersionsNamedLost(const std::string& message) {
  static const std::regex kGoesOn(" goes on from [0-9]+[.][0-9]+");
  static const std::regex kVersion("([0-9]+)[.]([0-9]+)");
  const std::string named = std::regex_replace(message, kGoesOn, "");
  std::vector<Version> versions;
  for (std::sregex_iterator match(named.begin(), named.end(), kVersion), end; match != end; ++match) {
    versions.push_back({Epoch{std::stoull((*match)[1])}, Lsn{std::stoull((*match)[2])}});
  }
  return versions;
}

}  // namespace ebla::sim
