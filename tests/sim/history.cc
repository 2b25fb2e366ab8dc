#include "tests/sim/history.h"

namespace ebla::sim {
namespace {

std::string CellName(int cell) { return cell == kCounterCell ? "n" : std::string(1, static_cast<char>('a' + cell)); }

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
  }
  return text;
}

}  // namespace

std::string Operation::ToString() const {
  std::string text = client + " #" + std::to_string(id) + " g" + std::to_string(group) + " ";
  if (is_read) {
    text += "read " + CellName(cell);
  } else {
    for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : ", ") + PartText(parts[i]);
  }
  text += " -> ";
  if (outcome == Outcome::kUnknown) return text + "unknown";
  if (outcome == Outcome::kNotExecuted) return text + "not executed";
  if (outcome == Outcome::kRefused) return text + "refused";
  if (is_read) return text + (found ? found->value + " @" + found->version.ToString() : "nothing");
  text += "OK " + version.ToString();
  for (const int64_t counter : counters) text += " =" + std::to_string(counter);
  return text;
}

}  // namespace ebla::sim
