#include "tabletserver/server/server_process.h"

#include <glog/logging.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <iterator>
#include <tuple>
#include <utility>

#include "common/process/addresses.h"
#include "common/process/process.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/storage/log/log_salvage.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"

namespace ebla::tabletserver {
namespace {

// If all wait for a processor, event loops run before the threads that they give work to, because a read does not wait
// for writes, which take fewer turns the more of them wait. But these threads have brief tasks that others wait for.
// With short time slices, a woken thread runs such a task at once, and not after all the loop's work
// (docs/lab/users.md).
constexpr rpc::Scheduling kBehindLoops{.nicer = 5, .slice = std::chrono::microseconds(100)};
// These may take long, and few wait for it.
constexpr rpc::Scheduling kInBackground{.nicer = 5};
// Merges take most of a processor for minutes, and clients wait for none of them.
constexpr rpc::Scheduling kMerges{.nicer = 15};
constexpr Duration kDrainPatience = std::chrono::seconds(3);
// Files and sockets beside its clients' connections and the files of its tables: segments of the log, HTTP, peers, and
// tables to come.
constexpr size_t kOtherFiles = 2'048;

// Each b-tree and each run has a descriptor.
size_t CountTableFiles(const std::string& store) {
  size_t files = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(store, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".wt") ++files;
  return files;
}

std::vector<std::unique_ptr<rpc::EventLoop>> MakeLoops(const std::string& name, size_t count,
                                                       rpc::EventLoop::Turns turns = rpc::EventLoop::Turns::kOwn) {
  std::vector<std::unique_ptr<rpc::EventLoop>> loops;
  for (size_t i = 0; i < count; ++i)
    loops.push_back(std::make_unique<rpc::EventLoop>(name + "-" + std::to_string(i), turns));
  return loops;
}

std::unique_ptr<rpc::EventLoop> StartLoop(const std::string& name, const rpc::Scheduling& scheduling = {}) {
  auto loop = std::make_unique<rpc::EventLoop>(name);
  loop->Start(scheduling);
  return loop;
}

void StartAll(const std::vector<std::unique_ptr<rpc::EventLoop>>& loops) {
  for (const auto& loop : loops) loop->Start(kBehindLoops);
}

template <class Base>
std::vector<Base*> Pointers(const std::vector<std::unique_ptr<rpc::EventLoop>>& loops) {
  std::vector<Base*> pointers;
  for (const auto& loop : loops) pointers.push_back(loop.get());
  return pointers;
}

// With another server's certificate it would serve, but no master and no other server would accept its messages. A
// process that is its own master accepts its own messages.
Status CheckSpeaksFor(const std::string& name, security::TlsCredentials* own) {
  if (own == nullptr || own->trusts_itself()) return {};
  EBLA_ASSIGN(const security::Identity self, own->Self());
  if (self.MaySpeakFor(name)) return {};
  return Error(Code::kInvalidArgument, std::string("server.crt in --tls_dir is of the ") + security::UnitOf(self.kind) +
                                           " \"" + self.name + "\", and cannot speak for the tablet server " + name +
                                           ": make that server's with ebla cert create-server " + name);
}

Status WithAdvice(const Status& opened, const std::string& advice) {
  if (opened.code() != Code::kInternal || advice.empty()) return opened;
  return Error(Code::kInternal, opened.message() + (opened.message().ends_with('?') ? " " : ". ") + advice);
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(ServerProcessOptions options) {
  std::unique_ptr<ServerProcess> process(new ServerProcess());
  EBLA_TRY(process->Open(options));
  return process;
}

Status ServerProcess::TryToOpen(ServerProcessOptions& options) {
  ServerProcess process;
  EBLA_TRY(process.OpenDirectory(options, {}));
  EBLA_TRY(process.OpenStore(options));
  const Status stopped = process.Stop(kDrainPatience);
  LOG_IF(WARNING, !stopped.ok()) << "the store was opened, but not closed: " << stopped;
  return {};
}

Status ServerProcess::OpenDirectory(ServerProcessOptions& options, const ServerName& name) {
  EBLA_ASSIGN(directory_, DataDirectory::Open(options.data_dir, name, std::move(options.lock)));
  return {};
}

Status ServerProcess::Open(ServerProcessOptions& options) {
  // Before a new directory takes the name for life.
  if (!options.name.empty()) EBLA_TRY(CheckSpeaksFor(options.name, options.rpc.tls.get()));
  EBLA_TRY(WithAdvice(OpenDirectory(options, options.name), options.loss_advice));
  EBLA_TRY(CheckSpeaksFor(directory_->identity().name, options.rpc.tls.get()));
  EBLA_TRY(WithAdvice(OpenStore(options), options.loss_advice));
  EBLA_TRY(OpenServer(options));
  EBLA_TRY(OpenHttp(options));
  server_->Start(advertised_, http_->address());
  return process::WriteAddressFile(options.data_dir, advertised_, http_->address());
}

Status ServerProcess::OpenStore(ServerProcessOptions& options) {
  flusher_ = StartLoop("flusher", kBehindLoops);
  checkpoints_ = StartLoop("checkpoint", kInBackground);
  watcher_ = StartLoop("disk-watch", kInBackground);
  inventory_ = StartLoop("inventory", kInBackground);
  run_writer_ = StartLoop("run-writer", kInBackground);
  run_merger_ = StartLoop("run-merger", kMerges);
  options.store.directory = options.data_dir + "/store";
  // A server joins its cluster once its store is open.
  options.store.made_before = !directory_->identity().cluster_id.empty();
  options.store.flusher = flusher_.get();
  options.store.background = checkpoints_.get();
  options.store.watcher = watcher_.get();
  options.store.inventory = inventory_.get();
  options.store.inventory_directory = options.data_dir;
  options.store.life = directory_->identity().incarnation.value;
  options.store.server = directory_->identity().uuid;
  options.store.writer = run_writer_.get();
  options.store.merger = run_merger_.get();
  in_memory_ = std::make_unique<InMemoryStore>(options.memory_tables_bytes);
  options.store.memory_tables = in_memory_.get();
  options.store.clock = [this] {
    const ClockGuard* const clock = marks_.load(std::memory_order_acquire);
    return clock == nullptr ? ClockMark() : clock->mark();
  };
  EBLA_ASSIGN(store_, WtStore::Open(options.store));
  ClockGuardOptions clock = options.server.clock;
  clock.boot = process::BootId();
  clock.found = store_->found_clock();
  clock.synchronized = process::ClockIsSynchronized;
  clock_ = std::make_unique<ClockGuard>(*flusher_, std::move(clock));
  marks_.store(clock_.get(), std::memory_order_release);
  EBLA_TRY(store_->NoteClock());  // a server that dies in its first second has left a mark, too
  return Status::Ok();
}

Status ServerProcess::OpenServer(ServerProcessOptions& options) {
  process::CheckOpenFiles(options.rpc.connections_max + kOtherFiles + CountTableFiles(options.store.directory),
                          "max_connections");
  loops_ = MakeLoops("loop", options.event_loops);
  loop_threads_ = std::make_unique<rpc::LoopThreads>(Pointers<rpc::EventLoop>(loops_));
  loop_threads_->Start();
  shards_ = MakeLoops("shard", options.shards, rpc::EventLoop::Turns::kLent);  // started once they have their tablets
  readers_ = MakeLoops("reader", options.readers);
  StartAll(readers_);
  background_ = StartLoop("background");
  delivery_ = StartLoop("delivery");
  housekeeping_ = StartLoop("housekeeping");
  snapshots_ = StartLoop("snapshots", kInBackground);
  scrubber_ = StartLoop("scrubber", kInBackground);
  control_ = StartLoop("control");
  const rpc::ChannelOptions channels{.tls = options.rpc.tls};
  connector_ = std::make_unique<rpc::PipelinedConnector>(*control_, channels);
  std::vector<rpc::Connector*> shard_connectors;
  for (const auto& shard : shards_) {
    shard_connectors_.push_back(std::make_unique<rpc::PipelinedConnector>(*shard, channels));
    shard_connectors.push_back(shard_connectors_.back().get());
  }
  EBLA_ASSIGN(coordinator_, options.coordinator(*control_));
  coordinator_watch_ = std::make_unique<coordination::ConnectionWatch>(
      *coordinator_, *control_,
      "this server continues to serve its tablets, but no other server takes "
      "over if it ends, and it cannot join again after a restart");

  access_watcher_ = std::make_unique<coordination::AccessWatcher>(*coordinator_, *control_, access_);
  audit_ = std::move(options.audit);
  dispatcher_.SetAudit(audit_.get());
  access_.SetAudit(audit_.get());

  options.server.identity = directory_->identity();
  options.server.identity.machine_crashed |= store_->lost_unsynced();
  options.server.join_cluster = [this](const std::string& cluster_id) { return directory_->JoinCluster(cluster_id); };
  options.server.note_clock = [this] { return store_->NoteClock(); };
  options.server.raise_life_mark = [this] { return directory_->RaiseLifeMark(); };
  options.server.cpu_seconds = [] { return process::ReadUsage().cpu_seconds; };
  options.server.build_version = process::BuildVersion();
  access_.SetFeatures(options.server.features);
  options.server.store_format = StoreDirectory::format();
  options.server.checkpoint.first_part = 0.1 + 0.009 * static_cast<double>(control_->Random() % 100);
  server_ = std::make_unique<TabletServer>(
      TabletServerPorts{Pointers<Executor>(loops_), Pointers<Executor>(shards_), Pointers<Executor>(readers_),
                        *background_, *control_, **store_, *coordinator_, *connector_, std::move(shard_connectors),
                        delivery_.get(), housekeeping_.get(), snapshots_.get(), scrubber_.get(),
                        Pointers<TurnEnd>(shards_), clock_.get()},
      std::move(options.server));
  EBLA_TRY(server_->Recover());
  StartAll(shards_);
  std::vector<rpc::EventLoop*> watched = loops();
  std::ranges::copy(Pointers<rpc::EventLoop>(shards_), std::back_inserter(watched));
  stall_watch_ = std::make_unique<rpc::StallWatch>(watched);
  dispatcher_.Register(server_->tablet_service());
  dispatcher_.Register(server_->control_service());
  dispatcher_.Register(server_->replication_service());
  options.more_services(dispatcher_);
  dispatcher_.RefuseChanges(options.no_changes);
  rpc_ = std::make_unique<rpc::RpcServer>(options.rpc, dispatcher_, Pointers<rpc::EventLoop>(loops_));
  EBLA_TRY(rpc_->Start());
  EBLA_ASSIGN(advertised_, process::AdvertisedAddress(options.advertise, rpc_->address()));
  return Status::Ok();
}

Status ServerProcess::OpenHttp(const ServerProcessOptions& options) {
  metrics_ = std::make_shared<TabletServerMetrics>(*server_, *rpc_, *loop_threads_, *stall_watch_, *coordinator_watch_,
                                                   options.metrics_of_each_tablet);
  http::HttpOptions http;
  http.title = "Ebla tablet server " + directory_->identity().name;
  http.listen = options.http_listen;
  http.tls = options.rpc.tls;
  http.metrics = metrics_;
  http.ready = [this] { return server_->Ready(); };
  http.degraded = [this] { return coordinator_watch_->Describe(); };
  http.settable_flags = options.settable_flags;
  http.audit = audit_.get();
  options.adjust_http(http);
  http_ = std::make_unique<http::HttpServer>(std::move(http));
  return http_->Start();
}

std::vector<std::string> ServerProcess::Unsalvaged() const {
  std::vector<std::string> lines;
  const SalvagedReplicas* const salvaged = store_->salvaged();
  if (salvaged == nullptr) return lines;
  if (!salvaged->older_records().empty()) lines.push_back(salvaged->older_records());
  for (const LogLoss& hole : salvaged->holes()) lines.push_back(DescribeHole(hole));
  for (const UnsalvagedPart& part : salvaged->lost()) {
    const Result<std::string> table = NameOfTable(part.schema);
    lines.push_back("tablet " + std::to_string(part.tablet.value) +
                    (table ? " of table " + *table + " " + part.range.ToString() : "") + ": " + part.what);
  }
  for (const TableId table : (*store_)->damage().tables) {
    const auto schema = salvaged->schemas().find(table);
    const Result<std::string> name = NameOfTable(schema == salvaged->schemas().end() ? "" : schema->second);
    lines.push_back("table " + (name ? *name : std::to_string(table.value)) +
                    ": one of its files is missing or damaged");
  }
  return lines;
}

std::vector<rpc::EventLoop*> ServerProcess::loops() const { return Pointers<rpc::EventLoop>(loops_); }

Status ServerProcess::Stop(Duration patience) {
  if (std::exchange(stopped_, true)) return {};
  if (store_ != nullptr) store_->Hurry();
  if (rpc_ != nullptr) rpc_->Stop(patience);
  if (server_ != nullptr && http_ != nullptr && patience > Duration(0)) {
    // Shared with the callback, which may come after we have given up on it.
    auto drained = std::make_shared<std::promise<void>>();
    server_->Stop([drained] { drained->set_value(); });
    if (drained->get_future().wait_for(kDrainPatience) != std::future_status::ready) {
      LOG(WARNING) << "some requests did not finish in time; the store is closed all the same, and nothing is lost";
    }
  }
  if (http_ != nullptr) http_->Stop();
  StopLoops();
  http_.reset();
  rpc_.reset();
  server_.reset();
  access_watcher_.reset();
  coordinator_watch_.reset();
  coordinator_.reset();
  connector_.reset();
  shard_connectors_.clear();
  const Status store = store_ == nullptr ? Status() : store_->Close();  // on the loops that still run
  store_.reset();
  in_memory_.reset();
  if (patience > Duration(0) && directory_ != nullptr && store.ok()) {
    if (const Status noted = directory_->NoteCleanStop(); !noted.ok()) LOG(WARNING) << noted;
  }
  for (const auto* loop : {&watcher_, &inventory_, &run_writer_, &run_merger_}) {
    if (*loop != nullptr) (*loop)->Stop();
  }
  if (checkpoints_ != nullptr) checkpoints_->Stop();
  if (flusher_ != nullptr) flusher_->Stop();
  directory_.reset();
  return store;
}

void ServerProcess::StopLoops() {
  stall_watch_.reset();
  if (loop_threads_ != nullptr) loop_threads_->Stop();
  for (auto* loops : {&shards_, &readers_}) {
    for (auto& loop : *loops) loop->Stop();
  }
  if (background_ != nullptr) background_->Stop();
  if (delivery_ != nullptr) delivery_->Stop();
  if (housekeeping_ != nullptr) housekeeping_->Stop();
  if (snapshots_ != nullptr) snapshots_->Stop();
  if (server_ != nullptr) server_->StopScrub();
  if (scrubber_ != nullptr) scrubber_->Stop();
  if (control_ != nullptr) control_->Stop();
}

ServerProcess::~ServerProcess() { std::ignore = Stop(Duration(0)); }

}  // namespace ebla::tabletserver
