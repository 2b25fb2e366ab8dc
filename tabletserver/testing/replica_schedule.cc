#include "tabletserver/testing/replica_schedule.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>
#include <vector>

#include "common/base/number_limits.h"
#include "common/base/planted_bug.h"

namespace ebla::tabletserver::testing {
namespace {

using namespace std::chrono_literals;

TabletOptions ScheduleOptions() {
  TabletOptions options;
  options.tablet = TabletId{11};
  return options;
}

WriteRequest Put(uint64_t client, uint64_t sequence, std::string key, AckLevel level) {
  WriteRequest request;
  request.client = ClientId{client};
  request.sequence = request.first_incomplete = Sequence{sequence};
  request.level = level;
  tabletserver::Write write;
  write.key = std::move(key);
  write.value = std::to_string(client) + "." + std::to_string(sequence);
  request.writes.push_back(std::move(write));
  return request;
}

}  // namespace

ReplicaSchedule::ReplicaSchedule(uint64_t seed, const Options& options)
    : random_(seed), options_(options), group_({"a", "b", "c", "d"}, ScheduleOptions()) {
  group_.Create("a", {"a", "b", "c"});
  Rest();
}

std::string ReplicaSchedule::Run() {
  for (int i = 0; i < kSteps && fault_.empty(); ++i) {
    Step();
    if (options_.trace) Trace(std::to_string(i));
  }
  if (fault_.empty()) Heal();
  return fault_;
}

// Prints a server's state when it differs from the state printed before.
void ReplicaSchedule::Trace(const std::string& step) {
  for (const ServerName& server : group_.servers()) {
    const CoreRig& rig = group_.at(server);
    const ReplicaCore& replica = rig.core().replica();
    std::ostringstream text;
    text << (replica.Leads() ? " leads " : " follows ") << replica.epoch() << " promised " << replica.state().promised
         << " log " << replica.last_appended() << " flushed " << replica.log().flushed() << " committed "
         << replica.committed() << " applied " << replica.log().applied().lsn
         << (replica.state().incomplete ? " incomplete" : "")
         << (replica.receiving() != 0   ? " receiving"
             : replica.preparing() != 0 ? " preparing"
             : replica.may_apply()      ? ""
                                        : " waits");
    for (const PeerProgress& peer : replica.standing().Progress()) {
      text << "  " << peer.peer << (peer.voter ? " voter " : " learner ") << (peer.incomplete ? "incomplete " : "")
           << (peer.copying ? "copying " : "") << peer.flushed;
    }
    if (text.str() == shown_[server]) continue;
    shown_[server] = text.str();
    std::cout << step << " " << server << shown_[server] << "\n";
  }
}

void ReplicaSchedule::Rest() {
  if (!group_.DeliverAll()) Fault("the replicas never come to rest");
}

void ReplicaSchedule::Step() {
  const uint64_t dice = Pick(100);
  if (options_.mad && Pick(5) == 0) {
    SendMadness();
  } else if (dice < 60) {
    DeliverSomething();
  } else if (dice < 72) {
    Write();
  } else if (dice < 82) {
    Read();
  } else if (dice < 97) {
    group_.Pass(std::chrono::milliseconds(1 + Pick(60)));
    if (Pick(2) == 0) group_.Beat();
  } else {
    Disturb();
  }
  group_.Collect();
  Harvest();
}

// Delivers mostly in order and loses a message now and then. An order of the master may arrive twice, or very late.
void ReplicaSchedule::DeliverSomething() {
  if (!late_.empty() && Pick(60) == 0) {
    group_.parcels.push_front(std::move(late_.front()));
    late_.pop_front();
  }
  if (group_.parcels.empty()) return;
  const size_t which = Pick(std::min<size_t>(group_.parcels.size(), 4));
  const GroupRig::Parcel& parcel = group_.parcels[which];
  if (parcel.what == "order" && Pick(4) == 0) late_.push_back({parcel.from, parcel.to, parcel.what, parcel.run, {}});
  group_.Deliver(which, Pick(40) == 0);
}

// Sends well-formed messages, because the request handler rejects all others. Their numbers lie near the true ones, or
// as far away as it allows.
void ReplicaSchedule::SendMadness() {
  const ServerName to = Anyone();
  const ReplicaCore& replica = group_.at(to).core().replica();
  if (!replica.epoch()) return;  // a restarted replica believes the first sender in its promised epoch
  const auto near = [&](uint64_t number, uint64_t most) {
    const uint64_t choices[] = {
        0, 1, number, number + 1, number + Pick(5), number - std::min(number, Pick(5)), most, Pick(most)};
    return choices[Pick(std::size(choices))];
  };
  const auto epoch = [&] { return Epoch{near(replica.state().promised.value, limits::kEpochMax)}; };
  const auto lsn = [&] { return Lsn{near(replica.last_appended().lsn.value, limits::kLsnMax)}; };
  const TabletTime time{near(group_.at(to).tablet_time().value, uint64_t{1} << 41)};
  PeerRequest request{RequestToken{++madness_}, "mad", {}, group_.at(to).now()};
  if (Pick(2) == 0) {
    HeartbeatMessage heartbeat{.epoch = epoch(), .committed = lsn(), .retain = lsn(), .round = Pick(9)};
    heartbeat.time = time;
    heartbeat.acknowledged = lsn();
    heartbeat.flushed = lsn();
    request.body = heartbeat;
  } else {
    AppendMessage append{.epoch = epoch(), .previous = {epoch(), lsn()}, .committed = lsn(), .retain = lsn()};
    append.time = time;
    append.acknowledged = lsn();
    if (Pick(4) == 0) append.previous = replica.last_appended();
    if (append.previous.epoch > append.epoch) append.previous.epoch = append.epoch;
    for (uint64_t i = 0, entries = Pick(4); i < entries; ++i) {
      LogEntry entry;
      entry.version = {append.epoch, Lsn{append.previous.lsn.value + 1 + i}};
      entry.effects.emplace_back().key = "k0";
      entry.effects.back().value = "mad";
      append.entries.push_back(std::make_shared<const LogEntry>(std::move(entry)));
    }
    request.body = std::move(append);
  }
  group_.at(to).Receive(std::move(request));
}

void ReplicaSchedule::Write() {
  const ServerName server = Pick(4) == 0 ? Anyone() : group_.catalog().primary;
  const auto level = Pick(4) == 0 ? AckLevel::kPrimary : Pick(4) == 0 ? AckLevel::kAll : AckLevel::kMajority;
  const std::string key = "k" + std::to_string(Pick(2));
  ++counts_.writes;
  const RequestToken token = group_.at(server).Write(Put(7, ++sequence_, key, level));
  pending_[{server, token}] = {key, level};
}

void ReplicaSchedule::Read() {
  const ServerName server = Pick(2) == 0 ? Anyone() : group_.catalog().primary;
  CoreRig& rig = group_.at(server);
  if (rig.view == nullptr || rig.view->role != RoleKind::kPrimary || !rig.view->barrier_applied) return;
  const std::string key = "k" + std::to_string(Pick(2));
  if (rig.now() < rig.view->lease_until && Pick(8) != 0) {
    ++counts_.reads;
    if (!rig.view->pending_primary) Saw(server, key, floor_[key]);
  } else {
    const RequestToken token = rig.Confirm();
    confirming_[{server, token}] = {key, floor_[key]};
  }
}

void ReplicaSchedule::Saw(const ServerName& server, const std::string& key, Version least) {
  const auto& records = group_.at(server).store().records();
  const auto found = records.find(key);
  const Version seen = found == records.end() ? Version{} : found->second.version;
  if (seen < least)
    Fault("a STRONG read of " + key + " at " + server + " shows " + seen.ToString() + " after " + least.ToString());
  floor_[key] = std::max(floor_[key], seen);
}

void ReplicaSchedule::Disturb() {
  const auto& catalog = group_.catalog();
  switch (Pick(18)) {
    case 12:
    case 13: Isolate(Victim()); break;
    case 14:
    case 15: {
      // The worst moment for a failover: the primary is cut off while it holds unflushed entries or a lease.
      const ServerName victim = catalog.primary;
      if (Pick(2) == 0) {
        Isolate(victim);
      } else {
        Crash(victim);
      }
      ++counts_.failovers;
      group_.Failover();
      break;
    }
    case 0:
    case 1:
      ++counts_.failovers;
      group_.Failover();
      break;
    case 2: Crash(Victim()); break;
    case 3: group_.cut.insert({Anyone(), Anyone()}); break;
    case 4:
    case 5:
      group_.cut.clear();
      LetStore();
      break;
    case 6: {
      CoreRig& rig = group_.at(catalog.primary);
      if (!rig.core().replica().Leads()) break;
      ++counts_.transfers;
      group_.Transfer(catalog.voters[Pick(catalog.voters.size())], 300ms);
      break;
    }
    case 7:
    case 8: ChangeMembership(); break;
    case 9: {
      CoreRig& rig = group_.at(Anyone());
      if (rig.core().replica().role() != RoleKind::kAbsent) rig.Checkpoint(Pick(2) == 0);
      break;
    }
    case 10: {
      const ServerName server = Anyone();
      group_.at(server).HoldFlush(Pick(2) == 0);
      break;
    }
    case 11:
      for (const ServerName& server : group_.servers()) group_.at(server).HoldFlush(false);
      break;
    case 16: group_.at(Victim()).store().failures.append = Error(Code::kOverloaded, "disk full"); break;
    case 17: LetStore(); break;
  }
}

void ReplicaSchedule::LetStore() {
  for (const ServerName& server : group_.servers()) group_.at(server).store().failures.append = {};
}

void ReplicaSchedule::Crash(const ServerName& server) {
  ++counts_.crashes;
  group_.Crash(server, Pick(4));
  std::erase_if(pending_, [&](const auto& one) { return one.first.first == server; });
  std::erase_if(confirming_, [&](const auto& one) { return one.first.first == server; });
}

void ReplicaSchedule::Isolate(const ServerName& server) {
  for (const ServerName& other : group_.servers()) {
    group_.cut.insert({server, other});
    group_.cut.insert({other, server});
  }
  group_.cut.insert({"master", server});
  group_.cut.insert({server, "master"});
}

// Changes one member at a time, and only once this epoch's Barrier is committed, as the master does.
void ReplicaSchedule::ChangeMembership() {
  const auto& catalog = group_.catalog();
  const ReplicaCore& replica = group_.at(catalog.primary).core().replica();
  if (!replica.Leads() || replica.epoch() != catalog.epoch) return;
  if (!replica.standing().BarrierCommitted() && !Planted(PlantedBug::overlapping_membership)) return;
  std::vector<ServerName> voters = catalog.voters, learners = catalog.learners;
  if (!learners.empty()) {
    for (const PeerProgress& peer : replica.standing().Progress()) {
      if (peer.peer != learners.front() || peer.incomplete || peer.flushed.Next() < replica.last_appended().lsn)
        continue;
      ++counts_.changes;
      voters.push_back(learners.front());
      return group_.Change(voters, {});
    }
    return;
  }
  if (voters.size() < 4) {
    for (const ServerName& server : group_.servers()) {
      if (std::find(voters.begin(), voters.end(), server) != voters.end()) continue;
      if (group_.at(server).store().state().table && !group_.at(server).store().state().tombstone) group_.Drop(server);
      ++counts_.changes;
      return group_.Change(voters, {server});
    }
    return;
  }
  std::erase(voters, catalog.primary);
  voters.erase(voters.begin() + static_cast<ptrdiff_t>(Pick(voters.size())));
  voters.push_back(catalog.primary);
  ++counts_.changes;
  group_.Change(voters, {});
}

// Notes the answers and compares the applied positions.
void ReplicaSchedule::Harvest() {
  for (const ServerName& server : group_.servers()) {
    CoreRig& rig = group_.at(server);
    for (const WriteReply& reply : std::exchange(rig.writes, {})) {
      const auto write = pending_.extract({server, reply.token});
      if (write.empty() || !reply.status.ok()) continue;
      ++counts_.acknowledged;
      const auto& [key, level] = write.mapped();
      if (level == AckLevel::kPrimary) {
        primaries_.insert(reply.version);
      } else {
        floor_[key] = std::max(floor_[key], reply.version);
      }
    }
    for (const ConfirmReply& reply : std::exchange(rig.confirms, {})) {
      const auto read = confirming_.extract({server, reply.token});
      if (read.empty() || !reply.status.ok() || !rig.core().replica().standing().BarrierApplied()) continue;
      ++counts_.confirmed;
      if (!rig.view->pending_primary) Saw(server, read.mapped().first, read.mapped().second);
    }
    for (const EntryPtr& entry : std::exchange(rig.store().rolled_back, {})) {
      ++counts_.rolled_back;
      rolled_back_.insert(entry->version);
    }
    if (!rig.store().fault.empty()) Fault(server + ": " + rig.store().fault);
    const ReplicaCore& replica = rig.core().replica();
    if (!replica.failure().ok()) Fault(server + " died: " + replica.failure().ToString());
    if (replica.state().lost) Fault(server + " calls itself lost, and its disk has lost nothing");
    if (replica.Leads()) {
      const auto [led, first] = leaders_.emplace(replica.epoch(), server);
      if (led->second != server) Fault("epoch " + std::to_string(replica.epoch().value) + " has two primaries");
    }
    if (rig.store().applied() && !rig.store().state().incomplete) Agree(server, rig.store().applied()->applied);
  }
}

void ReplicaSchedule::Agree(const ServerName& server, Version applied) {
  if (!applied) return;
  const auto [known, first] = applied_.emplace(applied.lsn, applied);
  if (known->second != applied) {
    Fault(server + " applied " + applied.ToString() + " where another applied " + known->second.ToString());
  }
}

// Ends every fault, though sometimes a server stays away for a while and the rest must serve without it. In the end all
// voters must agree.
void ReplicaSchedule::Heal() {
  group_.cut.clear();
  for (const ServerName& server : group_.servers()) group_.at(server).HoldFlush(false);
  LetStore();
  if (Pick(2) == 0) {
    Isolate(Anyone());
    ServeAgain(AckLevel::kMajority);
    group_.cut.clear();
  }
  ServeAgain(AckLevel::kAll);
  if (fault_.empty()) Compare();
}

void ReplicaSchedule::ServeAgain(AckLevel level) {
  bool served = false;
  for (int round = 0; round < 60 && fault_.empty() && !served; ++round) {
    for (int beat = 0; beat < 12; ++beat) {
      group_.Pass(100ms);
      group_.Beat();
      Rest();
      Harvest();
    }
    group_.Remind();
    Rest();
    if (options_.trace) Trace("heals " + std::to_string(round));
    const ServerName primary = group_.catalog().primary;
    CoreRig& rig = group_.at(primary);
    const bool leads = rig.core().replica().Leads() && rig.core().replica().epoch() == group_.catalog().epoch;
    if (!leads || rig.core().replica().standing().refused_for() || group_.Cut(primary, "master")) {
      group_.Failover();
      continue;
    }
    const RequestToken token = rig.Write(Put(9, ++sequence_, "k0", level));
    pending_[{primary, token}] = {"k0", level};
    const int before = counts_.acknowledged;
    for (int beat = 0; beat < 30 && counts_.acknowledged == before; ++beat) {
      group_.Pass(100ms);
      group_.Beat();
      Rest();
      Harvest();
    }
    served = counts_.acknowledged > before;
  }
  if (!served)
    Fault(level == AckLevel::kAll ? "healed, and no write at ALL was served" : "one is away, and nothing is served");
}

void ReplicaSchedule::Compare() {
  for (int beat = 0; beat < 20; ++beat) {
    group_.Pass(100ms);
    group_.Beat();
    Rest();
    Harvest();
  }
  const auto& catalog = group_.catalog();
  const CoreRig& primary = group_.at(catalog.primary);
  for (const auto& [key, version] : floor_) Saw(catalog.primary, key, version);
  for (const ServerName& voter : catalog.voters) {
    const CoreRig& rig = group_.at(voter);
    if (rig.store().records().size() != primary.store().records().size())
      Fault(voter + " has other records than " + catalog.primary);
    for (const auto& [key, record] : primary.store().records()) {
      const auto found = rig.store().records().find(key);
      if (found == rig.store().records().end() || found->second.version != record.version ||
          found->second.value != record.value) {
        Fault(voter + " has another " + key + " than " + catalog.primary);
      }
    }
  }
  // An acknowledged PRIMARY write is in the history, or kept as rolled back, or still in the log of a removed replica
  // that does not know of its removal.
  const auto& starts = primary.store().applied()->epoch_starts;
  std::set<Version> logged;
  for (const ServerName& server : group_.servers()) {
    if (std::find(catalog.voters.begin(), catalog.voters.end(), server) != catalog.voters.end()) continue;
    for (const LogEntry& entry : group_.at(server).store().Log()) logged.insert(entry.version);
  }
  for (const Version version : primaries_) {
    if (rolled_back_.contains(version) || logged.contains(version)) continue;
    bool in_history = false;
    for (size_t i = 0; i < starts.size(); ++i) {
      const bool ends_above = i + 1 == starts.size() || starts[i + 1].first > version.lsn;
      if (starts[i].epoch == version.epoch && starts[i].first <= version.lsn && ends_above) in_history = true;
    }
    if (!in_history) Fault("the acknowledged PRIMARY write " + version.ToString() + " vanished");
  }
}

}  // namespace ebla::tabletserver::testing
