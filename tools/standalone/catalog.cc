#include "tools/standalone/catalog.h"

#include <glog/logging.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "common/base/features.h"
#include "common/base/sync_directory.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/MasterService.h"
#include "master/catalog/loader.h"
#include "tabletserver/server/identity.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"
#include "tabletserver/storage/wiredtiger/wt_table_files.h"

namespace ebla::standalone {
namespace {

namespace fs = std::filesystem;
namespace layout = coordination::layout;
using coordination::EmbeddedCoordination;
using coordination::Op;

std::string MarkFile(const std::string& data_dir) { return data_dir + "/CATALOG"; }

// Empty: the directory has joined none.
Result<std::string> ClusterOf(const std::string& data_dir) {
  std::error_code unknown;
  if (!fs::exists(data_dir + "/IDENTITY", unknown)) return std::string();
  EBLA_ASSIGN(const tabletserver::Identity identity, tabletserver::ReadIdentity(data_dir));
  return identity.cluster_id;
}

bool BeginsWhole(const std::string& path) { return tabletserver::CheckTableFile(path) != tabletserver::kDamagedBlock; }

// A database without the cluster of this directory is none that this directory had.
Status CheckCluster(const EmbeddedCoordination& coordination, const std::string& cluster_id,
                    const std::string& directory) {
  const Result<coordination::Node> node = coordination.Get(layout::kCluster);
  if (!node)
    return Error(Code::kInternal, "the coordinator's database in " + directory + " has no " + layout::kCluster);
  EBLA_ASSIGN(const auto cluster, coordination::DecodeNode<idl::ClusterNode>(node->data, layout::kCluster));
  if (cluster.clusterId == cluster_id) return {};
  return Error(Code::kInternal, "the coordinator's database in " + directory + " is of cluster " + cluster.clusterId +
                                    ", and this data directory is of cluster " + cluster_id);
}

Result<std::unique_ptr<EmbeddedCoordination>> Open(const std::string& data_dir, const std::string& cluster_id) {
  const std::string directory = CoordinatorDirectory(data_dir);
  EBLA_ASSIGN(auto coordination, EmbeddedCoordination::Open(directory, {.files_entry = tabletserver::kFilesEntry,
                                                                        .begins_whole = BeginsWhole,
                                                                        .mark_file = MarkFile(data_dir),
                                                                        .made_before = !cluster_id.empty()}));
  if (!cluster_id.empty()) EBLA_TRY(CheckCluster(*coordination, cluster_id, directory));
  return coordination;
}

Status Move(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return Error(Code::kInternal, "cannot move " + from + " to " + to + ": " + error.message());
  return SyncDirectory(fs::path(to).parent_path());
}

// Empty: there is nothing to set aside.
Result<std::string> SetAside(const std::string& data_dir) {
  const std::string directory = CoordinatorDirectory(data_dir);
  std::error_code unknown;
  std::string aside;
  if (fs::exists(directory, unknown)) {
    for (int n = 1; aside.empty() || fs::exists(aside, unknown); ++n) aside = directory + ".lost-" + std::to_string(n);
    EBLA_TRY(Move(directory, aside));
  }
  // It counts the former's changes. Without the former, and without a count, a start is refused all the same.
  fs::remove(MarkFile(data_dir), unknown);
  EBLA_TRY(SyncDirectory(data_dir));
  return aside;
}

Status MakeNew(const CatalogOptions& options, const std::string& cluster_id, const std::string& set_aside) {
  const std::string directory = CoordinatorDirectory(options.data_dir), fresh = directory + ".new";
  std::error_code unknown;
  fs::remove_all(fresh, unknown);
  idl::ClusterNode cluster;
  cluster.clusterId = cluster_id;
  cluster.createdMs =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  if (options.feature_level > kFeatureLevelFirst) cluster.__set_featureLevel(options.feature_level);
  idl::NextIdNode next_id;
  next_id.nextId = 1;
  {
    EBLA_ASSIGN(const auto made, EmbeddedCoordination::Open(fresh));
    EBLA_TRY(made->Multi({Op::Create(layout::kCluster, master::EncodeCluster(cluster)),
                          Op::Create(layout::kNextId, coordination::EncodeNode(next_id)),
                          Op::Create(layout::kRebuilding, set_aside)}));
  }
  return Move(fresh, directory);
}

// Asks the master until it has adopted all that the tablet server reports. Lives as long as its callbacks.
class Adopter : public std::enable_shared_from_this<Adopter> {
 public:
  Adopter(const master::Master& master, Executor& loop, Duration patience, bool with_gaps)
      : master_(master), loop_(loop), until_(loop.Now() + patience), with_gaps_(with_gaps) {}

  std::future<Status> Run() {
    loop_.Post([self = shared_from_this()] { self->Ask(/*confirm=*/false); });
    return done_.get_future();
  }

 private:
  static constexpr Duration kPause = std::chrono::milliseconds(20);

  void Ask(bool confirm) {
    if (master_.Stats().live_servers == 0) return Again("the tablet server has not reported what it holds");
    idl::AdoptRequest request;
    request.confirm = confirm;
    if (with_gaps_) request.without = {"servers that are not here"};
    master_.service()->adopt(
        [self = shared_from_this(), confirm](const idl::AdoptReply& reply) {
          self->loop_.Post([self, confirm, reply] { self->OnReply(confirm, reply); });
        },
        request);
  }

  void OnReply(bool confirmed, const idl::AdoptReply& reply) {
    if (reply.header.code != idl::Code::OK) return Again(reply.header.message);
    if (!reply.problems.empty()) return Again(reply.problems.front());
    if (confirmed || reply.reason.empty()) return done_.set_value({});
    for (const std::string& note : reply.notes) LOG(WARNING) << "rebuilding the catalog: " << note;
    Ask(/*confirm=*/true);
  }

  void Again(const std::string& why) {
    if (loop_.Now() >= until_) return done_.set_value(Error(Code::kUnavailable, why));
    loop_.After(kPause, [self = shared_from_this()] { self->Ask(/*confirm=*/false); });
  }

  const master::Master& master_;
  Executor& loop_;
  const MonotonicTime until_;
  const bool with_gaps_;
  std::promise<Status> done_;
};

}  // namespace

std::string CoordinatorDirectory(const std::string& data_dir) { return data_dir + "/coordinator"; }

Result<Catalog> OpenCatalog(const CatalogOptions& options) {
  const std::string& data_dir = options.data_dir;
  const Result<std::string> cluster = ClusterOf(data_dir);
  if (!cluster) return Error(cluster.error().code(), cluster.error().message() + ". " + options.loss_advice);
  const std::string& cluster_id = *cluster;
  if (options.rebuild && cluster_id.empty()) {
    return Error(Code::kInvalidArgument,
                 data_dir + " had no catalog yet, and nothing was changed: start without --rebuild_catalog");
  }
  Catalog catalog;
  auto opened = Open(data_dir, cluster_id);
  if (!opened) {
    if (opened.error().code() != Code::kInternal || cluster_id.empty()) return std::unexpected(opened.error());
    if (!options.rebuild) {
      return Error(Code::kInternal,
                   opened.error().message() +
                       ". Tables and records are in the store: start once with --rebuild_catalog, which makes a new "
                       "catalog for them. Users, grants, limits and switches are lost with the old one");
    }
    LOG(WARNING) << "rebuilding the catalog: " << opened.error();
    EBLA_ASSIGN(const std::string set_aside, SetAside(data_dir));
    EBLA_TRY(MakeNew(options, cluster_id, set_aside));
    opened = Open(data_dir, cluster_id);
    if (!opened) return std::unexpected(opened.error());
  } else if (options.rebuild && !(*opened)->Get(layout::kRebuilding)) {
    return Error(Code::kInvalidArgument, "the catalog in " + CoordinatorDirectory(data_dir) +
                                             " is whole, and nothing was changed: start without --rebuild_catalog");
  }
  catalog.coordination = *std::move(opened);
  if (const auto rebuilding = catalog.coordination->Get(layout::kRebuilding)) {
    catalog.rebuilding = true;
    catalog.set_aside = rebuilding->data;
  }
  return catalog;
}

Status AdoptReports(const master::Master& master, Executor& loop, Duration patience, bool with_gaps) {
  return std::make_shared<Adopter>(master, loop, patience, with_gaps)->Run().get();
}

Status EndRebuild(coordination::EmbeddedCoordination& coordination) {
  return coordination.Multi({Op::Delete(layout::kRebuilding, coordination::kAnyVersion)});
}

}  // namespace ebla::standalone
