#include "tests/sim/checker/last_write_wins.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace ebla::sim {
namespace {

using Kept = LwwTruth::Kept;
using Final = LwwTruth::Final;

bool IsAny(const Operation& op) { return !op.is_read && op.ack == Ack::kAny; }
bool MayHappen(const Operation& op) { return op.outcome == Outcome::kOk || op.outcome == Outcome::kUnknown; }

class LwwJudgement {
 public:
  LwwJudgement(const std::vector<Operation>& operations, const LwwTruth& truth)
      : operations_(operations), truth_(truth) {}

  std::vector<std::string> Judge() {
    for (const Operation& op : operations_) {
      if (op.is_read) {
        if (op.outcome == Outcome::kOk) JudgeRead(op);
        continue;
      }
      if (op.outcome == Outcome::kRefused && IsPlain(op)) Problem(op, "refused without a condition");
      for (const WritePart& part : op.parts) {
        if (IsAny(op)) JudgeTaken(op, part);
        if (op.outcome == Outcome::kOk) JudgeEnd(op, part);
      }
    }
    JudgeValues();
    for (const Kept& kept : truth_.kept) JudgeUnresolved(kept);
    return std::move(problems_);
  }

 private:
  void Problem(const Operation& op, const std::string& why) {
    problems_.push_back("group " + std::to_string(op.group) + ": " + why + ": " + op.ToString());
  }
  static bool IsPlain(const Operation& op) {
    return std::ranges::all_of(op.parts, [](const WritePart& part) {
      return part.condition == WritePart::Condition::kNone && part.kind != WritePart::Kind::kIncrement;
    });
  }

  // ---- order
  // ---------------------------------------------------------------------------------------------------------

  // The newest version of a cell that an answer told any client before `moment`.
  Version Told(int cell, EventNumber moment) const {
    Version told;
    for (const Operation& op : operations_) {
      if (op.outcome != Outcome::kOk || op.returned >= moment) continue;
      if (op.is_read && op.cell == cell && op.found) told = std::max(told, op.found->version);
      const auto writes = [cell](const WritePart& part) {
        return part.cell == cell && part.kind != WritePart::Kind::kCheck;
      };
      if (!op.is_read && std::ranges::any_of(op.parts, writes)) told = std::max(told, op.version);
    }
    return told;
  }

  // May a delete have removed the cell after version `written`? A delete of unknown version may be delivered at any
  // time.
  bool MayBeDeleted(const Operation& read, Version written) const {
    if (truth_.KeptDelete(read.cell, read.returned)) return true;
    return std::ranges::any_of(operations_, [&](const Operation& op) {
      if (op.is_read || !MayHappen(op) || op.invoked > read.returned || (op.version && op.version < written))
        return false;
      return std::ranges::any_of(op.parts, [&](const WritePart& part) {
        return part.cell == read.cell && part.kind == WritePart::Kind::kDelete;
      });
    });
  }

  void JudgeRead(const Operation& read) {
    const Version told = Told(read.cell, read.invoked);
    if (!read.found) {
      if (told && !MayBeDeleted(read, told))
        Problem(read, "nothing, though version " + told.ToString() + " was told before");
      return;
    }
    if (read.found->version < told) Problem(read, "older than version " + told.ToString() + " that was told before");
    const auto [value, first] = values_.try_emplace({read.cell, read.found->version}, read.found->value);
    if (!first && value->second != read.found->value) Problem(read, "the same version was " + value->second);
    versions_[{read.cell, read.found->value}].insert(read.found->version);
  }

  // ---- what was shown
  // ------------------------------------------------------------------------------------------------

  // The times that servers gave to a value.
  std::set<WriteTime> TimesOf(int cell, const std::string& value) const {
    std::set<WriteTime> times;
    for (const Kept& kept : truth_.kept) {
      if (kept.cell == cell && kept.value == value && !kept.is_delete) times.insert(kept.time);
    }
    return times;
  }

  void JudgeValues() {
    for (const Operation& op : operations_) {
      for (const WritePart& part : op.parts) {
        const auto shown = versions_.find({part.cell, part.value});
        if (part.kind != WritePart::Kind::kPut || shown == versions_.end()) continue;
        const size_t most = TimesOf(part.cell, part.value).size() + (IsAny(op) ? 0 : 1);
        if (shown->second.size() > most) {
          Problem(op, std::to_string(shown->second.size()) + " versions of " + part.value +
                          " were shown, and it was written " + std::to_string(most) + " times");
        }
      }
    }
  }

  // ---- ANY
  // -----------------------------------------------------------------------------------------------------------

  // The writes that servers took for a part: for a put, those of its value; for a delete, those taken during the call.
  std::vector<const Kept*> Taken(const Operation& op, const WritePart& part) const {
    std::vector<const Kept*> taken;
    const bool is_delete = part.kind == WritePart::Kind::kDelete;
    for (const Kept& kept : truth_.kept) {
      if (!kept.any || kept.cell != part.cell || kept.is_delete != is_delete) continue;
      if (is_delete ? kept.at > op.invoked && kept.at <= op.returned : kept.value == part.value) taken.push_back(&kept);
    }
    return taken;
  }

  void JudgeTaken(const Operation& op, const WritePart& part) {
    const std::vector<const Kept*> taken = Taken(op, part);
    if (op.outcome == Outcome::kNotExecuted) {
      if (part.kind == WritePart::Kind::kPut && !taken.empty())
        Problem(op, "it was told that this was not executed, and it was");
      return;
    }
    const auto before = [&](const Kept* kept) { return kept->at > op.invoked && kept->at <= op.returned; };
    if (op.outcome == Outcome::kOk && std::ranges::none_of(taken, before))
      Problem(op, "acknowledged, and taken by nobody");
  }

  void JudgeUnresolved(const Kept& kept) {
    const std::string what = "cell " + std::to_string(kept.cell) +
                             (kept.is_delete ? " deleted" : " put " + kept.value) + " at " +
                             std::to_string(kept.time.ms) + " by " + kept.time.server;
    if (kept.time.ms > kept.true_ms + truth_.ahead_ms_max) {
      problems_.push_back(what + ": no clock said so, as it was " + std::to_string(kept.true_ms));
    }
    const auto& final = truth_.finals[static_cast<size_t>(kept.cell)];
    if (!kept.any && !kept.may_be_lost && (!final || final->time < kept.time)) {
      problems_.push_back(what + ": rolled back, never delivered, and later than what is there");
    }
    // A write in the log may have the time of a write that its server took meanwhile. Then the write in the log wins.
    if (!final || final->time != kept.time || final->is_delete || TimesOf(kept.cell, final->value).empty()) return;
    if (kept.is_delete || kept.value != final->value)
      problems_.push_back(what + ": at the same time " + final->value + " was put");
  }

  // ---- the end
  // -------------------------------------------------------------------------------------------------------

  // The final record is the acknowledged write, or a later one.
  void JudgeEnd(const Operation& op, const WritePart& part) {
    if (part.kind == WritePart::Kind::kCheck) return;
    const auto& final = truth_.finals[static_cast<size_t>(part.cell)];
    std::vector<const Kept*> taken = IsAny(op) ? Taken(op, part) : std::vector<const Kept*>();
    const bool lost = std::erase_if(taken, [](const Kept* kept) { return kept->may_be_lost; }) > 0;
    if (lost && taken.empty()) return;
    if (!final) return Problem(op, "acknowledged, and nothing is left of it or anything later");
    if (!IsAny(op)) {
      if (op.version && final->version < op.version) Problem(op, "what is there in the end is older, " + Text(*final));
      return;
    }
    if (taken.empty()) return;
    const auto first = std::ranges::min_element(taken, {}, [](const Kept* kept) { return kept->time; });
    if (final->time < (*first)->time) Problem(op, "it is later than what is there in the end, " + Text(*final));
  }
  static std::string Text(const Final& final) {
    return (final.is_delete ? "a delete" : final.value) + " @" + final.version.ToString() + " of " +
           std::to_string(final.time.ms) + " by " + final.time.server;
  }

  const std::vector<Operation>& operations_;
  const LwwTruth& truth_;
  std::map<std::pair<int, Version>, std::string> values_;
  std::map<std::pair<int, std::string>, std::set<Version>> versions_;  // that reads showed, by cell and value
  std::vector<std::string> problems_;
};

}  // namespace

bool LwwTruth::KeptDelete(int cell, EventNumber moment) const {
  return std::ranges::any_of(kept,
                             [&](const Kept& one) { return one.is_delete && one.cell == cell && one.at <= moment; });
}

std::vector<std::string> JudgeLastWriteWins(const std::vector<Operation>& operations, const LwwTruth& truth) {
  return LwwJudgement(operations, truth).Judge();
}

}  // namespace ebla::sim
