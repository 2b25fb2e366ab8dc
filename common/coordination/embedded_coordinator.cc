#include "common/coordination/embedded_coordinator.h"

#include <glog/logging.h>
#include <wiredtiger.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>
#include <utility>

#include "common/base/mutex.h"
#include "common/coordination/znode_tree.h"

namespace ebla::coordination {
namespace {

// Database format. Table "meta" maps string to string; table "nodes" maps a path to version (i), next child number (q)
// and data (u).
constexpr char kFormat[] = "1";
// All of it is given here, so that a damaged WiredTiger.basecfg, in which former builds left it, is not read.
constexpr char kOpen[] =
    "create,config_base=false,cache_size=32MB,session_max=20,log=(enabled=true,archive=true,file_max=4MB),"
    "checkpoint=(wait=60,log_size=4MB),transaction_sync=(enabled=true,method=fsync)";

// WiredTiger's own words. Its errors come back as codes too; these say where they arose.
int OnError(WT_EVENT_HANDLER*, WT_SESSION*, int, const char* message) {
  VLOG(1) << "coordinator's database: " << message;
  return 0;
}
int OnMessage(WT_EVENT_HANDLER*, WT_SESSION*, const char* message) {
  VLOG(1) << "coordinator's database: " << message;
  return 0;
}
WT_EVENT_HANDLER event_handler = {OnError, OnMessage, nullptr, nullptr};

// Without this file WiredTiger makes a new database over the files of an old one. It makes the tables after the file.
Status CheckTurtle(const std::string& directory) {
  const std::string turtle = directory + "/WiredTiger.turtle", table = directory + "/meta.wt";
  std::error_code unknown;
  if (std::filesystem::exists(turtle, unknown) || !std::filesystem::exists(table, unknown)) return Status::Ok();
  return Error(Code::kInternal,
               "the coordinator's database is damaged: " + turtle + " is missing, and " + table + " is there");
}

}  // namespace

// The database: one WiredTiger session, used by one thread at a time.
class EmbeddedCoordination::Database {
 public:
  ~Database() { Close(); }
  void Close() {
    if (WT_CONNECTION* open = std::exchange(connection_, nullptr)) open->close(open, nullptr);
  }

  Status Open(const std::string& directory);
  Result<ZnodeTree::Snapshot> Load();
  // Numbers of sessions are never used twice, across restarts too.
  Result<int64_t> NextSession();
  // One synced transaction. UNAVAILABLE: rolled back; UNKNOWN_OUTCOME: the commit itself failed.
  Status Store(const ZnodeTree& tree, const ZnodeTree::Change& change);

 private:
  static Status Failed(const char* what, int error, Code code = Code::kInternal) {
    return Error(code, std::string("coordinator's database: ") + what + ": " + wiredtiger_strerror(error));
  }
  Status OpenTables();
  Result<std::string> Meta(const char* key);
  Status PutMeta(const char* key, const std::string& value);
  int Write(const std::string& path, const ZnodeTree& tree);

  std::string directory_;
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;
  WT_CURSOR* nodes_ = nullptr;
  WT_CURSOR* meta_ = nullptr;
};

Status EmbeddedCoordination::Database::Open(const std::string& directory) {
  directory_ = directory;
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  if (made) return Error(Code::kInvalidArgument, "cannot make directory " + directory + ": " + made.message());
  EBLA_TRY(CheckTurtle(directory));
  const int error = wiredtiger_open(directory.c_str(), &event_handler, kOpen, &connection_);
  if (error == EBUSY) {
    return Error(Code::kInvalidArgument,
                 "directory " + directory + " is in use by another process: stop that one first");
  }
  if (error != 0) return Failed(("opening " + directory).c_str(), error);
  if (const int opened = connection_->open_session(connection_, nullptr, nullptr, &session_); opened != 0) {
    return Failed("opening a session", opened);
  }
  return OpenTables();
}

Status EmbeddedCoordination::Database::OpenTables() {
  int error = session_->create(session_, "table:meta", "key_format=S,value_format=S");
  if (error == 0) error = session_->open_cursor(session_, "table:meta", nullptr, nullptr, &meta_);
  if (error != 0) return Failed("opening table meta", error);
  EBLA_ASSIGN(const std::string format, Meta("format"));
  if (format.empty()) {
    EBLA_TRY(PutMeta("format", kFormat));
  } else if (format != kFormat) {
    return Error(Code::kInvalidArgument, "directory " + directory_ + " has coordinator format " + format +
                                             ", and this program knows " + kFormat + ": upgrade this program");
  }
  error = session_->create(session_, "table:nodes", "key_format=S,value_format=iqu");
  if (error == 0) error = session_->open_cursor(session_, "table:nodes", nullptr, nullptr, &nodes_);
  return error == 0 ? Status::Ok() : Failed("opening table nodes", error);
}

Result<std::string> EmbeddedCoordination::Database::Meta(const char* key) {
  meta_->set_key(meta_, key);
  const char* value = "";
  int error = meta_->search(meta_);
  if (error == 0) error = meta_->get_value(meta_, &value);
  if (error != 0 && error != WT_NOTFOUND) return Error(Failed("reading meta", error));
  std::string copy(error == 0 ? value : "");
  meta_->reset(meta_);
  return copy;
}

Status EmbeddedCoordination::Database::PutMeta(const char* key, const std::string& value) {
  meta_->set_key(meta_, key);
  meta_->set_value(meta_, value.c_str());
  const int error = meta_->insert(meta_);
  meta_->reset(meta_);
  return error == 0 ? Status::Ok() : Failed("writing meta", error);
}

Result<int64_t> EmbeddedCoordination::Database::NextSession() {
  EBLA_ASSIGN(const std::string text, Meta("sessions"));
  int64_t sessions = 0;
  std::from_chars(text.data(), text.data() + text.size(), sessions);
  EBLA_TRY(PutMeta("sessions", std::to_string(sessions + 1)));
  return sessions + 1;
}

Result<ZnodeTree::Snapshot> EmbeddedCoordination::Database::Load() {
  ZnodeTree::Snapshot nodes;
  int error = 0;
  while ((error = nodes_->next(nodes_)) == 0) {
    const char* path = nullptr;
    ZnodeTree::Entry entry;
    WT_ITEM data;
    int32_t version = 0;
    error = nodes_->get_key(nodes_, &path);
    if (error == 0) error = nodes_->get_value(nodes_, &version, &entry.next_number, &data);
    if (error != 0) break;
    entry.version = version;
    entry.data.assign(static_cast<const char*>(data.data), data.size);
    nodes.emplace(path, std::move(entry));
  }
  nodes_->reset(nodes_);
  if (error != WT_NOTFOUND) return Error(Failed("reading nodes", error));
  return nodes;
}

int EmbeddedCoordination::Database::Write(const std::string& path, const ZnodeTree& tree) {
  const auto found = tree.nodes().find(path);
  nodes_->set_key(nodes_, path.c_str());
  if (found == tree.nodes().end() || found->second.session != 0) {
    const int error = nodes_->remove(nodes_);
    return error == WT_NOTFOUND ? 0 : error;
  }
  const ZnodeTree::Entry& entry = found->second;
  WT_ITEM data{};
  data.data = entry.data.data();
  data.size = entry.data.size();
  nodes_->set_value(nodes_, static_cast<int32_t>(entry.version), entry.next_number, &data);
  return nodes_->insert(nodes_);
}

Status EmbeddedCoordination::Database::Store(const ZnodeTree& tree, const ZnodeTree::Change& change) {
  if (change.before.empty()) return Status::Ok();  // checks alone
  int error = session_->begin_transaction(session_, "sync=true");
  if (error != 0) return Failed("beginning a transaction", error, Code::kUnavailable);
  std::set<std::string> touched;
  for (const auto& [path, before] : change.before) touched.insert(path);
  for (const std::string& path : touched) {
    if (error == 0) error = Write(path, tree);
  }
  if (error != 0) {
    session_->rollback_transaction(session_, nullptr);
    return Failed("writing nodes", error, Code::kUnavailable);
  }
  error = session_->commit_transaction(session_, nullptr);
  return error == 0 ? Status::Ok() : Failed("committing", error, Code::kUnknownOutcome);
}

// The tree and its database, shared by the clients. One lock, held across a Multi's fsync: that is what puts Multis in
// order, and none but this process's hosts wait for it.
class EmbeddedCoordination::Service {
 public:
  Status Open(const std::string& directory) {
    MutexLock lock(mutex_);
    EBLA_TRY(database_.Open(directory));
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

  std::expected<MultiResult, MultiError> Multi(const std::vector<Op>& ops, int64_t session) {
    MutexLock lock(mutex_);
    if (!broken_.ok()) return std::unexpected(MultiError{Status(Code::kUnavailable, broken_.message())});
    auto change = tree_.Apply(ops, session);
    if (!change.has_value()) return std::unexpected(std::move(change.error()));
    if (Status stored = database_.Store(tree_, *change); !stored.ok()) {
      LOG(ERROR) << stored;
      tree_.Undo(*change);
      // A failed commit may be in the log all the same, so a later reader would see a past that a restart changes.
      if (stored.code() == Code::kUnknownOutcome) broken_ = stored;
      return std::unexpected(MultiError{std::move(stored)});
    }
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

  Mutex mutex_;
  Database database_ EBLA_GUARDED_BY(mutex_);
  ZnodeTree tree_ EBLA_GUARDED_BY(mutex_);
  WatchTable watches_ EBLA_GUARDED_BY(mutex_);
  std::map<int64_t, Executor*> executors_ EBLA_GUARDED_BY(mutex_);  // by session: clients that live
  Status broken_ EBLA_GUARDED_BY(mutex_);
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

Result<std::unique_ptr<EmbeddedCoordination>> EmbeddedCoordination::Open(const std::string& directory) {
  auto service = std::make_shared<Service>();
  EBLA_TRY(service->Open(directory));
  return std::unique_ptr<EmbeddedCoordination>(new EmbeddedCoordination(std::move(service)));
}

std::unique_ptr<Coordinator> EmbeddedCoordination::NewClient(Executor& executor) {
  return std::make_unique<Client>(service_, executor);
}

}  // namespace ebla::coordination
