#include "common/coordination/registration.h"

#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/coordination/rounds.h"
#include "common/rpc/idl_convert.h"
#include "idl/master_types.h"

namespace ebla::coordination {
namespace {

using State = RegistrationState::Kind;

std::string Text(const idl::Endpoint& endpoint) { return endpoint.host + ":" + std::to_string(endpoint.port); }

}  // namespace

// A round reads /cluster, /servers/<name> and /live/<name>, then acts.
class ServerRegistration::Impl : public Rounds<Impl> {
 public:
  Impl(Coordinator& coordinator, Executor& executor, ServerIdentity identity, Options options,
       std::function<void(const RegistrationState&)> on_state)
      : Rounds(coordinator, executor),
        identity_(std::move(identity)),
        options_(options),
        on_state_(std::move(on_state)),
        nonce_(static_cast<int64_t>(executor.Random() | 1)),
        life_mark_(identity_.life_mark),
        server_path_(layout::ServerPath(identity_.name)),
        live_path_(layout::LivePath(identity_.name)) {}

  void Start() {
    state_.status = Status(Code::kUnavailable, "waiting for the coordinator");
    Rounds::Start();
  }

  void RaiseLifeMark(uint64_t mark) {
    life_mark_ = std::max(life_mark_, mark);
    if (!marking_) WriteMark();
  }
  void Withdraw(std::function<void()> done);
  const RegistrationState& state() const { return state_; }

 private:
  friend Rounds;

  // Reads a node that may be missing and hands it on decoded.
  template <class T>
  void Read(const std::string& path, std::function<void(std::optional<T>, int version)> then);

  void OnSession(SessionState session);
  void Round();
  void Retry(const Status& why);
  void OnCluster(const std::optional<idl::ClusterNode>& cluster);
  void OnServer(const std::optional<idl::ServerNode>& server, int version);
  void OnLive(std::optional<idl::ServerNode> server, int version, const std::optional<idl::LiveNode>& live,
              int live_version);
  bool IsDead(const idl::LiveNode& live) const;
  bool AwaitFormer(const idl::LiveNode& live);
  // `dead`: the version of a dead process's /live/<name>, which is deleted.
  void Register(std::optional<idl::ServerNode> server, int version, std::optional<int> dead);
  void HoldLive();
  void ReadNextId();
  void SetRegistered(std::optional<TabletId> next_id);
  void WriteMark();
  void SetMark(const Node& node);
  void WriteMarkLater();
  void Refuse(const std::string& why);
  void Wait(const std::string& why);
  void SetState(RegistrationState state);

  const ServerIdentity identity_;
  const Options options_;
  const std::function<void(const RegistrationState&)> on_state_;
  const int64_t nonce_;  // of this start
  uint64_t life_mark_;   // in the data directory
  uint64_t marked_ = 0;  // thereof known to stand in /servers/<name>
  bool marking_ = false;
  const std::string server_path_;
  const std::string live_path_;
  RegistrationState state_;
  std::optional<MonotonicTime> awaiting_since_;  // a former process's /live/<name> to go
};

void ServerRegistration::Impl::OnSession(SessionState session) {
  if (state_.kind == State::kRefused) return;
  if (session == SessionState::kExpired) {
    EndRound();
    Wait("the coordinator's session ended; waiting for a new one");
  } else if (session == SessionState::kConnected && state_.kind != State::kRegistered) {
    // A coordinator that was away gives every session its whole time again, a dead process's too.
    awaiting_since_.reset();
    Round();
  }
}

void ServerRegistration::Impl::Retry(const Status& why) {
  if (state_.kind != State::kRegistered) Wait(why.message());
  if (!stopped()) NewRoundAfter(options_.retry_delay);
}

template <class T>
void ServerRegistration::Impl::Read(const std::string& path, std::function<void(std::optional<T>, int)> then) {
  coordinator_.Get(path, InRound([this, path, then = std::move(then)](Result<Node> node) {
                     if (!node.has_value()) {
                       if (node.error().code() == Code::kNotFound) return then(std::nullopt, 0);
                       return Retry(node.error());
                     }
                     Result<T> decoded = DecodeNode<T>(node->data, path);
                     if (!decoded.has_value()) return Refuse(decoded.error().message());
                     then(*std::move(decoded), node->version);
                   }));
}

void ServerRegistration::Impl::Round() {
  EndRound();
  if (coordinator_.session() == 0) return;  // OnSession begins one
  Read<idl::ClusterNode>(layout::kCluster, [this](std::optional<idl::ClusterNode> node, int) { OnCluster(node); });
}

void ServerRegistration::Impl::OnCluster(const std::optional<idl::ClusterNode>& cluster) {
  if (!cluster) {
    Wait("waiting for a master to create the cluster (no " + std::string(layout::kCluster) +
         " in the coordinator): start a master, or correct --zookeeper");
    coordinator_.Exists(layout::kCluster, InRound([this](Result<bool> there) {
                          if (!there.has_value()) return Retry(there.error());
                          if (*there) Round();
                        }),
                        NewRoundWhenWoken());
    return;
  }
  if (!identity_.cluster_id.empty() && identity_.cluster_id != cluster->clusterId) {
    return Refuse("this data directory belongs to cluster " + identity_.cluster_id +
                  ", but the coordinator holds cluster " + cluster->clusterId +
                  ": check --zookeeper, or use another data directory");
  }
  state_.cluster_id = cluster->clusterId;
  state_.cluster_level = LevelOr1(cluster->featureLevel);
  if (const Status fits = CheckLevel(identity_.feature_level, state_.cluster_level); !fits.ok())
    return Refuse(fits.message());
  Read<idl::ServerNode>(server_path_,
                        [this](std::optional<idl::ServerNode> node, int version) { OnServer(node, version); });
}

void ServerRegistration::Impl::OnServer(const std::optional<idl::ServerNode>& server, int version) {
  if (server) {
    if (server->uuid != identity_.uuid) {
      return Refuse("the name " + identity_.name + " belongs to another server (uuid " + server->uuid +
                    ", this data directory's is " + identity_.uuid + "): start with another --name");
    }
    const auto mine = static_cast<int64_t>(identity_.incarnation.value);
    const bool this_start = server->startCounter == mine && server->startNonce == nonce_;
    if (server->startCounter >= mine && !this_start) {
      return Refuse("this data directory is a restored or cloned one: it counts start " + std::to_string(mine) +
                    ", and the cluster has already seen start " + std::to_string(server->startCounter) + " of " +
                    identity_.name +
                    ". Serving from it could roll back acknowledged writes. Start the newest copy; to use " +
                    "this machine all the same, give it an empty data directory and another --name");
    }
    if (server->lifeMark > static_cast<int64_t>(life_mark_)) {
      return Refuse(
          "this data directory is restored or cloned: " + identity_.name + " ran on after it was copied " +
          "(its life mark is " + std::to_string(life_mark_) + ", the cluster has seen " +
          std::to_string(server->lifeMark) + "). Serving from it could roll back acknowledged writes. Start the " +
          "newest copy; to use this machine all the same, give it an empty data directory and another --name");
    }
  }
  Read<idl::LiveNode>(live_path_, [this, server, version](std::optional<idl::LiveNode> live, int live_version) {
    OnLive(server, version, live, live_version);
  });
}

void ServerRegistration::Impl::OnLive(std::optional<idl::ServerNode> server, int version,
                                      const std::optional<idl::LiveNode>& live, int live_version) {
  if (!live) return Register(std::move(server), version, std::nullopt);
  if (live->startNonce == nonce_) {
    // This start's. If it is another session's (one of ours that is ending), it is deleted soon; HoldLive finds out.
    return HoldLive();
  }
  if (IsDead(*live)) return Register(std::move(server), version, live_version);
  if (!AwaitFormer(*live)) return;
  coordinator_.Exists(live_path_, InRound([this](Result<bool> there) {
                        if (!there.has_value()) return Retry(there.error());
                        if (!*there) Round();
                      }),
                      NewRoundWhenWoken());
}

// An earlier start's whose lock this process has now: two never hold it, and no copy of the directory has it. (Without
// this a restart would wait out the dead process's session, most of the time that its tablets are gone for.)
bool ServerRegistration::Impl::IsDead(const idl::LiveNode& live) const {
  return !identity_.lock_mark.empty() && live.lockMark == identity_.lock_mark &&
         live.incarnation < static_cast<int64_t>(identity_.incarnation.value);
}

// An earlier start's node: its process has died and its session is ending, or it still runs. False: refused.
bool ServerRegistration::Impl::AwaitFormer(const idl::LiveNode& live) {
  const MonotonicTime now = executor_.Now();
  if (!awaiting_since_) awaiting_since_ = now;
  const Duration left = options_.takeover_limit - (now - *awaiting_since_);
  if (left <= Duration(0)) {
    Refuse("another process runs as " + identity_.name + " at " + Text(live.endpoint) + " (start " +
           std::to_string(live.incarnation) + "): stop it first; if its data directory was copied, only one may live");
    return false;
  }
  Wait("waiting for the session of the former process of " + identity_.name + ", at " + Text(live.endpoint) +
       ", to end. If that process still runs, this is a copy of its data directory, which must not be started");
  if (!stopped()) NewRoundAfter(left);
  return !stopped();
}

void ServerRegistration::Impl::Register(std::optional<idl::ServerNode> server, int version, std::optional<int> dead) {
  const bool known = server.has_value();
  idl::ServerNode node = std::move(server).value_or(idl::ServerNode());
  node.name = identity_.name;
  node.uuid = identity_.uuid;
  node.rack = identity_.rack;
  node.startCounter = static_cast<int64_t>(identity_.incarnation.value);
  node.startNonce = nonce_;
  node.__set_lifeMark(static_cast<int64_t>(life_mark_));
  node.__set_featureLevel(identity_.feature_level);
  idl::LiveNode live;
  live.name = identity_.name;
  live.incarnation = node.startCounter;
  live.startNonce = nonce_;
  live.endpoint = rpc::ToIdl(identity_.endpoint);
  live.http = rpc::ToIdl(identity_.http);
  live.rack = identity_.rack;
  if (!identity_.lock_mark.empty()) live.__set_lockMark(identity_.lock_mark);
  EnsurePath(coordinator_, layout::kServers, [](Status) {});  // the Multi tells if these failed
  EnsurePath(coordinator_, layout::kLive, [](Status) {});
  // The version also keeps out a copy that starts at the same moment: one of the two has to look again.
  std::vector<Op> ops;
  ops.push_back(known ? Op::Set(server_path_, EncodeNode(node), version) : Op::Create(server_path_, EncodeNode(node)));
  if (dead) ops.push_back(Op::Delete(live_path_, *dead));
  ops.push_back(Op::Create(live_path_, EncodeNode(live), CreateMode::kEphemeral));
  coordinator_.Multi(std::move(ops), InRound([this](std::expected<MultiResult, MultiError> made) {
                       made.has_value() ? HoldLive() : Retry(made.error().status);
                     }));
}

void ServerRegistration::Impl::HoldLive() {
  coordinator_.Get(live_path_, InRound([this](Result<Node> node) {
                     if (!node.has_value()) {
                       return node.error().code() == Code::kNotFound ? Round() : Retry(node.error());
                     }
                     // It is of a session of ours that is ending; the watch fires when it has ended.
                     if (node->session != coordinator_.session()) {
                       return Wait("waiting for this server's former session to end");
                     }
                     awaiting_since_.reset();
                     identity_.wants_next_id ? ReadNextId() : SetRegistered(std::nullopt);
                   }),
                   NewRoundWhenWoken());
}

// In the session that made /live/<name>, so what it reads is no older than that.
void ServerRegistration::Impl::ReadNextId() {
  Read<idl::NextIdNode>(layout::kNextId, [this](const std::optional<idl::NextIdNode>& node, int) {
    const bool told = node && node->nextId > 0;
    SetRegistered(told ? std::optional(TabletId{static_cast<uint64_t>(node->nextId)}) : std::nullopt);
  });
}

void ServerRegistration::Impl::SetRegistered(std::optional<TabletId> next_id) {
  SetState({State::kRegistered, Status::Ok(), state_.cluster_id, state_.cluster_level, next_id});
}

// Reads /servers/<name> and sets it at the version read, as often as need be; no round: what it shows changes nothing
// about this server's place.
void ServerRegistration::Impl::WriteMark() {
  marking_ = false;
  if (stopped() || state_.kind == State::kRefused || life_mark_ == marked_) return;
  marking_ = true;
  coordinator_.Get(server_path_, [impl = weak_from_this()](Result<Node> node) {
    const auto self = impl.lock();
    if (self == nullptr) return;
    node.has_value() ? self->SetMark(*node) : self->WriteMarkLater();
  });
}

void ServerRegistration::Impl::SetMark(const Node& node) {
  Result<idl::ServerNode> server = DecodeNode<idl::ServerNode>(node.data, server_path_);
  // Not yet of this start, whose registration writes the mark; or of a later one, which refuses this one.
  if (!server.has_value() || server->startNonce != nonce_) return WriteMarkLater();
  const uint64_t mark = life_mark_;
  server->__set_lifeMark(static_cast<int64_t>(mark));
  server->__set_featureLevel(identity_.feature_level);  // a master of before, which knows no levels, leaves it out
  std::vector<Op> ops;
  ops.push_back(Op::Set(server_path_, EncodeNode(*server), node.version));
  coordinator_.Multi(std::move(ops), [impl = weak_from_this(), mark](std::expected<MultiResult, MultiError> set) {
    const auto self = impl.lock();
    if (self == nullptr) return;
    if (!set.has_value()) return self->WriteMarkLater();
    self->marked_ = mark;
    self->WriteMark();  // it may have been raised meanwhile
  });
}

void ServerRegistration::Impl::WriteMarkLater() {
  executor_.After(options_.retry_delay, [impl = weak_from_this()] {
    if (const auto self = impl.lock()) self->WriteMark();
  });
}

void ServerRegistration::Impl::Refuse(const std::string& why) {
  EndRound();
  LOG(ERROR) << identity_.name << " is refused: " << why;
  SetState({State::kRefused, Status(Code::kInvalidArgument, why), state_.cluster_id, state_.cluster_level});
}

void ServerRegistration::Impl::Wait(const std::string& why) {
  SetState({State::kWaiting, Status(Code::kUnavailable, why), state_.cluster_id, state_.cluster_level});
}

void ServerRegistration::Impl::SetState(RegistrationState state) {
  if (state.kind == state_.kind && state.status == state_.status) {
    state_ = std::move(state);
    return;
  }
  state_ = std::move(state);
  if (state_.kind == State::kWaiting) LOG(INFO) << identity_.name << ": " << state_.status.message();
  if (state_.kind == State::kRegistered)
    LOG(INFO) << identity_.name << " is registered in cluster " << state_.cluster_id;
  const auto keep = shared_from_this();
  on_state_(state_);
}

void ServerRegistration::Impl::Withdraw(std::function<void()> done) {
  EndRound();
  Stop();
  if (state_.kind != State::kRegistered) return executor_.Post([done = std::move(done)] { done(); });
  coordinator_.Multi({Op::Delete(live_path_, kAnyVersion)},
                     [done = std::move(done)](std::expected<MultiResult, MultiError>) { done(); });
}

ServerRegistration::ServerRegistration(Coordinator& coordinator, Executor& executor, ServerIdentity identity,
                                       Options options, std::function<void(const RegistrationState&)> on_state)
    : impl_(std::make_shared<Impl>(coordinator, executor, std::move(identity), options, std::move(on_state))) {
  impl_->Start();
}

ServerRegistration::~ServerRegistration() { impl_->Stop(); }

const RegistrationState& ServerRegistration::state() const { return impl_->state(); }

void ServerRegistration::RaiseLifeMark(uint64_t mark) { impl_->RaiseLifeMark(mark); }

void ServerRegistration::Withdraw(std::function<void()> done) { impl_->Withdraw(std::move(done)); }

}  // namespace ebla::coordination
