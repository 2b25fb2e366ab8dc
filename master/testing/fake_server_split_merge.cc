// A FakeServer's part in a tablet's lineage: splits, freezes, and local merges.
#include <algorithm>
#include <utility>

#include "master/testing/fake_server.h"
#include "master/testing/fake_server_thrift.h"

namespace ebla::master::testing {

void FakeServer::ApplySplits(int64_t id, const idl::TableSchema& schema) {
  for (const Replica::Split& split : std::exchange(replicas_[id].logged, {})) ReceiveSplit(id, split, schema);
}

void FakeServer::ReceiveSplit(int64_t id, const Replica::Split& split, const idl::TableSchema& schema) {
  Replica& replica = replicas_[id];
  replica.range.endKey = split.split.key;
  replica.splits.push_back(split);
  const int64_t child_id = split.split.childId;
  if (tombstones_.contains(child_id) || replicas_.contains(child_id)) return;
  Replica child;
  child.range = split.child;
  child.table = replica.table;
  child.promised = std::max(promises_[child_id], split.split.position.epoch);
  child.last = split.split.position;
  child.schema = schema;
  child.schema_version = schema.schemaVersion;
  if (child.promised == split.split.position.epoch && !split.split.primary.empty()) {
    child.epoch = split.split.position.epoch;
    child.primary = split.split.primary;
    child.heard = executor_->Now();
  }
  replicas_[child_id] = std::move(child);
}

// Commits a SPLIT at a majority, which applies it at once.
bool FakeServer::SplitHere(const idl::SplitTablet& order, Replica& parent) {
  std::vector<FakeServer*> others;
  for (const std::string& voter : parent.voters) {
    FakeServer* other = voter == name_ ? nullptr : peers_.find(voter);
    if (other && !mute && !other->mute && !peers_.cut(name_, voter)) others.push_back(other);
  }
  const idl::LogPosition position = Position(order.epoch, parent.last.lsn + 1);
  std::erase_if(
      others, [&](FakeServer* other) { return !other->Receive(order.tabletId, order.epoch, name_, position).stored; });
  if (others.size() + 1 <= parent.voters.size() / 2) return false;
  Replica::Split split;
  split.split.childId = order.childId;
  split.split.key = order.key;
  split.split.position = parent.last = position;
  split.split.primary = name_;
  split.split.voters = parent.voters;
  split.child = parent.range;
  split.child.startKey = order.key;
  ledger_.Acknowledged(order.tabletId, position);
  ReceiveSplit(order.tabletId, split, parent.schema);
  for (FakeServer* other : others) other->CatchUp(order.tabletId, parent, false);
  const auto child = replicas_.find(order.childId);
  if (child == replicas_.end() || child->second.promised > order.epoch) return true;
  child->second.voters = parent.voters;
  child->second.led = child->second.leading = order.epoch;
  child->second.barrier = position.lsn;
  child->second.barrier_committed = true;
  ledger_.Led(order.childId, order.epoch, name_ + "#" + std::to_string(incarnation_), position, true);
  return true;
}

void FakeServer::split(std::function<void(const idl::SplitReply&)> cob, const idl::SplitRequest& request) {
  const auto obey = [this](const idl::SplitTablet& order, Replica* replica, idl::SplitResult& result) {
    const bool again = replica && !replica->splits.empty() && replica->splits.back().split.childId == order.childId;
    if (refuse_split) {
      result.status = MakeStatus(*refuse_split, "told to refuse");
    } else if (!again && (!replica || replica->leading != order.epoch)) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "it is not primary in that epoch");
    } else if (!again && (order.key <= replica->range.startKey ||
                          (!replica->range.endKey.empty() && order.key >= replica->range.endKey))) {
      result.status = MakeStatus(idl::Code::INVALID_ARGUMENT, "no key of this tablet");
    } else if (!again && !SplitHere(order, *replica)) {
      result.status = MakeStatus(idl::Code::COME_AGAIN, "no majority");
    }
    if (result.status.code == idl::Code::OK) result.__set_split(replicas_[order.tabletId].splits.back().split);
  };
  const auto reply = ForEachOrder<idl::SplitReply>(request, obey);
  if (!lose_split_answers) cob(reply);
}

// Appends FREEZE, once, and brings every voter to it.
bool FakeServer::FreezeHere(const idl::FreezeTablet& order, Replica& replica) {
  if (!replica.freeze) {
    replica.last = Position(order.epoch, replica.last.lsn + 1);
    replica.freeze = {order.intoId, replica.last};
  }
  bool everywhere = !hold_freezes;
  for (const std::string& voter : replica.voters) {
    FakeServer* other = voter == name_ ? this : peers_.find(voter);
    if (other == this) continue;
    const bool reached = other && !mute && !other->mute && !peers_.cut(name_, voter);
    if (!reached || !other->Receive(order.tabletId, order.epoch, name_, replica.last).stored) {
      everywhere = false;
      continue;
    }
    other->CatchUp(order.tabletId, replica, false);
  }
  return everywhere;
}

void FakeServer::freeze(std::function<void(const idl::FreezeReply&)> cob, const idl::FreezeRequest& request) {
  const auto obey = [this](const idl::FreezeTablet& order, Replica* replica, idl::FreezeResult& result) {
    if (refuse_freeze) {
      result.status = MakeStatus(*refuse_freeze, "told to refuse");
    } else if (!replica || replica->leading != order.epoch) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "it is not primary in that epoch");
    } else if (!replica->barrier_committed || !FreezeHere(order, *replica)) {
      result.status = MakeStatus(idl::Code::COME_AGAIN, "not every voter has it");
    } else {
      result.__set_freeze(replica->freeze->position);
      result.tabletTimeMs = 1'700'000'000'000 + order.tabletId;
    }
  };
  ++freezes_ordered;
  const auto reply = ForEachOrder<idl::FreezeReply>(request, obey);
  if (!lose_freeze_answers) cob(reply);
}

// Makes one tablet of two tablets that it has through their FREEZEs.
idl::Status FakeServer::MergeReplicas(const idl::ConfigureTablet& order) {
  const auto left = replicas_.find(order.merged.left.tabletId), right = replicas_.find(order.merged.right.tabletId);
  const bool none = left == replicas_.end() && right == replicas_.end();
  const bool both = left != replicas_.end() && right != replicas_.end() && !left->second.incomplete &&
                    !right->second.incomplete && !left->second.failed && !right->second.failed;
  if (none) return {};  // it is copied to
  if (!both || hold_local_merges) return MakeStatus(idl::Code::COME_AGAIN, "they are not merged yet");
  for (const auto& [replica, part] :
       {std::pair(&left->second, &order.merged.left), std::pair(&right->second, &order.merged.right)}) {
    if (Order(replica->last) != Order(part->freeze)) ledger_.Violated(name_ + " merges what is not as it was frozen");
  }
  ledger_.VoterMerged(order.tabletId, order.merged);
  Replica whole;
  whole.range = left->second.range;
  whole.range.endKey = right->second.range.endKey;
  whole.table = left->second.table;
  whole.promised = promises_[order.tabletId];
  whole.last = order.merged.position;
  whole.merged = order.merged;
  for (const int64_t part : {order.merged.left.tabletId, order.merged.right.tabletId}) {
    tombstones_[part] = std::max(tombstones_[part], replicas_[part].promised);
    replicas_.erase(part);
  }
  replicas_[order.tabletId] = std::move(whole);
  return {};
}

}  // namespace ebla::master::testing
