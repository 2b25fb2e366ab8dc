#include "tests/sim/checker/levels.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

namespace ebla::sim {
namespace {

using Level = Read::Level;

bool IsStrong(const Operation& op) { return op.read.level() == Level::kStrong || op.read.level() == Level::kDefault; }
bool IsCommittedRead(const Operation& op) { return op.is_read && op.read.level() != Level::kSession; }
bool Writes(const Operation& op, int cell) {
  return std::ranges::any_of(
      op.parts, [&](const WritePart& part) { return part.cell == cell && part.kind != WritePart::Kind::kCheck; });
}
bool Deletes(const Operation& op, int cell) {
  return std::ranges::any_of(
      op.parts, [&](const WritePart& part) { return part.cell == cell && part.kind == WritePart::Kind::kDelete; });
}
// The version that the operation wrote or found; none: it did neither.
Version VersionOf(const Operation& op) { return !op.is_read ? op.version : op.found ? op.found->version : Version(); }
bool MayHaveHappened(const Operation& op) { return op.outcome == Outcome::kOk || op.outcome == Outcome::kUnknown; }

class Judgement {
 public:
  Judgement(const History& history, int group, const GroupTruth& truth)
      : history_(history), group_(group), truth_(truth) {
    for (const Operation& op : history.operations) {
      if (op.lost_write) lost_told_.push_back(&op);
      if (op.group != group) continue;
      operations_.push_back(&op);
      for (const WritePart& part : op.parts) {
        if (part.kind == WritePart::Kind::kPut) writers_[part.value] = &op;
      }
    }
  }

  LevelVerdict Judge() {
    for (const Operation* op : operations_) {
      if (op->outcome == Outcome::kOk) JudgeHistory(*op);
      if (op->is_read && op->outcome == Outcome::kOk) {
        JudgeOrigin(*op);
        if (op->read.level() == Level::kSession) JudgeSession(*op);
      }
      if (IsForSearch(*op)) verdict_.search.push_back(ForSearch(*op));
      if (MayHaveHappened(*op)) AddExpiries(*op);
    }
    if (truth_.lww) {
      const std::vector<std::string> problems = JudgeLastWriteWins(verdict_.search, *truth_.lww);
      verdict_.problems.insert(verdict_.problems.end(), problems.begin(), problems.end());
      verdict_.search.clear();
    }
    return std::move(verdict_);
  }

 private:
  void Problem(const Operation& op, const std::string& why) {
    verdict_.problems.push_back("group " + std::to_string(group_) + ": " + why + ": " + op.ToString());
  }

  bool InHistory(Version version) const { return !version || truth_.epochs.Contain(version); }
  bool IsLost(const Operation& write) const { return write.ack == Ack::kPrimary && !InHistory(write.version); }

  void JudgeHistory(const Operation& op) {
    if (op.is_read) {
      if (IsCommittedRead(op) && op.found && !InHistory(op.found->version))
        Problem(op, "what it showed was rolled back");
    } else if (!InHistory(op.version) && op.ack != Ack::kPrimary) {
      Problem(op, "acknowledged, and rolled back");
    } else if (!InHistory(op.version) && !truth_.may_forget && !truth_.kept.contains(op.version)) {
      Problem(op, "rolled back, and kept by nobody");
    }
  }

  // A replica may see a record expire before its primary does, so such a read proves nothing about other replicas.
  static bool IsForSearch(const Operation& op) {
    const bool ahead = op.is_read && op.cell == kMortalCell && !op.found && !IsStrong(op);
    return !op.is_read || (IsCommittedRead(op) && !ahead);
  }

  // A value with a TTL may expire at any time after its write, or never. Once it has expired, it is gone.
  void AddExpiries(const Operation& op) {
    for (const WritePart& part : op.parts) {
      if (part.kind != WritePart::Kind::kPut || part.ttl.count() == 0) continue;
      Operation expiry;
      expiry.id = op.id;
      expiry.client = "expiry";
      expiry.group = op.group;
      expiry.invoked = op.invoked;
      expiry.parts = {{.kind = WritePart::Kind::kDelete,
                       .cell = part.cell,
                       .value = part.value,
                       .condition = WritePart::Condition::kValueIs}};
      verdict_.search.push_back(std::move(expiry));
    }
  }

  Operation ForSearch(Operation op) const {
    if (op.is_read) {
      op.invoked = EarliestMoment(op);
      return op;
    }
    if (op.ack != Ack::kPrimary || op.outcome == Outcome::kUnknown || op.outcome == Outcome::kNotExecuted) return op;
    const bool nameless = !op.version;  // refused, or a check alone: a server has nothing to keep
    if (!nameless && !IsLost(op)) return op;
    op.outcome = Outcome::kUnknown;
    op.returned = kNever;
    op.version = {};
    op.counters.clear();
    return op;
  }

  EventNumber EarliestMoment(const Operation& read) const {
    EventNumber earliest = 0;
    switch (read.read.level()) {
      case Level::kEventual: break;
      case Level::kBounded: {
        // clocks differ in rate
        const Duration bound = read.read.bound() + read.read.bound() / 500 + std::chrono::milliseconds(1);
        const Duration began = history_.moments[read.invoked].since_boot;
        if (began > bound) earliest = std::min(read.invoked, history_.FirstFrom({began - bound}));
        earliest = FirstPending(earliest);
        break;
      }
      default: return read.invoked;
    }
    // The call is no earlier than that of the write which the read shows. This saves the search many vain attempts.
    const Operation* writer = read.found ? Writer(*read.found) : nullptr;
    if (writer != nullptr) earliest = std::max(earliest, writer->invoked);
    return std::min(earliest, read.invoked);
  }

  // The call of the first acknowledged PRIMARY write that need not have been committed before `moment`. A read of the
  // committed state of that moment may lack this write and all later ones. Without such a write, the moment itself.
  EventNumber FirstPending(EventNumber moment) const {
    Version committed;
    for (const Operation* op : operations_) {
      if (op->outcome != Outcome::kOk || op->returned >= moment) continue;
      if (IsCommittedRead(*op) && op->found) committed = std::max(committed, op->found->version);
      if (!op->is_read && op->ack != Ack::kPrimary) committed = std::max(committed, op->version);
    }
    for (const Operation* op : operations_) {
      const bool pending =
          !op->is_read && op->ack == Ack::kPrimary && op->outcome == Outcome::kOk && op->version > committed;
      if (pending) moment = std::min(moment, op->invoked);
    }
    return moment;
  }

  const Operation* Writer(const Cell& cell) const {
    const auto found = writers_.find(cell.value);
    return found == writers_.end() ? nullptr : found->second;
  }

  void JudgeOrigin(const Operation& read) {
    if (!read.found || read.cell == kCounterCell) return;
    const Operation* writer = Writer(*read.found);
    // A session may have seen a write in the log that a failover then rolled back, and the write's retry may have been
    // refused. No write that stayed in the history was refused.
    const bool rolled_back = truth_.epochs.starts.empty() || !InHistory(read.found->version);
    const bool in_log = rolled_back && read.read.level() == Level::kSession && writer != nullptr &&
                        writer->outcome == Outcome::kRefused;
    if (writer == nullptr || writer->invoked > read.returned || !(MayHaveHappened(*writer) || in_log)) {
      return Problem(read, "nobody wrote that");
    }
    if (read.read.level() == Level::kSession || writer->outcome != Outcome::kOk || !writer->version) return;
    const auto kept = [&](const LwwTruth::Kept& one) { return one.value == read.found->value; };
    if (truth_.lww && std::ranges::any_of(truth_.lww->kept, kept)) return;  // written again when it was delivered
    // A failover rolled back the attempt that was answered (PROTOCOL 19). Another attempt arrived late and was executed
    // again; or an attempt of an earlier epoch, which the primary that answered lacked, is in the log that was chosen.
    const Version shown = read.found->version;
    const bool earlier = shown.epoch < writer->version.epoch && InHistory(shown);
    if (IsLost(*writer) && (shown > writer->version || earlier)) return;
    if (writer->version != read.found->version) Problem(read, "it was acknowledged as " + writer->ToString());
  }

  // ---- sessions
  // ------------------------------------------------------------------------------------------------------

  // Did the session learn, after it learnt of `known` and before `to`, that this write was lost? If calls overlap,
  // LOST_WRITE may answer only one of them, and this answer may wait for the call's other keys. So a call that began
  // before `to` counts, and so does a call of a session that this one continues, if it began before the handover.
  bool ToldLost(uint64_t session, const Operation& known, EventNumber to) const {
    const EventNumber from = known.is_read ? known.invoked : known.returned;
    return std::ranges::any_of(lost_told_, [&](const Operation* told) {
      return told->returned > from && (history_.Asked(session, to, *told) || history_.Knew(session, to, *told)) &&
             (told->group / kGroupsPerTablet == group_ / kGroupsPerTablet || Names(*told, known));
    });
  }

  // A tablet that was split or merged holds other groups, so there the answer must have named what was lost. For the
  // writes of one epoch it names the last one, and for reads the position that the session had seen.
  static bool Names(const Operation& told, const Operation& known) {
    const Version version = VersionOf(known);
    return std::ranges::any_of(told.lost, [&](const Version& lost) {
      return version && version <= lost && (known.is_read || version.epoch == lost.epoch);
    });
  }

  // The newest version of the read's cell that the session knew at the read's call, and the operation that showed it.
  struct Floor {
    Version version;
    const Operation* from = nullptr;
  };
  Floor FloorOf(const Operation& read) const {
    Floor floor;
    for (const Operation* op : operations_) {
      if (op->outcome != Outcome::kOk || !history_.Knew(read.session, read.invoked, *op)) continue;
      const bool pending = op->is_read ? op->read.level() == Level::kSession : op->ack == Ack::kPrimary;
      if (pending && ToldLost(read.session, *op, read.returned)) continue;
      const bool concerns = op->is_read ? op->cell == read.cell && op->found : Writes(*op, read.cell);
      const Version version = concerns ? VersionOf(*op) : Version();
      if (version > floor.version) floor = {version, op};
    }
    return floor;
  }

  // May a delete have removed the read's cell after `known` was written? The write of `known` may itself be the delete.
  bool MayBeDeleted(const Operation& read, Version known) const {
    if (read.cell == kMortalCell) return true;
    if (truth_.lww && truth_.lww->KeptDelete(read.cell, read.returned)) return true;
    EventNumber written = 0;
    for (const Operation* op : operations_) {
      if (!op->is_read && op->version == known) written = op->invoked;
    }
    return std::ranges::any_of(operations_, [&](const Operation* op) {
      // A session sees the log. So it may see an attempt that a failover then rolled back, and whose retry was refused.
      const bool in_log = read.read.level() == Level::kSession && op->outcome == Outcome::kRefused;
      if (!(MayHaveHappened(*op) || in_log) || !Deletes(*op, read.cell) || op->invoked > read.returned) return false;
      const bool delivered = truth_.lww && (op->ack == Ack::kAny || IsLost(*op));  // at an unknown time
      return delivered || (op->version ? op->version >= known : op->returned > written);
    });
  }

  void JudgeSession(const Operation& read) {
    const Floor floor = FloorOf(read);
    if (floor.from != nullptr) {
      if (!read.found && !MayBeDeleted(read, floor.version)) {
        return Problem(read, "its session knew better, by " + floor.from->ToString());
      }
      if (read.found && read.found->version < floor.version) {
        return Problem(read, "older than its session knew, by " + floor.from->ToString());
      }
    }
    for (const Operation* op : operations_) {
      if (op->is_read || op->outcome != Outcome::kOk || !IsLost(*op) || !Writes(*op, read.cell)) continue;
      if (!history_.Knew(read.session, read.invoked, *op)) continue;
      if (ToldLost(read.session, *op, read.returned)) continue;
      const bool still_there =
          read.found ? read.found->version.epoch == op->version.epoch : MayBeDeleted(read, op->version);
      if (!still_there) Problem(read, "its session was not told that this was rolled back: " + op->ToString());
    }
  }

  const History& history_;
  const int group_;
  const GroupTruth& truth_;
  std::vector<const Operation*> operations_;
  std::unordered_map<std::string, const Operation*> writers_;  // of each text
  std::vector<const Operation*> lost_told_;
  LevelVerdict verdict_;
};

}  // namespace

bool Epochs::Contain(Version version) const {
  if (starts.empty()) return true;
  const auto next = std::ranges::upper_bound(starts, version.epoch, {}, &Start::epoch);
  if (next == starts.begin()) return false;
  const Start& own = *std::prev(next);
  return own.epoch == version.epoch && own.first <= version.lsn && (next == starts.end() || version.lsn < next->first);
}

LevelVerdict JudgeLevels(const History& history, int group, const GroupTruth& truth) {
  return Judgement(history, group, truth).Judge();
}

}  // namespace ebla::sim
