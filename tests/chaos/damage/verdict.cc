#include "tests/chaos/damage/verdict.h"

#include <algorithm>
#include <regex>
#include <sstream>

namespace ebla::chaos {
namespace {

using Counts = std::map<Verdict, int>;

std::string Cell(const Counts& counts) {
  std::string text;
  for (const auto& [verdict, count] : counts)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(Name(verdict));
  return text.empty() ? "-" : text;
}

}  // namespace

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kServed: return "served";
    case Verdict::kMended: return "mended";
    case Verdict::kRefused: return "refused";
    case Verdict::kWaits: return "waits";
    case Verdict::kNoFile: return "no change";
    case Verdict::kWrong: return "WRONG";
    case Verdict::kSilent: return "SILENT";
    case Verdict::kUnnamed: return "UNNAMED";
    case Verdict::kStuck: return "STUCK";
    case Verdict::kNeedless: return "NEEDLESS";
    case Verdict::kBroken: return "BROKEN";
  }
  return "?";
}

bool IsBad(Verdict verdict) { return verdict > Verdict::kNoFile; }

bool NamesFile(std::string_view text) {
  static const std::regex file(
      R"(/(IDENTITY|INVENTORY|CATALOG|FORMAT|WiredTiger(Log\.\d+)?)(?![\w.])|WiredTiger\.(wt|turtle|basecfg)|)"
      R"([0-9a-f]{16}\.log|WiredTigerLog\.\d+|\w+\.wt\b)");
  return std::regex_search(text.begin(), text.end(), file);
}

bool NamesDirectory(std::string_view text) {
  static const std::regex directory(R"(/store(/log)?/?(?![\w/.])|/coordinator/?(?![\w/.]))");
  return std::regex_search(text.begin(), text.end(), directory);
}

bool NamesCause(std::string_view text) {
  static const std::regex cause(R"(\btablets? \d+|\bts-\d|\btables? "?(placed|sorted|\d+))");
  return NamesFile(text) || std::regex_search(text.begin(), text.end(), cause);
}

void JudgeNeed(Outcome& outcome, bool remade) {
  const KindFacts& facts = FactsOf(outcome.one.kind);
  const Damage damage = outcome.one.damage;
  if (IsBad(outcome.verdict) || outcome.verdict == Verdict::kNoFile) return;
  const auto bad = [&](Verdict verdict, const std::string& why) {
    outcome.why += " (" + why + ")";
    outcome.verdict = verdict;
  };
  const bool served = outcome.verdict == Verdict::kServed;
  const bool stopped = outcome.verdict == Verdict::kRefused || remade;
  const bool whole_server = facts.kind == FileKind::kIdentity || facts.kind == FileKind::kStoreDirectory ||
                            facts.kind == FileKind::kDataDirectory;
  if (facts.unread && !served && damage != Damage::kForbidden)
    bad(Verdict::kNeedless, "nothing in this file counts");
  else if (facts.doubled && damage < Damage::kDirectory && stopped)
    bad(Verdict::kNeedless, "another file tells the same");
  else if (damage == Damage::kForbidden && remade && facts.kind != FileKind::kTable && facts.kind != FileKind::kRun)
    bad(Verdict::kNeedless, "a missing permission is no damage");
  else if (whole_server && (damage == Damage::kForeign || damage == Damage::kSwapped) && served)
    bad(Verdict::kWrong, "it serves as another server");
}

std::string ToString(const Outcome& outcome) {
  std::ostringstream text;
  text << ToString(outcome.one) << ": " << Name(outcome.verdict);
  if (outcome.verdict == Verdict::kMended) text << " in " << static_cast<int>(outcome.seconds * 10) / 10.0 << " s";
  if (!outcome.harm.empty()) text << "; " << outcome.harm;
  if (!outcome.why.empty()) text << "; " << outcome.why;
  if (!outcome.kept.empty()) text << "; kept in " << outcome.kept;
  return text.str();
}

std::string Results::Tables() const {
  std::map<std::pair<std::string_view, Shape>, Counts> cells;
  for (const Outcome& outcome : outcomes_)
    for (const std::string_view row : {FactsOf(outcome.one.kind).name, Name(outcome.one.damage)})
      ++cells[{row, outcome.one.shape}][outcome.verdict];
  std::string text;
  const auto table = [&](const std::string& head, const auto& rows, const auto& name) {
    text += "| " + head + " |";
    for (const Shape shape : kShapes) text += " " + std::string(Name(shape)) + " |";
    text += "\n|---|---|---|---|\n";
    for (const auto& row : rows) {
      const auto cell = [&](Shape shape) { return Cell(cells[{name(row), shape}]); };
      if (std::ranges::all_of(kShapes, [&](Shape shape) { return cell(shape) == "-"; })) continue;
      text += "| " + std::string(name(row)) + " |";
      for (const Shape shape : kShapes) text += " " + cell(shape) + " |";
      text += "\n";
    }
  };
  table("file", AllKinds(), [](const KindFacts& facts) { return facts.name; });
  text += "\n";
  table("damage", kDamages, [](Damage damage) { return Name(damage); });
  return text;
}

std::string Results::Sums() const {
  Counts counts;
  for (const Outcome& outcome : outcomes_) ++counts[outcome.verdict];
  return std::to_string(outcomes_.size()) + " cases: " + Cell(counts);
}

Result<std::string> WithTables(std::string_view page, std::string_view text) {
  constexpr std::string_view kBegin = "<!-- damage: begin -->\n", kEnd = "<!-- damage: end -->\n";
  const size_t begin = page.find(kBegin), end = page.find(kEnd);
  if (begin == page.npos || end == page.npos || end < begin)
    return Error(Code::kInvalidArgument, "lacks the lines <!-- damage: begin --> and <!-- damage: end -->");
  return std::string(page.substr(0, begin + kBegin.size())) + "\n" + std::string(text) + "\n" +
         std::string(page.substr(end));
}

std::vector<Outcome> Results::Bad() const {
  std::vector<Outcome> bad;
  for (const Outcome& outcome : outcomes_)
    if (IsBad(outcome.verdict)) bad.push_back(outcome);
  std::ranges::sort(bad, {}, [](const Outcome& outcome) { return outcome.one.number; });
  return bad;
}

}  // namespace ebla::chaos
