#include "common/coordination/zookeeper_coordinator.h"

#include <glog/logging.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/coordination/client_core.h"
#include "common/coordination/zookeeper_address.h"
#include "common/coordination/zookeeper_calls.h"
#include "common/coordination/zookeeper_guard.h"

namespace ebla::coordination {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(5);
constexpr Duration kNoNamesDelay = std::chrono::minutes(1);
constexpr Duration kOpenAgain = std::chrono::seconds(1);
constexpr Duration kAuthAgain = std::chrono::seconds(5);

// The C client's log. Failed connections are its daily bread, and said better by Look.
void LogLine(const char* message) {
  if (std::strstr(message, "ZOO_ERROR") != nullptr) {
    LOG_EVERY_T(WARNING, 10) << "ZooKeeper client: " << message;
  } else {
    VLOG(1) << "ZooKeeper client: " << message;
  }
}

// A refused session ends for good, which OnMain handles.
void OnAuth(int rc, const void*) {
  if (rc != ZOK && !IsLost(rc)) LOG(ERROR) << "ZooKeeper did not take the secret: " << zerror(rc);
}

}  // namespace

class ZooKeeperCoordinator::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(ZooKeeperOptions options, std::string hosts, std::string root, Executor& executor)
      : options_(std::move(options)), hosts_(std::move(hosts)), root_(std::move(root)), executor_(executor) {
    client_ = std::make_shared<ClientCore>(executor, options_.operation_timeout,
                                           [this](const Attempt& attempt) { Send(attempt); });
  }

  ClientCore& client() { return *client_; }
  void Start();
  void Close();
  void Guard(Callback<Result<size_t>> done);
  std::string Refusal() const {
    MutexLock lock(mutex_);
    return refusal_;
  }

 private:
  // The C client's context of one handle; events of a handle that was given up are told by their number.
  struct HandleContext {
    Core* core;
    uint64_t number;
  };

  static void OnEvent(zhandle_t* handle, int type, int state, const char* path, void* context);
  static void OnWatch(zhandle_t* handle, int type, int state, const char* path, void* attempt);
  // Runs a member on the executor, from ZooKeeper's threads, which end before this does.
  template <class Then>
  void Post(Then then) {
    executor_.Post([core = weak_from_this(), then = std::move(then)]() mutable {
      const auto self = core.lock();
      if (self != nullptr && !self->closed_) then(*self);
    });
  }

  // One of the C client's: its threads, and one session.
  struct Handle {
    zhandle_t* zoo = nullptr;
    std::unique_ptr<HandleContext> context;

    bool Is(uint64_t number) const { return context != nullptr && context->number == number; }
  };

  void Open(Handle& handle);
  static void Close(Handle& handle);
  void OpenMain();
  void OpenMainLater(Duration delay);
  void OnMain(int state, int64_t session);
  void OnProbe(int state);
  void OnConnected(int64_t session);
  bool ShowSecrets(zhandle_t* zoo);
  void OnDisconnected();
  void OnExpired(const char* why);
  void EndMain();
  void OnAuthFailed();
  void SetRefusal(std::string why);
  // Says instead of "not authenticated" what to do.
  Status Explained(Status status);
  void Answered(Attempt::Kind kind, AttemptReply& reply);
  void EndProbe();
  void MakeRoot();
  void Send(const Attempt& attempt);
  ZooKeeperCalls calls() const { return {main_.zoo, root_, access_.get()}; }
  void Look();

  const ZooKeeperOptions options_;
  const std::string hosts_;
  const std::string root_;  // chroot
  const ZooKeeperAccessList access_{options_.auth};
  Executor& executor_;
  std::shared_ptr<ClientCore> client_;
  mutable Mutex mutex_;
  std::string refusal_ EBLA_GUARDED_BY(mutex_);
  Handle main_;
  Handle probe_;  // asks whether others are taken, while the session is not
  std::optional<MonotonicTime> probe_connected_since_;
  MonotonicTime no_probe_before_;
  uint64_t handles_ = 0;
  bool root_made_ = false;
  bool closed_ = false;
  MonotonicTime disconnected_since_;
};

void ZooKeeperCoordinator::Core::Start() {
  static std::once_flag once;
  std::call_once(once, [] { zoo_set_debug_level(ZOO_LOG_LEVEL_WARN); });
  disconnected_since_ = executor_.Now();
  executor_.Post([core = weak_from_this()] {
    const auto self = core.lock();
    if (self == nullptr || self->closed_) return;
    self->OpenMain();
    self->Look();
  });
}

void ZooKeeperCoordinator::Core::Open(Handle& handle) {
  handle.context = std::make_unique<HandleContext>(HandleContext{this, ++handles_});
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options_.session_timeout);
  handle.zoo = zookeeper_init2(hosts_.c_str(), &Core::OnEvent, static_cast<int>(timeout.count()), nullptr,
                               handle.context.get(), 0, &LogLine);
  if (handle.zoo != nullptr) {
    if (ShowSecrets(handle.zoo)) return;
    LOG_EVERY_T(WARNING, 5) << "the connection to ZooKeeper at " << hosts_
                            << " was lost before it had the secret; still trying";
    return Close(handle);
  }
  LOG_EVERY_T(WARNING, 5) << "cannot begin a connection to ZooKeeper at " << hosts_ << ": " << std::strerror(errno)
                          << "; still trying";
}

void ZooKeeperCoordinator::Core::OpenMain() {
  Open(main_);
  if (main_.zoo == nullptr) OpenMainLater(kOpenAgain);
}

void ZooKeeperCoordinator::Core::OpenMainLater(Duration delay) {
  executor_.After(delay, [core = weak_from_this()] {
    const auto self = core.lock();
    if (self != nullptr && !self->closed_ && self->main_.zoo == nullptr) self->OpenMain();
  });
}

void ZooKeeperCoordinator::Core::Close(Handle& handle) {
  // Joins its threads; calls in flight return as lost, through the executor.
  if (handle.zoo != nullptr) zookeeper_close(handle.zoo);
  handle = {};
}

void ZooKeeperCoordinator::Core::Close() {
  closed_ = true;
  client_->Close();
  Close(probe_);
  Close(main_);
}

void ZooKeeperCoordinator::Core::OnEvent(zhandle_t* handle, int type, int state, const char*, void* context) {
  if (type != ZOO_SESSION_EVENT) return;
  auto* of = static_cast<HandleContext*>(context);
  const int64_t session = state == ZOO_CONNECTED_STATE ? zoo_client_id(handle)->client_id : 0;
  of->core->Post([number = of->number, state, session](Core& core) {
    if (core.main_.Is(number)) core.OnMain(state, session);
    if (core.probe_.Is(number)) core.OnProbe(state);
  });
}

void ZooKeeperCoordinator::Core::OnMain(int state, int64_t session) {
  if (state == ZOO_CONNECTED_STATE) {
    OnConnected(session);
  } else if (state == ZOO_EXPIRED_SESSION_STATE) {
    OnExpired("it ended");
  } else if (state == ZOO_AUTH_FAILED_STATE) {
    OnAuthFailed();
  } else {
    OnDisconnected();
  }
}

void ZooKeeperCoordinator::Core::OnDisconnected() {
  if (client_->state() == SessionState::kConnected) disconnected_since_ = executor_.Now();
  client_->Disconnected();
}

void ZooKeeperCoordinator::Core::OnProbe(int state) {
  if (state == ZOO_EXPIRED_SESSION_STATE) return EndProbe();  // Look makes another
  if (state != ZOO_CONNECTED_STATE) return probe_connected_since_.reset();
  if (probe_connected_since_) return;
  probe_connected_since_ = executor_.Now();
  executor_.After(options_.session_timeout, [core = weak_from_this(), since = *probe_connected_since_] {
    const auto self = core.lock();
    if (self == nullptr || self->closed_ || self->probe_connected_since_ != since) return;
    self->OnExpired("its servers accept other sessions, but not this one: were they restored from an older state?");
  });
}

void ZooKeeperCoordinator::Core::OnWatch(zhandle_t* handle, int type, int, const char*, void* attempt) {
  // A session's end is its only event that wakes watches, which ClientCore does.
  if (type == ZOO_SESSION_EVENT) return;
  auto* of = static_cast<const HandleContext*>(zoo_get_context(handle));
  of->core->Post([id = reinterpret_cast<uintptr_t>(attempt)](Core& core) { core.client_->WatchFired(id); });
}

void ZooKeeperCoordinator::Core::OnConnected(int64_t session) {
  if (client_->state() == SessionState::kConnected) return;
  EndProbe();
  LOG(INFO) << "connected to ZooKeeper at " << options_.servers << ", session 0x" << std::hex << session;
  if (!root_made_) MakeRoot();
  client_->Connected(session);
}

// Before anything else, and by the C client again with each new connection. It takes none between a lost connection and
// the next one.
bool ZooKeeperCoordinator::Core::ShowSecrets(zhandle_t* zoo) {
  return std::ranges::all_of(options_.auth.secrets, [zoo](const std::string& secret) {
    return zoo_add_auth(zoo, "digest", secret.data(), static_cast<int>(secret.size()), &OnAuth, nullptr) == ZOK;
  });
}

void ZooKeeperCoordinator::Core::OnExpired(const char* why) {
  LOG(WARNING) << "replacing the ZooKeeper session: " << why;
  EndMain();
  if (!closed_) OpenMain();
}

void ZooKeeperCoordinator::Core::EndMain() {
  EndProbe();
  Close(main_);
  disconnected_since_ = executor_.Now();
  root_made_ = false;  // what is there now may be older than it
  client_->Expired();
}

// Returned by a server that takes no digests at all. A wrong digest is accepted here, and refused at each node.
void ZooKeeperCoordinator::Core::OnAuthFailed() {
  SetRefusal("ZooKeeper does not take the secret in " + options_.auth.file +
             ": let its servers take authentication of the scheme \"digest\"");
  EndMain();
  if (!closed_) OpenMainLater(kAuthAgain);
}

void ZooKeeperCoordinator::Core::SetRefusal(std::string why) {
  if (!why.empty()) {
    LOG_EVERY_T(ERROR, 10) << why;
  }
  MutexLock lock(mutex_);
  refusal_ = std::move(why);
}

Status ZooKeeperCoordinator::Core::Explained(Status status) {
  if (status.code() != Code::kPermissionDenied) return status;
  SetRefusal("ZooKeeper's nodes do not admit this process (NOAUTH): " +
             (options_.auth.secrets.empty()
                  ? std::string("the cluster has a secret; give this process its file with --zookeeper_auth_file")
                  : "no secret in " + options_.auth.file +
                        " is the one that the cluster's nodes were closed with; give this " +
                        "process the file that the cluster's others have") +
             " (" + status.message() + ")");
  return {Code::kPermissionDenied, Refusal()};
}

void ZooKeeperCoordinator::Core::Answered(Attempt::Kind kind, AttemptReply& reply) {
  reply.status = Explained(std::move(reply.status));
  const bool multi = kind == Attempt::Kind::kMulti;
  if (multi && !reply.multi.has_value()) reply.multi.error().status = Explained(reply.multi.error().status);
  // Whether a node exists is told to everybody.
  const bool admitted = multi ? reply.multi.has_value() : reply.status.ok() && kind != Attempt::Kind::kExists;
  if (admitted && !reply.lost) SetRefusal({});
}

void ZooKeeperCoordinator::Core::Guard(Callback<Result<size_t>> done) {
  executor_.Post([weak = weak_from_this(), done = std::move(done)]() mutable {
    const auto core = weak.lock();
    if (core == nullptr || core->closed_) return;
    if (core->options_.auth.secrets.empty()) return done(size_t{0});
    // Nothing runs on the executor once this is closed, and ZooKeeper's threads end before.
    auto finish = [core = core.get(), done = std::move(done)](Result<size_t> given) mutable {
      if (!given.has_value()) {
        given = std::unexpected(core->Explained(given.error()));
      } else {
        LOG(INFO) << "every node of ZooKeeper's has the present access list; " << *given << " had another one";
      }
      done(std::move(given));
    };
    const auto post = [core = core.get()](Task task) {
      core->Post([task = std::move(task)](Core&) mutable { task(); });
    };
    const auto guard =
        std::make_shared<ZooKeeperGuard>(ZooKeeperGuard::Ports{[core = core.get()] { return core->main_.zoo; }, post},
                                         *core->access_.get(), std::move(finish));
    guard->Start(core->root_.empty() ? "/" : core->root_);
  });
}

void ZooKeeperCoordinator::Core::EndProbe() {
  Close(probe_);
  probe_connected_since_.reset();
}

void ZooKeeperCoordinator::Core::MakeRoot() {
  if (root_.empty()) return;
  // Sent before every other call, so carried out before them: no need to wait.
  for (size_t end = root_.find('/', 1);; end = root_.find('/', end + 1)) {
    const std::string path = root_.substr(0, end);
    const bool last = end == std::string::npos;
    calls().Make(path, [this, path, last](const AttemptReply& reply) {
      if (reply.status.code() == Code::kPermissionDenied) return;  // if the root is missing, the next call reports it
      if (!reply.status.ok() && !reply.lost) LOG(ERROR) << "cannot make " << path << " in ZooKeeper: " << reply.status;
      if (reply.status.ok() && last) Post([](Core& core) { core.root_made_ = true; });
    });
    if (last) return;
  }
}

void ZooKeeperCoordinator::Core::Send(const Attempt& attempt) {
  const watcher_fn watcher = attempt.watch ? &Core::OnWatch : nullptr;
  const int rc = calls().Send(attempt, watcher, [this, id = attempt.id, kind = attempt.kind](AttemptReply reply) {
    Post([id, kind, reply = std::move(reply)](Core& core) mutable {
      core.Answered(kind, reply);
      core.client_->Replied(id, std::move(reply));
    });
  });
  if (rc == ZOK) return;
  // If the handle is unusable, its last event is on its way; until then nothing more is sent.
  Post([id = attempt.id, rc](Core& core) {
    AttemptReply reply = NotSent(rc);
    if (reply.lost) core.OnDisconnected();
    core.client_->Replied(id, std::move(reply));
  });
}

void ZooKeeperCoordinator::Core::Look() {
  const Duration absent = executor_.Now() - disconnected_since_;
  const bool connected = client_->state() == SessionState::kConnected;
  const bool probing = probe_.zoo != nullptr || executor_.Now() < no_probe_before_;
  if (!connected && client_->session() != 0 && absent >= options_.session_give_up && !probing) {
    Open(probe_);
    // It looks up the servers' names in this thread, which may take long where there is no name server either.
    if (probe_.zoo == nullptr) no_probe_before_ = executor_.Now() + kNoNamesDelay;
  }
  if (!connected && absent >= kLookEvery / 2) {
    LOG(WARNING) << "no connection to ZooKeeper at " << options_.servers << " for "
                 << std::chrono::duration_cast<std::chrono::seconds>(absent).count() << " s; still trying";
  }
  executor_.After(std::min(kLookEvery, options_.session_give_up), [core = weak_from_this()] {
    const auto self = core.lock();
    if (self != nullptr && !self->closed_) self->Look();
  });
}

ZooKeeperCoordinator::ZooKeeperCoordinator(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<ZooKeeperCoordinator>> ZooKeeperCoordinator::Open(ZooKeeperOptions options, Executor& executor) {
  std::string hosts;
  std::string root;
  EBLA_TRY(SplitZooKeeperServers(options.servers, &hosts, &root));
  auto core = std::make_shared<Core>(std::move(options), std::move(hosts), std::move(root), executor);
  core->Start();
  return std::unique_ptr<ZooKeeperCoordinator>(new ZooKeeperCoordinator(std::move(core)));
}

ZooKeeperCoordinator::~ZooKeeperCoordinator() { core_->Close(); }

void ZooKeeperCoordinator::Get(std::string path, Callback<Result<Node>> done, Watch watch) {
  core_->client().Submit(std::move(path), {}, std::move(done), std::move(watch));
}
void ZooKeeperCoordinator::Exists(std::string path, Callback<Result<bool>> done, Watch watch) {
  core_->client().Submit(std::move(path), {}, std::move(done), std::move(watch));
}
void ZooKeeperCoordinator::Children(std::string path, Callback<Result<std::vector<std::string>>> done, Watch watch) {
  core_->client().Submit(std::move(path), {}, std::move(done), std::move(watch));
}
void ZooKeeperCoordinator::Multi(std::vector<Op> ops, Callback<std::expected<MultiResult, MultiError>> done) {
  core_->client().Submit("", std::move(ops), std::move(done), nullptr);
}
int64_t ZooKeeperCoordinator::session() const { return core_->client().session(); }
SessionState ZooKeeperCoordinator::state() const { return core_->client().state(); }
uint64_t ZooKeeperCoordinator::Listen(std::function<void(SessionState)> listener) {
  return core_->client().Listen(std::move(listener));
}
void ZooKeeperCoordinator::Forget(uint64_t listener) { core_->client().Forget(listener); }
void ZooKeeperCoordinator::Guard(Callback<Result<size_t>> done) { core_->Guard(std::move(done)); }
std::string ZooKeeperCoordinator::Refusal() const { return core_->Refusal(); }

}  // namespace ebla::coordination
