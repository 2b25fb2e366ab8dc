#include "common/coordination/embedded_coordinator.h"

#include <glog/logging.h>

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/base/mutex.h"
#include "common/coordination/embedded_database.h"
#include "common/coordination/znode_tree.h"

namespace ebla::coordination {

// The tree and its database, shared by the clients. One lock, held across a Multi's fsync: that is what puts Multis in
// order, and none but this process's hosts wait for it.
class EmbeddedCoordination::Service {
 public:
  Status Open(const std::string& directory, const EmbeddedOptions& options) {
    MutexLock lock(mutex_);
    EBLA_TRY(database_.Open(directory, options));
    EBLA_ASSIGN(ZnodeTree::Snapshot nodes, database_.Load());
    tree_ = ZnodeTree(std::move(nodes));
    return Status::Ok();
  }

  // Tasks that were never run may hold on to this for long; the database is not theirs.
  void Close() {
    MutexLock lock(mutex_);
    database_.Close();
    broken_ = Status(Code::kUnavailable, "the coordinator is closed");
  }

  int64_t OpenSession(Executor& executor) {
    MutexLock lock(mutex_);
    const Result<int64_t> session = database_.NextSession();
    // Only a dying disk fails here; every later Multi reports it. A number far above all others keeps sessions apart.
    const int64_t id = session.value_or((int64_t{1} << 40) + static_cast<int64_t>(executors_.size()));
    executors_.emplace(id, &executor);
    return id;
  }

  void CloseSession(int64_t session) {
    MutexLock lock(mutex_);
    executors_.erase(session);
    (void)watches_.TakeAll(static_cast<uint64_t>(session));
    const ZnodeTree::Change change = tree_.EndSession(session);
    Wake(change.events);
  }

  template <class Read>
  auto ReadAndWatch(Read read, TreeEvent::Kind awaited, const std::string& path, int64_t session, Task watch) {
    MutexLock lock(mutex_);
    auto result = read(tree_);
    if constexpr (std::is_same_v<decltype(result), Result<bool>>) {
      if (result.has_value() && !*result) awaited = TreeEvent::Kind::kCreated;
    }
    if (watch != nullptr && result.has_value()) {
      watches_.Add({path, awaited}, static_cast<uint64_t>(session), std::move(watch));
    }
    return result;
  }

  Result<Node> Get(const std::string& path) const {
    MutexLock lock(mutex_);
    return tree_.Get(path);
  }

  // Multis go on meanwhile, as the scrub has a session of its own.
  Status Scrub(const ScrubPace& pace) {
    std::optional<EmbeddedDatabase::Scrub> scrub;
    {
      MutexLock lock(mutex_);
      scrub.emplace(database_);
    }
    Status status = scrub->Run(pace);
    MutexLock lock(mutex_);
    if (!status.ok() && damage_.empty()) {
      damage_ = status.message();
      LOG(ERROR) << status;
    }
    return status;
  }
  std::string damage() const {
    MutexLock lock(mutex_);
    return damage_.empty() ? failure_ : damage_;
  }

  std::expected<MultiResult, MultiError> Multi(const std::vector<Op>& ops, int64_t session) {
    MutexLock lock(mutex_);
    if (!broken_.ok()) return std::unexpected(MultiError{Status(Code::kUnavailable, broken_.message())});
    auto change = tree_.Apply(ops, session);
    if (!change.has_value()) return std::unexpected(std::move(change.error()));
    if (Status stored = database_.Store(tree_, *change); !stored.ok()) {
      LOG(ERROR) << stored;
      failure_ = stored.message();
      tree_.Undo(*change);
      // A failed commit may be in the log all the same, so a later reader would see a past that a restart changes.
      if (stored.code() == Code::kUnknownOutcome) broken_ = stored;
      return std::unexpected(MultiError{std::move(stored)});
    }
    failure_.clear();
    Wake(change->events);
    return std::move(change->result);
  }

 private:
  void Wake(const std::vector<TreeEvent>& events) EBLA_REQUIRES(mutex_) {
    for (WatchTable::Woken& woken : watches_.Wake(events)) {
      const auto executor = executors_.find(static_cast<int64_t>(woken.client));
      if (executor != executors_.end()) executor->second->Post(std::move(woken.watch));
    }
  }

  mutable Mutex mutex_;
  EmbeddedDatabase database_ EBLA_GUARDED_BY(mutex_);
  ZnodeTree tree_ EBLA_GUARDED_BY(mutex_);
  WatchTable watches_ EBLA_GUARDED_BY(mutex_);
  std::map<int64_t, Executor*> executors_ EBLA_GUARDED_BY(mutex_);  // by session: clients that live
  Status broken_ EBLA_GUARDED_BY(mutex_);
  std::string failure_ EBLA_GUARDED_BY(mutex_);  // of the latest Multi
  std::string damage_ EBLA_GUARDED_BY(mutex_);   // found by a scrub
};

// One host's session. Calls run as tasks of its executor, so they are answered in their order.
class EmbeddedCoordination::Client final : public Coordinator {
 public:
  Client(std::shared_ptr<Service> service, Executor& executor)
      : executor_(executor), state_(std::make_shared<Shared>(std::move(service), executor)) {}
  ~Client() override {
    state_->alive = false;
    state_->service->CloseSession(state_->session);
  }

  void Get(std::string path, Callback<Result<Node>> done, Watch watch) override {
    Read(std::move(path), TreeEvent::Kind::kChanged, &ZnodeTree::Get, std::move(done), std::move(watch));
  }
  void Exists(std::string path, Callback<Result<bool>> done, Watch watch) override {
    Read(std::move(path), TreeEvent::Kind::kChanged, &ZnodeTree::Exists, std::move(done), std::move(watch));
  }
  void Children(std::string path, Callback<Result<std::vector<std::string>>> done, Watch watch) override {
    Read(std::move(path), TreeEvent::Kind::kChildren, &ZnodeTree::Children, std::move(done), std::move(watch));
  }
  void Multi(std::vector<Op> ops, Callback<std::expected<MultiResult, MultiError>> done) override {
    executor_.Post([state = state_, ops = std::move(ops), done = std::move(done)]() mutable {
      if (state->alive) done(state->service->Multi(ops, state->session));
    });
  }

  int64_t session() const override { return state_->session; }
  SessionState state() const override { return SessionState::kConnected; }

  uint64_t Listen(std::function<void(SessionState)> listener) override {
    const uint64_t id = ++next_listener_;
    {
      MutexLock lock(state_->mutex);
      state_->listeners.insert(id);
    }
    executor_.Post([state = state_, id, listener = std::move(listener)] {
      {
        MutexLock lock(state->mutex);
        if (state->listeners.erase(id) == 0) return;
      }
      if (state->alive) listener(SessionState::kConnected);  // and never again: the state does not change
    });
    return id;
  }
  void Forget(uint64_t listener) override {
    MutexLock lock(state_->mutex);
    state_->listeners.erase(listener);
  }

 private:
  // State for posted tasks, which may outlive the client.
  struct Shared {
    Shared(std::shared_ptr<Service> service_in, Executor& executor)
        : service(std::move(service_in)), session(service->OpenSession(executor)) {}
    const std::shared_ptr<Service> service;
    const int64_t session;
    std::atomic<bool> alive{true};
    Mutex mutex;  // guards the listeners that are still to be called
    std::set<uint64_t> listeners;
  };

  template <class T>
  void Read(std::string path, TreeEvent::Kind awaited, Result<T> (ZnodeTree::*read)(const std::string&) const,
            Callback<Result<T>> done, Watch watch) {
    executor_.Post([state = state_, path = std::move(path), awaited, read, done = std::move(done),
                    watch = std::move(watch)]() mutable {
      if (!state->alive) return;
      Task guarded;
      if (watch != nullptr) {
        guarded = [state, watch = std::move(watch)]() mutable {
          if (state->alive) watch();
        };
      }
      done(state->service->ReadAndWatch([&](const ZnodeTree& tree) { return (tree.*read)(path); }, awaited, path,
                                        state->session, std::move(guarded)));
    });
  }

  Executor& executor_;
  const std::shared_ptr<Shared> state_;
  std::atomic<uint64_t> next_listener_{0};
};

EmbeddedCoordination::EmbeddedCoordination(std::shared_ptr<Service> service) : service_(std::move(service)) {}
EmbeddedCoordination::~EmbeddedCoordination() { service_->Close(); }

Result<std::unique_ptr<EmbeddedCoordination>> EmbeddedCoordination::Open(const std::string& directory,
                                                                         const EmbeddedOptions& options) {
  auto service = std::make_shared<Service>();
  EBLA_TRY(service->Open(directory, options));
  return std::unique_ptr<EmbeddedCoordination>(new EmbeddedCoordination(std::move(service)));
}

Result<Node> EmbeddedCoordination::Get(const std::string& path) const { return service_->Get(path); }

Status EmbeddedCoordination::Multi(const std::vector<Op>& ops) {
  const auto done = service_->Multi(ops, /*session=*/0);
  return done.has_value() ? Status::Ok() : done.error().status;
}

Status EmbeddedCoordination::Scrub(const ScrubPace& pace) { return service_->Scrub(pace); }
std::string EmbeddedCoordination::damage() const { return service_->damage(); }

std::unique_ptr<Coordinator> EmbeddedCoordination::NewClient(Executor& executor) {
  return std::make_unique<Client>(service_, executor);
}

}  // namespace ebla::coordination
