#include "tabletserver/testing/group_rig.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver::testing {

// One failover: who has answered the fence, and what.
struct GroupRig::Fencing {
  GroupCatalog seen;
  Epoch epoch;
  std::map<ServerName, ControlReply> answers;
  std::map<ServerName, Version> had;  // on their disks, as others remember it
  std::vector<int64_t> clocks;
  bool over = false;
  Told done;
};

// A copy as its two hosts carry it out.
struct GroupRig::CopyJob {
  ServerName from;
  StartCopy start;
  uint64_t from_life = 0, to_life = 0;
  AppliedState state;
  std::vector<DedupRow> dedup_window;
  std::string next;  // key at which the next chunk begins
  Lsn upto;
  bool failed = false;
};

GroupRig::GroupRig(const std::vector<ServerName>& servers, TabletOptions base, const TabletSchema& schema) {
  for (const ServerName& server : servers) {
    base.self = server;
    rigs_[server] = std::make_unique<CoreRig>(base, schema);
    lives_[server] = 1;
  }
}

std::vector<ServerName> GroupRig::servers() const {
  std::vector<ServerName> names;
  for (const auto& [name, rig] : rigs_) names.push_back(name);
  return names;
}

// ---- the network ----------------------------------------------------------------------------------------------------

void GroupRig::Collect() {
  for (auto& [name, rig] : rigs_) {
    for (PeerMessage& message : std::exchange(rig->messages, {})) SendMessage(name, std::move(message));
    for (CoreRig::BegunCopy& begun : std::exchange(rig->copies, {})) BeginCopy(name, std::move(begun));
    TakeAnswers(name);
  }
}

void GroupRig::TakeAnswers(const ServerName& server) {
  CoreRig& rig = at(server);
  const auto settle = [&](auto& answers, auto& waiting) {
    for (auto& answer : std::exchange(answers, {})) {
      auto found = waiting.extract(std::pair(server, answer.token));
      if (!found.empty()) found.mapped()(&answer);
    }
  };
  settle(rig.answers, answers_);
  settle(rig.copy_replies, copies_);
  settle(rig.controls, controls_);
  if (rig.prepare) {
    const ReceiveCopy order = *std::exchange(rig.prepare, std::nullopt);
    const auto job = receiving_[server].find(order.id);  // its order created it
    if (job == receiving_[server].end()) return;
    rig.Install({order.id, job->second->state, job->second->dedup_window});
    TakeAnswers(server);
  }
}

void GroupRig::SendMessage(const ServerName& from, PeerMessage message) {
  const ServerName to = message.peer;
  const uint64_t life = lives_[from];
  auto reply = std::make_shared<PeerReply>(PeerReply{to, message.number, message.sent, {}, {}});
  const auto come_back = [this, from, life, reply] {
    if (lives_[from] == life) at(from).Receive(*reply);
  };
  const std::string what = std::holds_alternative<AppendMessage>(message.body) ? "append" : "heartbeat";
  PeerRequest request{RequestToken{++next_token_}, from, std::move(message.body), {}};
  auto run = [this, from, to, what, reply, come_back, request = std::move(request)]() mutable {
    const uint64_t receiver = lives_[to];
    answers_[{to, request.token}] = [this, from, to, what, reply, come_back, receiver](const PeerAnswer* answer) {
      if (answer == nullptr) return come_back();
      std::visit([&](const auto& body) { reply->body = body; }, answer->body);
      Send({to, from, what + "-answer",
            [this, to, receiver, reply, come_back] {
              // The host drops what an earlier incarnation said.
              if (lives_[to] != receiver) reply->body = std::monostate{};
              come_back();
            },
            [reply, come_back] {
              reply->body = std::monostate{};
              come_back();
            }});
    };
    at(to).Receive(request);
  };
  Send({from, to, what, std::move(run), come_back});
}

void GroupRig::Deliver(size_t index, bool lost) {
  Parcel parcel = std::move(parcels[index]);
  parcels.erase(parcels.begin() + static_cast<ptrdiff_t>(index));
  if (lost || Cut(parcel.from, parcel.to)) {
    if (parcel.drop) parcel.drop();
  } else {
    parcel.run();
  }
  Collect();
}

bool GroupRig::DeliverAll() {
  Collect();
  for (int i = 0; !parcels.empty(); ++i) {
    if (i == 20'000) return false;
    Deliver(0);
  }
  return true;
}

void GroupRig::Pass(Duration time) {
  for (auto& [name, rig] : rigs_) rig->Advance(time);
}

void GroupRig::Beat() {
  for (auto& [name, rig] : rigs_) {
    rig->Tick({});
    rig->Heartbeat();
  }
  Collect();
}

void GroupRig::Crash(const ServerName& server, size_t keep) {
  ++lives_[server];
  at(server).Crash(keep);
  const auto leave = [&](auto& waiting) {
    auto all = std::exchange(waiting, {});
    for (auto& [whose, told] : all) {
      if (whose.first == server) {
        told(nullptr);
      } else {
        waiting.emplace(whose, std::move(told));
      }
    }
  };
  leave(answers_);
  leave(controls_);
  leave(copies_);
  for (auto& [name, rig] : rigs_) {
    if (name != server) rig->Step(PeerRestarted{server});
  }
  Collect();
}

// ---- copies ---------------------------------------------------------------------------------------------------------

void GroupRig::BeginCopy(const ServerName& from, CoreRig::BegunCopy begun) {
  const StartCopy start = begun.start;
  auto job = std::make_shared<CopyJob>();
  job->from = from;
  job->start = start;
  job->from_life = lives_[from];
  job->to_life = lives_[start.peer];
  job->state = std::move(begun.applied);
  CHECK_EQ(job->state.applied, start.start);
  job->dedup_window = std::move(begun.dedup_window);
  receiving_[start.peer][start.id] = job;
  const auto tell = [this, job](CopyNews::Kind kind) {
    if (lives_[job->from] != job->from_life) return;
    at(job->from).Step(CopyNews{job->start.peer, job->start.id, kind, at(job->from).now()});
  };
  auto run = [this, job, tell] {
    const RequestToken token{++next_token_};
    const ServerName to = job->start.peer;
    copies_[{to, token}] = [this, job, tell, to](const CopyReply* reply) {
      using Kind = CopyNews::Kind;
      if (reply == nullptr) return tell(Kind::kFailed);
      const Kind kind = reply->status.ok()                               ? Kind::kAccepted
                        : reply->status.code() == Code::kConditionFailed ? Kind::kHoldsLine
                                                                         : Kind::kFailed;
      Send({to, job->from, "copy-answer",
            [this, job, tell, kind] {
              tell(kind);
              if (kind == Kind::kAccepted) CopyStep(job);
            },
            [tell] { tell(CopyNews::Kind::kFailed); }});
    };
    at(to).Step(ReceiveCopy{token, job->from, job->start.id, job->start.epoch, job->start.start, job->start.line,
                            at(to).now()});
  };
  Send({from, start.peer, "copy", std::move(run), [tell] { tell(CopyNews::Kind::kFailed); }});
}

// Two records at a time, each chunk read when it is sent: fuzzily.
void GroupRig::CopyStep(std::shared_ptr<CopyJob> job) {
  const auto fail = [this, job] {
    if (lives_[job->from] != job->from_life) return;
    at(job->from).Step(CopyNews{job->start.peer, job->start.id, CopyNews::Kind::kFailed, at(job->from).now()});
  };
  auto run = [this, job, fail] {
    if (lives_[job->from] != job->from_life) return;
    if (lives_[job->start.peer] != job->to_life) return fail();
    const auto& records = at(job->from).store().records();
    CoreRig& target = at(job->start.peer);
    if (target.core().replica().receiving() != job->start.id) return fail();
    std::map<std::string, StoredRecord> chunk;
    auto record = records.lower_bound(job->next);
    for (; record != records.end() && chunk.size() < 2; ++record) chunk.insert(*record);
    const std::string end = record == records.end() ? "" : record->first;
    job->upto = std::max(job->upto, at(job->from).core().applied_state().applied.lsn);
    target.store().ReplaceInterval(job->next, end, chunk);
    job->next = end;
    if (!end.empty()) return CopyStep(job);
    const RequestToken token{++next_token_};
    copies_[{job->start.peer, token}] = [this, job, fail](const CopyReply* reply) {
      if (reply == nullptr || !reply->status.ok()) return fail();
      if (lives_[job->from] != job->from_life) return;
      at(job->from).Step(CopyNews{job->start.peer, job->start.id, CopyNews::Kind::kArrived, at(job->from).now()});
    };
    target.Step(CopyArrived{token, job->start.id, job->upto});
  };
  Send({job->from, job->start.peer, "chunk", std::move(run), fail});
}

// ---- masters --------------------------------------------------------------------------------------------------------

bool GroupRig::CompareAndSet(uint64_t version, GroupCatalog next) {
  if (version != catalog_.version) return false;
  next.version = version + 1;
  catalog_ = std::move(next);
  return true;
}

void GroupRig::Order(const ServerName& to, std::function<RequestToken(CoreRig&)> give,
                     std::function<void(const ControlReply*)> told) {
  auto run = [this, to, give, told] {
    const size_t before = at(to).controls.size();
    const RequestToken token = give(at(to));
    auto answered = [this, to, told](const ControlReply* reply) {
      if (reply == nullptr) return told(nullptr);
      Send({to, "master", "answer", [told, reply = *reply] { told(&reply); }, [told] { told(nullptr); }});
    };
    // The rig may have answered at once.
    auto& controls = at(to).controls;
    for (size_t i = before; i < controls.size(); ++i) {
      if (controls[i].token != token) continue;
      answered(&controls[i]);
      controls.erase(controls.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
    controls_[{to, token}] = answered;
  };
  Send({"master", to, "order", std::move(run), [told] { told(nullptr); }});
}

void GroupRig::Create(const ServerName& primary, const std::vector<ServerName>& voters) {
  CHECK(CompareAndSet(0, {.epoch = Epoch{1}, .primary = primary, .voters = voters, .learners = {}}));
  Configure(catalog_, {}, {});
}

void GroupRig::Configure(const GroupCatalog& catalog, const Grounds& grounds, Told done) {
  std::vector<ServerName> all = catalog.voters;
  all.insert(all.end(), catalog.learners.begin(), catalog.learners.end());
  for (const ServerName& server : all) {
    ConfigureReplica configure{.epoch = catalog.epoch,
                               .primary = catalog.primary,
                               .voters = catalog.voters,
                               .learners = catalog.learners,
                               .fenced = grounds.fenced,
                               .created_empty = catalog.epoch == Epoch{1},
                               .transfer = grounds.transfer};
    if (server == catalog.primary) configure.presumed = grounds.presumed;
    const bool decides = server == catalog.primary;
    Order(
        server,
        [configure, grounds](CoreRig& rig) { return rig.Configure(configure, grounds.learnt, grounds.time_of_day_ms); },
        [done, decides](const ControlReply* reply) {
          if (done && decides) done(reply != nullptr && reply->status.ok());
        });
  }
}

void GroupRig::Failover(Told done) {
  auto fencing = std::make_shared<Fencing>();
  fencing->seen = catalog_;
  // An earlier master may have fenced and died, as the promises show.
  fencing->epoch = catalog_.epoch.Next();
  for (const ServerName& voter : catalog_.voters) {
    const Epoch promised = at(voter).store().state().promised;
    if (promised > fencing->epoch) fencing->epoch = promised;
  }
  fencing->done = std::move(done);
  for (const ServerName& voter : catalog_.voters) {
    Order(
        voter, [epoch = fencing->epoch](CoreRig& rig) { return rig.Fence(epoch); },
        [this, fencing, voter](const ControlReply* reply) { OnFenced(fencing, voter, reply); });
  }
}

void GroupRig::OnFenced(const std::shared_ptr<Fencing>& fencing, const ServerName& by, const ControlReply* reply) {
  if (fencing->over || reply == nullptr || !reply->status.ok()) return;
  for (const auto& [server, position] : reply->vouched) {
    if (position.epoch == fencing->seen.epoch) fencing->had[server] = std::max(fencing->had[server], position);
  }
  if (!reply->may_have_lost_writes) {
    fencing->answers[by] = *reply;
    fencing->clocks.push_back(at(by).time_of_day_ms());
  }
  std::erase_if(fencing->answers, [&](const auto& answer) {
    return !answer.second.incomplete && answer.second.last_appended < fencing->had[answer.first];
  });
  const size_t majority = fencing->seen.voters.size() / 2 + 1;
  if (fencing->answers.size() < majority) return;
  const ServerName* best = nullptr;
  Version longest;
  TabletTime learnt;
  for (const auto& [name, answer] : fencing->answers) {
    learnt = std::max(learnt, answer.time);
    if (!answer.known || answer.incomplete) continue;
    if (best == nullptr || answer.last_appended > longest) {
      best = &name;
      longest = answer.last_appended;
    }
  }
  if (best == nullptr) return;
  fencing->over = true;
  GroupCatalog next = fencing->seen;
  next.epoch = fencing->epoch;
  next.primary = *best;
  if (!CompareAndSet(fencing->seen.version, next)) {
    if (fencing->done) fencing->done(false);
    return;
  }
  std::sort(fencing->clocks.begin(), fencing->clocks.end());
  const int64_t median = fencing->clocks[(fencing->clocks.size() - 1) / 2];
  Configure(catalog_, {.fenced = true, .presumed = longest, .learnt = learnt, .time_of_day_ms = median}, fencing->done);
}

void GroupRig::Change(std::vector<ServerName> voters, std::vector<ServerName> learners, Told done) {
  GroupCatalog next = catalog_;
  next.epoch = next.epoch.Next();
  next.voters = std::move(voters);
  next.learners = std::move(learners);
  CHECK(CompareAndSet(catalog_.version, next));
  Configure(catalog_, {}, std::move(done));
}

void GroupRig::Transfer(const ServerName& target, Duration patience, Told done) {
  const GroupCatalog seen = catalog_;
  Order(
      seen.primary, [seen, target, patience](CoreRig& rig) { return rig.Transfer(seen.epoch, target, patience); },
      [this, seen, target, done](const ControlReply* reply) {
        GroupCatalog next = seen;
        next.epoch = seen.epoch.Next();
        next.primary = target;
        const bool released = reply != nullptr && reply->status.ok();
        if (!released || !CompareAndSet(seen.version, next)) {
          if (done) done(false);
          return;
        }
        Configure(catalog_, {.transfer = true, .presumed = reply->last_appended, .learnt = reply->time}, done);
      });
}

void GroupRig::Remind() {
  std::vector<ServerName> all = catalog_.voters;
  all.insert(all.end(), catalog_.learners.begin(), catalog_.learners.end());
  for (const ServerName& server : all) {
    if (server == catalog_.primary) continue;
    ConfigureReplica configure{.epoch = catalog_.epoch,
                               .primary = catalog_.primary,
                               .voters = catalog_.voters,
                               .learners = catalog_.learners,
                               .created_empty = catalog_.epoch == Epoch{1}};
    Order(server, [configure](CoreRig& rig) { return rig.Configure(configure, {}); }, [](const ControlReply*) {});
  }
}

void GroupRig::Drop(const ServerName& server) {
  Order(
      server, [epoch = catalog_.epoch](CoreRig& rig) { return rig.Drop(epoch); },
      [this, server](const ControlReply* reply) {
        if (reply != nullptr && reply->status.ok() && reply->dropped && at(server).store().state().tombstone)
          at(server).Forget();
      });
}

}  // namespace ebla::tabletserver::testing
