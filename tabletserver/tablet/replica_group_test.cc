// Several replicas under random schedules: messages lost and reordered, crashes that lose what was not flushed, masters
// that fence, transfer and change the membership at any moment. What must hold is judged by versions, which grow along
// a key's life: a STRONG read shows nothing older than what was acknowledged or read before it began.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/number_limits.h"
#include "common/base/planted_bug.h"
#include "tabletserver/testing/group_rig.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using testing::CoreRig;
using testing::GroupRig;

TabletOptions GroupOptions() {
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

// ---- one schedule ---------------------------------------------------------------------------------------------------

class Schedule {
 public:
  // `mad`: a server that is no member sends what it likes to all of them.
  explicit Schedule(uint64_t seed, bool mad = false)
      : random_(seed), mad_(mad), group_({"a", "b", "c", "d"}, GroupOptions()) {
    group_.Create("a", {"a", "b", "c"});
    Rest();
  }

  // What was wrong; empty: nothing.
  std::string Run(int steps) {
    for (int i = 0; i < steps && fault_.empty(); ++i) {
      Step();
      if (trace_) Trace(std::to_string(i));
    }
    if (fault_.empty()) Heal();
    return fault_;
  }
  struct Counts {
    int writes = 0, acknowledged = 0, reads = 0, confirmed = 0, failovers = 0, changes = 0, transfers = 0, crashes = 0;
    int copies = 0, rolled_back = 0;
  } counts;

 private:
  // What has changed, for who wants to read a schedule: EBLA_SCHEDULE_SEED=7 with --gtest_filter=*ReadOneSchedule.
  void Trace(const std::string& step) {
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
  bool trace_ = std::getenv("EBLA_SCHEDULE_SEED") != nullptr;
  std::map<ServerName, std::string> shown_;
  uint64_t Pick(uint64_t below) { return random_() % below; }
  ServerName Anyone() { return group_.servers()[Pick(4)]; }
  void Fault(std::string text) {
    if (fault_.empty()) fault_ = std::move(text);
  }

  void Rest() {
    if (!group_.DeliverAll()) Fault("the replicas never come to rest");
  }

  void Step() {
    const uint64_t dice = Pick(100);
    if (mad_ && Pick(5) == 0) {
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

  // Mostly in order, now and then lost; an order of the master's may come twice, or very late.
  void DeliverSomething() {
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

  // Well-formed, as the edge lets nothing else through; near what is true, or as far from it as the edge allows.
  void SendMadness() {
    const ServerName to = Anyone();
    const ReplicaCore& replica = group_.at(to).core().replica();
    if (!replica.epoch()) return;  // one that restarted believes who speaks first in the epoch that it has promised
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
      request.body = heartbeat;
    } else {
      AppendMessage append{.epoch = epoch(), .previous = {epoch(), lsn()}, .committed = lsn(), .retain = lsn()};
      append.time = time;
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

  void Write() {
    const ServerName server = Pick(4) == 0 ? Anyone() : group_.catalog().primary;
    const auto level = Pick(4) == 0 ? AckLevel::kPrimary : Pick(4) == 0 ? AckLevel::kAll : AckLevel::kMajority;
    const std::string key = "k" + std::to_string(Pick(2));
    ++counts.writes;
    const RequestToken token = group_.at(server).Write(Put(7, ++sequence_, key, level));
    pending_[{server, token}] = {key, level};
  }

  void Read() {
    const ServerName server = Pick(2) == 0 ? Anyone() : group_.catalog().primary;
    CoreRig& rig = group_.at(server);
    if (rig.view == nullptr || rig.view->role != RoleKind::kPrimary || !rig.view->barrier_applied) return;
    const std::string key = "k" + std::to_string(Pick(2));
    if (rig.now() < rig.view->lease_until && Pick(8) != 0) {
      ++counts.reads;
      if (!rig.view->pending_primary) Saw(server, key, floor_[key]);
    } else {
      const RequestToken token = rig.Confirm();
      confirming_[{server, token}] = {key, floor_[key]};
    }
  }

  void Saw(const ServerName& server, const std::string& key, Version least) {
    const auto& records = group_.at(server).store().records();
    const auto found = records.find(key);
    const Version seen = found == records.end() ? Version{} : found->second.version;
    if (seen < least)
      Fault("a STRONG read of " + key + " at " + server + " shows " + seen.ToString() + " after " + least.ToString());
    floor_[key] = std::max(floor_[key], seen);
  }

  void Disturb() {
    const auto& catalog = group_.catalog();
    switch (Pick(18)) {
      case 12:
      case 13: Isolate(Victim()); break;
      case 14:
      case 15: {
        // The worst moment: cut off with what was sent and not flushed, or with a lease; and somebody else is to lead.
        const ServerName victim = catalog.primary;
        if (Pick(2) == 0) {
          Isolate(victim);
        } else {
          Crash(victim);
        }
        ++counts.failovers;
        group_.Failover();
        break;
      }
      case 0:
      case 1:
        ++counts.failovers;
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
        ++counts.transfers;
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

  void LetStore() {
    for (const ServerName& server : group_.servers()) group_.at(server).store().failures.append = {};
  }
  ServerName Victim() { return Pick(2) == 0 ? group_.catalog().primary : Anyone(); }

  void Crash(const ServerName& server) {
    ++counts.crashes;
    group_.Crash(server, Pick(4));
    std::erase_if(pending_, [&](const auto& one) { return one.first.first == server; });
    std::erase_if(confirming_, [&](const auto& one) { return one.first.first == server; });
  }

  void Isolate(const ServerName& server) {
    for (const ServerName& other : group_.servers()) {
      group_.cut.insert({server, other});
      group_.cut.insert({other, server});
    }
    group_.cut.insert({"master", server});
    group_.cut.insert({server, "master"});
  }

  // One step at a time, as the master does: only once this epoch's Barrier is committed.
  void ChangeMembership() {
    const auto& catalog = group_.catalog();
    const ReplicaCore& replica = group_.at(catalog.primary).core().replica();
    if (!replica.Leads() || replica.epoch() != catalog.epoch) return;
    if (!replica.standing().BarrierCommitted() && !Planted(PlantedBug::overlapping_membership)) return;
    std::vector<ServerName> voters = catalog.voters, learners = catalog.learners;
    if (!learners.empty()) {
      for (const PeerProgress& peer : replica.standing().Progress()) {
        if (peer.peer != learners.front() || peer.incomplete || peer.flushed.Next() < replica.last_appended().lsn)
          continue;
        ++counts.changes;
        voters.push_back(learners.front());
        return group_.Change(voters, {});
      }
      return;
    }
    if (voters.size() < 4) {
      for (const ServerName& server : group_.servers()) {
        if (std::find(voters.begin(), voters.end(), server) != voters.end()) continue;
        if (group_.at(server).store().state().table && !group_.at(server).store().state().tombstone)
          group_.Drop(server);
        ++counts.changes;
        return group_.Change(voters, {server});
      }
      return;
    }
    std::erase(voters, catalog.primary);
    voters.erase(voters.begin() + static_cast<ptrdiff_t>(Pick(voters.size())));
    voters.push_back(catalog.primary);
    ++counts.changes;
    group_.Change(voters, {});
  }

  // Takes note of what was answered, and compares what was applied.
  void Harvest() {
    for (const ServerName& server : group_.servers()) {
      CoreRig& rig = group_.at(server);
      for (const WriteReply& reply : std::exchange(rig.writes, {})) {
        const auto write = pending_.extract({server, reply.token});
        if (write.empty() || !reply.status.ok()) continue;
        ++counts.acknowledged;
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
        ++counts.confirmed;
        if (!rig.view->pending_primary) Saw(server, read.mapped().first, read.mapped().second);
      }
      for (const EntryPtr& entry : std::exchange(rig.store().rolled_back, {})) {
        ++counts.rolled_back;
        rolled_back_.insert(entry->version);
      }
      if (!rig.store().fault.empty()) Fault(server + ": " + rig.store().fault);
      const ReplicaCore& replica = rig.core().replica();
      if (!replica.failure().ok()) Fault(server + " died: " + replica.failure().ToString());
      if (replica.Leads()) {
        const auto [led, first] = leaders_.emplace(replica.epoch(), server);
        if (led->second != server) Fault("epoch " + std::to_string(replica.epoch().value) + " has two primaries");
      }
      if (rig.store().applied() && !rig.store().state().incomplete) Agree(server, rig.store().applied()->applied);
    }
  }

  void Agree(const ServerName& server, Version applied) {
    if (!applied) return;
    const auto [known, first] = applied_.emplace(applied.lsn, applied);
    if (known->second != applied) {
      Fault(server + " applied " + applied.ToString() + " where another applied " + known->second.ToString());
    }
  }

  // Every fault ends, but sometimes one server stays away for a while: the others must serve without it. At last all
  // must come to agree.
  void Heal() {
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

  void ServeAgain(AckLevel level) {
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
      if (trace_) Trace("heals " + std::to_string(round));
      const ServerName primary = group_.catalog().primary;
      CoreRig& rig = group_.at(primary);
      const bool leads = rig.core().replica().Leads() && rig.core().replica().epoch() == group_.catalog().epoch;
      if (!leads || rig.core().replica().standing().refused_for() || group_.Cut(primary, "master")) {
        group_.Failover();
        continue;
      }
      const RequestToken token = rig.Write(Put(9, ++sequence_, "k0", level));
      pending_[{primary, token}] = {"k0", level};
      const int before = counts.acknowledged;
      for (int beat = 0; beat < 30 && counts.acknowledged == before; ++beat) {
        group_.Pass(100ms);
        group_.Beat();
        Rest();
        Harvest();
      }
      served = counts.acknowledged > before;
    }
    if (!served)
      Fault(level == AckLevel::kAll ? "healed, and no write at ALL was served" : "one is away, and nothing is served");
  }

  void Compare() {
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
    // An acknowledged PRIMARY write is in the history, or kept as rolled back; or still in the log of one who has been
    // removed and not heard of it.
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

  std::mt19937_64 random_;
  const bool mad_;
  uint64_t madness_ = uint64_t{1} << 40;  // its requests' tokens
  GroupRig group_;
  std::string fault_;
  uint64_t sequence_ = 0;
  std::map<std::pair<ServerName, RequestToken>, std::pair<std::string, AckLevel>> pending_;
  std::map<std::pair<ServerName, RequestToken>, std::pair<std::string, Version>> confirming_;
  std::map<std::string, Version> floor_;
  std::set<Version> primaries_, rolled_back_;
  std::map<Epoch, ServerName> leaders_;
  std::deque<GroupRig::Parcel> late_;
  std::map<Lsn, Version> applied_;
};

TEST(ReplicaGroup, ReadOneSchedule) {
  const char* seed = std::getenv("EBLA_SCHEDULE_SEED");
  if (seed == nullptr) GTEST_SKIP() << "for people: set EBLA_SCHEDULE_SEED";
  EXPECT_EQ(Schedule(std::stoull(seed)).Run(1500), "");
}

// Nobody has made it a member: nothing that it says is believed.
TEST(ReplicaGroup, AServerThatIsNoMemberAndGoesMadHarmsNobody) {
  for (uint64_t seed = 1; seed <= 300; ++seed) ASSERT_EQ(Schedule(seed, /*mad=*/true).Run(1500), "") << seed;
}

// For people: which planted bugs these schedules show within EBLA_HUNT_SEEDS seeds, and the first that does.
// EBLA_HUNT_BUG names one, else all are looked for.
TEST(ReplicaGroup, Hunt) {
  const char* seeds = std::getenv("EBLA_HUNT_SEEDS");
  if (seeds == nullptr) GTEST_SKIP() << "for people: set EBLA_HUNT_SEEDS";
  const char* only = std::getenv("EBLA_HUNT_BUG");
  for (size_t i = 1; i < kPlantedBugNames.size(); ++i) {
    if (only != nullptr && kPlantedBugNames[i] != only) continue;
    Plant(static_cast<PlantedBug>(i));
    std::string fault;
    uint64_t seed = 0;
    while (fault.empty() && seed < std::stoull(seeds)) fault = Schedule(++seed).Run(1500);
    Plant(PlantedBug::none);
    std::cout << kPlantedBugNames[i] << ": " << (fault.empty() ? "none" : "seed " + std::to_string(seed) + ", " + fault)
              << std::endl;
  }
}

// Each leaves out a rule, and a schedule shows it: the one found first, and kept.
struct Caught {
  PlantedBug bug;
  uint64_t seed;
};
class PlantedBugShows : public ::testing::TestWithParam<Caught> {};
TEST_P(PlantedBugShows, InItsSchedule) {
  Plant(GetParam().bug);
  bool caught = false;
  for (uint64_t seed = GetParam().seed; seed < GetParam().seed + 100 && !caught; ++seed) {
    caught = !Schedule(seed).Run(1500).empty();
  }
  Plant(PlantedBug::none);
  EXPECT_TRUE(caught);
}
INSTANTIATE_TEST_SUITE_P(
    All, PlantedBugShows,
    ::testing::Values(Caught{PlantedBug::fence_acks_lower_epochs, 3}, Caught{PlantedBug::fence_ignores_grants, 6},
                      Caught{PlantedBug::promise_not_flushed, 6}, Caught{PlantedBug::serve_again_after_step_down, 1120},
                      Caught{PlantedBug::incomplete_offers_log, 3788}, Caught{PlantedBug::strong_before_barrier, 1},
                      Caught{PlantedBug::copy_complete_at_last_chunk, 11}, Caught{PlantedBug::apply_before_commit, 1},
                      Caught{PlantedBug::commit_older_epoch, 784}, Caught{PlantedBug::rolled_back_primary_vanishes, 2}),
    [](const auto& info) { return std::string(kPlantedBugNames[static_cast<size_t>(info.param.bug)]); });

// EBLA_SCHEDULES asks for more of them.
TEST(ReplicaGroup, RandomSchedulesKeepEveryPromise) {
  const char* asked = std::getenv("EBLA_SCHEDULES");
  const uint64_t seeds = asked == nullptr ? 300 : std::stoull(asked);
  Schedule::Counts all;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Schedule schedule(seed);
    const std::string fault = schedule.Run(1500);
    ASSERT_EQ(fault, "") << "seed " << seed;
    all.writes += schedule.counts.writes;
    all.acknowledged += schedule.counts.acknowledged;
    all.reads += schedule.counts.reads;
    all.confirmed += schedule.counts.confirmed;
    all.failovers += schedule.counts.failovers;
    all.changes += schedule.counts.changes;
    all.transfers += schedule.counts.transfers;
    all.crashes += schedule.counts.crashes;
    all.rolled_back += schedule.counts.rolled_back;
  }
  std::cout << all.writes << " writes, " << all.acknowledged << " acknowledged, " << all.reads
            << " reads under a lease, " << all.confirmed << " confirmed, " << all.failovers << " failovers, "
            << all.changes << " changes, " << all.transfers << " transfers, " << all.crashes << " crashes, "
            << all.rolled_back << " rolled back\n";
  // A run in which little happened proves little.
  EXPECT_GT(all.acknowledged, 300 * 20);
  EXPECT_GT(all.reads, 300 * 10);
  EXPECT_GT(all.confirmed, 300);
  EXPECT_GT(all.changes, 200);
  EXPECT_GT(all.rolled_back, 10);
}

}  // namespace
}  // namespace ebla::tabletserver
