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
  std::ostringstream out;
  for (const Shape shape : kShapes) {
    std::map<std::pair<FileKind, Damage>, Counts> cells;
    for (const Outcome& outcome : outcomes_)
      if (outcome.one.shape == shape) ++cells[{outcome.one.kind, outcome.one.damage}][outcome.verdict];
    if (cells.empty()) continue;
    out << "\n| " << Name(shape) << " |";
    for (const Damage damage : kDamages) out << " " << Name(damage) << " |";
    out << "\n|---|";
    for (size_t i = 0; i < kDamages.size(); ++i) out << "---|";
    out << "\n";
    for (const KindFacts& facts : AllKinds()) {
      if (std::ranges::none_of(cells, [&](const auto& cell) { return cell.first.first == facts.kind; })) continue;
      out << "| " << facts.name << " |";
      for (const Damage damage : kDamages) out << " " << Cell(cells[{facts.kind, damage}]) << " |";
      out << "\n";
    }
  }
  return out.str();
}

std::string Results::Sums() const {
  Counts counts;
  for (const Outcome& outcome : outcomes_) ++counts[outcome.verdict];
  return std::to_string(outcomes_.size()) + " cases: " + Cell(counts);
}

std::vector<Outcome> Results::Bad() const {
  std::vector<Outcome> bad;
  for (const Outcome& outcome : outcomes_)
    if (IsBad(outcome.verdict)) bad.push_back(outcome);
  std::ranges::sort(bad, {}, [](const Outcome& outcome) { return outcome.one.number; });
  return bad;
}

}  // namespace ebla::chaos
