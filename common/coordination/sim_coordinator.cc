#include "common/coordination/sim_coordinator.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/coordination/client_core.h"

namespace ebla::coordination {

// A TCP connection: first in, first out, both ways; when it breaks, a prefix of what was on its way still arrives at
// the service, and nothing more at the client.
struct SimConnection {
  bool open_at_client = true;
  bool open_at_service = true;
  MonotonicTime cut = MonotonicTime::Max();  // what would reach the service from then on is lost
  MonotonicTime last_to_service{};
  MonotonicTime last_to_client{};
  int64_t session = 0;
};

struct SimRequest {
  uint64_t id;
  Attempt::Kind kind;
  std::string path;
  std::vector<Op> ops;
  bool watch;
};

class SimCoordinator::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(SimCoordination::Service& service, testing::SimExecutor& executor);

  ClientCore& core() { return *core_; }
  testing::SimExecutor& executor() { return executor_; }
  void Start() { Retry(Duration(0)); }
  void Break();
  void HoldOff(bool held);
  void ExpireNow();
  void Close();

  // From the service, at the client.
  void Attached(const std::shared_ptr<SimConnection>& connection, int64_t session);
  void Replied(const std::shared_ptr<SimConnection>& connection, uint64_t attempt, AttemptReply reply);
  void WatchFired(const std::shared_ptr<SimConnection>& connection, uint64_t attempt);

 private:
  void Retry(Duration delay);
  void Connect();
  void Ping();
  void Send(const Attempt& attempt);

  SimCoordination::Service& service_;
  testing::SimExecutor& executor_;
  std::shared_ptr<ClientCore> core_;
  std::shared_ptr<SimConnection> connection_;  // none: not connected
  int64_t session_ = 0;
  bool held_ = false;
  bool closed_ = false;
};

class SimCoordination::Service {
 public:
  using Link = SimCoordinator::Link;

  Service(testing::SimScheduler& scheduler, Options options)
      : options_(options), scheduler_(scheduler), executor_(scheduler) {}

  const Options& options() const { return options_; }
  MonotonicTime Now() const { return scheduler_.Now(); }
  Duration Delay();
  bool available() const { return available_; }
  ZnodeTree& tree() { return tree_; }

  // The client's side of a connection sends these.
  void SendConnect(const std::shared_ptr<SimConnection>& connection, const std::shared_ptr<Link>& link,
                   int64_t session);
  void SendPing(const std::shared_ptr<SimConnection>& connection);
  void SendRequest(const std::shared_ptr<SimConnection>& connection, const std::weak_ptr<Link>& link,
                   SimRequest request);

  void EndSession(int64_t session);
  void SetAvailable(bool available);
  void Restore(ZnodeTree::Snapshot snapshot);

 private:
  struct Session {
    std::shared_ptr<SimConnection> connection;
    std::weak_ptr<Link> link;
    MonotonicTime deadline;
    std::set<uint64_t> fired;  // watches that the client has not yet been told of
  };

  void ToService(const std::shared_ptr<SimConnection>& connection, Task task);
  template <class Then>
  void ToClient(const std::shared_ptr<SimConnection>& connection, const std::weak_ptr<Link>& link, Then then);
  void Attach(const std::shared_ptr<SimConnection>& connection, const std::weak_ptr<Link>& link, int64_t session);
  void Heard(int64_t session);
  void ArmExpiry(int64_t session);
  void Process(const std::shared_ptr<SimConnection>& connection, const std::weak_ptr<Link>& link,
               const SimRequest& request);
  AttemptReply Read(const SimRequest& request, int64_t session);
  void Wake(const std::vector<TreeEvent>& events);
  void TellFired(int64_t session, uint64_t attempt);

  const Options options_;
  testing::SimScheduler& scheduler_;
  testing::SimExecutor executor_;
  bool available_ = true;
  ZnodeTree tree_;
  WatchTable watches_;
  std::map<int64_t, Session> sessions_;
  int64_t next_session_ = 1;
};

// ---- the service ---------------------------------------------------------------------------------------------------

Duration SimCoordination::Service::Delay() {
  const int64_t spread = std::max<int64_t>(1, (options_.delay_max - options_.delay_min).count());
  return options_.delay_min + Duration(static_cast<int64_t>(scheduler_.Random(static_cast<uint64_t>(spread))));
}

void SimCoordination::Service::ToService(const std::shared_ptr<SimConnection>& connection, Task task) {
  const MonotonicTime when = std::max(scheduler_.Now() + Delay(), connection->last_to_service);
  connection->last_to_service = when;
  executor_.After(when - scheduler_.Now(), [this, connection, when, task = std::move(task)]() mutable {
    if (available_ && connection->open_at_service && when < connection->cut) task();
  });
}

template <class Then>
void SimCoordination::Service::ToClient(const std::shared_ptr<SimConnection>& connection,
                                        const std::weak_ptr<Link>& link, Then then) {
  const MonotonicTime when = std::max(scheduler_.Now() + Delay(), connection->last_to_client);
  connection->last_to_client = when;
  // By the service's clock to the client's process, then as a task of the client's, which may be paused.
  executor_.After(when - scheduler_.Now(), [connection, link, then = std::move(then)]() mutable {
    const auto client = link.lock();
    if (client == nullptr) return;
    client->executor().Post([connection, link, then = std::move(then)]() mutable {
      const auto present = link.lock();
      if (present != nullptr && connection->open_at_client) then(*present);
    });
  });
}

void SimCoordination::Service::SendConnect(const std::shared_ptr<SimConnection>& connection,
                                           const std::shared_ptr<Link>& link, int64_t session) {
  ToService(connection, [this, connection, link = std::weak_ptr(link), session] { Attach(connection, link, session); });
}

void SimCoordination::Service::Attach(const std::shared_ptr<SimConnection>& connection, const std::weak_ptr<Link>& link,
                                      int64_t session) {
  if (session != 0 && !sessions_.contains(session)) {
    ToClient(connection, link, [connection](Link& client) { client.Attached(connection, 0); });
    return;
  }
  const bool is_new = session == 0;
  if (is_new) session = next_session_++;
  Session& attached = sessions_[session];
  if (attached.connection != nullptr) attached.connection->open_at_service = false;
  attached.connection = connection;
  attached.link = link;
  connection->session = session;
  Heard(session);
  if (is_new) ArmExpiry(session);
  ToClient(connection, link, [connection, session](Link& client) { client.Attached(connection, session); });
  for (const uint64_t attempt : attached.fired) TellFired(session, attempt);
}

void SimCoordination::Service::Heard(int64_t session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second.deadline = scheduler_.Now() + options_.session_timeout;
}

void SimCoordination::Service::ArmExpiry(int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  executor_.After(found->second.deadline - scheduler_.Now() + std::chrono::milliseconds(1), [this, session] {
    const auto at = sessions_.find(session);
    if (at == sessions_.end()) return;
    if (!available_) Heard(session);
    if (scheduler_.Now() < at->second.deadline) return ArmExpiry(session);
    VLOG(1) << "simulated coordinator: session " << session << " timed out";
    EndSession(session);
  });
}

void SimCoordination::Service::SendPing(const std::shared_ptr<SimConnection>& connection) {
  ToService(connection, [this, connection] { Heard(connection->session); });
}

void SimCoordination::Service::SendRequest(const std::shared_ptr<SimConnection>& connection,
                                           const std::weak_ptr<Link>& link, SimRequest request) {
  ToService(connection, [this, connection, link, request = std::move(request)] { Process(connection, link, request); });
}

AttemptReply SimCoordination::Service::Read(const SimRequest& request, int64_t session) {
  AttemptReply reply;
  auto awaited = TreeEvent::Kind::kChanged;
  const auto take = [&](auto result, auto& into) {
    if (result.has_value()) {
      into = *std::move(result);
    } else {
      reply.status = std::move(result.error());
    }
  };
  if (request.kind == Attempt::Kind::kGet) {
    take(tree_.Get(request.path), reply.node);
  } else if (request.kind == Attempt::Kind::kExists) {
    take(tree_.Exists(request.path), reply.exists);
    if (!reply.exists) awaited = TreeEvent::Kind::kCreated;
  } else {
    take(tree_.Children(request.path), reply.children);
    awaited = TreeEvent::Kind::kChildren;
  }
  if (reply.status.ok() && request.watch) {
    watches_.Add({request.path, awaited}, static_cast<uint64_t>(session), [this, session, id = request.id] {
      const auto found = sessions_.find(session);
      if (found == sessions_.end()) return;
      found->second.fired.insert(id);
      TellFired(session, id);
    });
  }
  return reply;
}

void SimCoordination::Service::Process(const std::shared_ptr<SimConnection>& connection,
                                       const std::weak_ptr<Link>& link, const SimRequest& request) {
  const int64_t session = connection->session;
  if (!sessions_.contains(session)) return;  // the client learns of it when it connects again
  Heard(session);
  AttemptReply reply;
  if (request.kind == Attempt::Kind::kMulti) {
    auto applied = tree_.Apply(request.ops, session);
    if (applied.has_value()) {
      Wake(applied->events);
      reply.multi = std::move(applied->result);
    } else {
      reply.multi = std::unexpected(std::move(applied.error()));
    }
  } else {
    reply = Read(request, session);
  }
  ToClient(connection, link, [connection, id = request.id, reply = std::move(reply)](Link& client) mutable {
    client.Replied(connection, id, std::move(reply));
  });
}

void SimCoordination::Service::Wake(const std::vector<TreeEvent>& events) {
  for (WatchTable::Woken& woken : watches_.Wake(events)) woken.watch();
}

void SimCoordination::Service::TellFired(int64_t session, uint64_t attempt) {
  const Session& told = sessions_.at(session);
  // Kept until it has arrived: what a broken connection loses is told again on the next.
  ToClient(told.connection, told.link, [this, session, attempt, connection = told.connection](Link& client) {
    if (const auto at = sessions_.find(session); at != sessions_.end()) at->second.fired.erase(attempt);
    client.WatchFired(connection, attempt);
  });
}

void SimCoordination::Service::EndSession(int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const Session ended = std::move(found->second);
  sessions_.erase(found);
  (void)watches_.TakeAll(static_cast<uint64_t>(session));  // the client fires its own when it learns of the end
  Wake(tree_.EndSession(session).events);
  ended.connection->open_at_service = false;
  // The service hangs up, and the client, which connects again, is told.
  ToClient(ended.connection, ended.link, [](Link& client) { client.Break(); });
}

void SimCoordination::Service::SetAvailable(bool available) {
  if (available == std::exchange(available_, available)) return;
  for (auto& [id, session] : sessions_) {
    Heard(id);
    session.connection->open_at_service = false;
    if (const auto link = session.link.lock(); link != nullptr && !available) {
      link->executor().Post([weak = session.link] {
        if (const auto present = weak.lock()) present->Break();
      });
    }
  }
}

void SimCoordination::Service::Restore(ZnodeTree::Snapshot snapshot) {
  std::vector<int64_t> ended;
  for (const auto& [id, session] : sessions_) ended.push_back(id);
  for (const int64_t id : ended) EndSession(id);
  tree_ = ZnodeTree(std::move(snapshot));
}

// ---- the client's side ---------------------------------------------------------------------------------------------

SimCoordinator::Link::Link(SimCoordination::Service& service, testing::SimExecutor& executor)
    : service_(service), executor_(executor) {
  core_ = std::make_shared<ClientCore>(executor, service.options().operation_timeout,
                                       [this](const Attempt& attempt) { Send(attempt); });
}

void SimCoordinator::Link::Send(const Attempt& attempt) {
  // A connection that broke within this very task has not been noticed yet, so the attempt is lost like earlier ones.
  if (connection_ == nullptr) {
    executor_.Post([link = weak_from_this(), id = attempt.id] {
      AttemptReply lost;
      lost.lost = true;
      if (const auto self = link.lock()) self->core_->Replied(id, std::move(lost));
    });
    return;
  }
  service_.SendRequest(connection_, weak_from_this(),
                       SimRequest{attempt.id, attempt.kind, attempt.path, attempt.ops, attempt.watch});
}

void SimCoordinator::Link::Retry(Duration delay) {
  executor_.After(delay, [link = weak_from_this()] {
    if (const auto self = link.lock()) self->Connect();
  });
}

void SimCoordinator::Link::Connect() {
  if (closed_ || connection_ != nullptr) return;
  if (held_ || !service_.available()) return Retry(service_.options().reconnect_delay);
  connection_ = std::make_shared<SimConnection>();
  service_.SendConnect(connection_, shared_from_this(), session_);
  // Unless the service has answered by then, this connection is given up.
  executor_.After(service_.options().reconnect_delay, [link = weak_from_this(), connection = connection_] {
    const auto self = link.lock();
    if (self != nullptr && self->connection_ == connection && self->core_->state() != SessionState::kConnected) {
      self->Break();
    }
  });
}

void SimCoordinator::Link::Attached(const std::shared_ptr<SimConnection>& connection, int64_t session) {
  if (closed_ || connection != connection_) return;
  if (session == 0) {
    connection_->open_at_client = false;
    connection_ = nullptr;
    session_ = 0;
    Retry(Duration(0));
    core_->Expired();
    return;
  }
  session_ = session;
  core_->Connected(session);
  Ping();
}

void SimCoordinator::Link::Ping() {
  if (closed_ || connection_ == nullptr) return;
  service_.SendPing(connection_);
  executor_.After(service_.options().session_timeout / 3, [link = weak_from_this(), connection = connection_] {
    const auto self = link.lock();
    if (self != nullptr && self->connection_ == connection) self->Ping();
  });
}

void SimCoordinator::Link::Break() {
  if (closed_ || connection_ == nullptr) return;
  const MonotonicTime now = service_.Now();
  connection_->open_at_client = false;
  connection_->cut = now + service_.Delay();
  connection_ = nullptr;
  Retry(service_.options().reconnect_delay);
  core_->Disconnected();
  core_->LoseInFlight();
}

void SimCoordinator::Link::Replied(const std::shared_ptr<SimConnection>& connection, uint64_t attempt,
                                   AttemptReply reply) {
  if (!closed_ && connection == connection_) core_->Replied(attempt, std::move(reply));
}

void SimCoordinator::Link::WatchFired(const std::shared_ptr<SimConnection>& connection, uint64_t attempt) {
  if (!closed_ && connection == connection_) core_->WatchFired(attempt);
}

void SimCoordinator::Link::HoldOff(bool held) {
  held_ = held;
  if (held) Break();
}

void SimCoordinator::Link::ExpireNow() {
  if (session_ != 0) service_.EndSession(session_);
}

void SimCoordinator::Link::Close() {
  closed_ = true;
  core_->Close();
  if (connection_ != nullptr) connection_->open_at_client = false;
}

// ---- the public faces ----------------------------------------------------------------------------------------------

SimCoordination::SimCoordination(testing::SimScheduler& scheduler, Options options)
    : service_(std::make_shared<Service>(scheduler, options)) {}
SimCoordination::~SimCoordination() = default;

std::unique_ptr<SimCoordinator> SimCoordination::NewClient(testing::SimExecutor& executor) {
  auto link = std::make_shared<SimCoordinator::Link>(*service_, executor);
  link->Start();
  return std::unique_ptr<SimCoordinator>(new SimCoordinator(std::move(link)));
}

void SimCoordination::SetAvailable(bool available) { service_->SetAvailable(available); }
bool SimCoordination::available() const { return service_->available(); }
ZnodeTree::Snapshot SimCoordination::TakeSnapshot() const { return service_->tree().TakeSnapshot(); }
void SimCoordination::Restore(ZnodeTree::Snapshot snapshot) { service_->Restore(std::move(snapshot)); }
const ZnodeTree& SimCoordination::tree() const { return service_->tree(); }

SimCoordinator::SimCoordinator(std::shared_ptr<Link> link) : link_(std::move(link)) {}
SimCoordinator::~SimCoordinator() { link_->Close(); }

void SimCoordinator::Get(std::string path, Callback<Result<Node>> done, Watch watch) {
  link_->core().Submit(std::move(path), {}, std::move(done), std::move(watch));
}
void SimCoordinator::Exists(std::string path, Callback<Result<bool>> done, Watch watch) {
  link_->core().Submit(std::move(path), {}, std::move(done), std::move(watch));
}
void SimCoordinator::Children(std::string path, Callback<Result<std::vector<std::string>>> done, Watch watch) {
  link_->core().Submit(std::move(path), {}, std::move(done), std::move(watch));
}
void SimCoordinator::Multi(std::vector<Op> ops, Callback<std::expected<MultiResult, MultiError>> done) {
  link_->core().Submit("", std::move(ops), std::move(done), nullptr);
}
int64_t SimCoordinator::session() const { return link_->core().session(); }
SessionState SimCoordinator::state() const { return link_->core().state(); }
uint64_t SimCoordinator::Listen(std::function<void(SessionState)> listener) {
  return link_->core().Listen(std::move(listener));
}
void SimCoordinator::Forget(uint64_t listener) { link_->core().Forget(listener); }
void SimCoordinator::Disconnect() { link_->Break(); }
void SimCoordinator::HoldOff(bool held) { link_->HoldOff(held); }
void SimCoordinator::Expire() { link_->ExpireNow(); }

}  // namespace ebla::coordination
