#include "master/catalog/loader.h"

#include <set>

#include "common/base/features.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"

namespace ebla::master {
namespace {

using coordination::Coordinator;
using coordination::DecodeNode;
using coordination::EncodeNode;
using coordination::Node;
using coordination::Op;
namespace layout = coordination::layout;

constexpr size_t kReadsInFlightMax = 1'000;

std::string RandomClusterId(Executor& executor) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (int half = 0; half < 2; ++half) {
    uint64_t bits = executor.Random();
    for (int digit = 0; digit < 16; ++digit, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

// One load: kept alive by the callbacks in flight.
class Load : public std::enable_shared_from_this<Load> {
 public:
  using Done = coordination::Callback<Result<LoadedCatalog>>;

  Load(Coordinator& coordinator, Executor& executor, coordination::Leading term, int level, Done done)
      : coordinator_(coordinator), executor_(executor), term_(term), level_(level), done_(std::move(done)) {}

  void Start() { EnsureParents({layout::kTables, layout::kTablets, layout::kServers, layout::kLive}); }

 private:
  using Step = void (Load::*)();

  void EnsureParents(std::vector<std::string> paths) {
    if (paths.empty()) return EnsureShards();
    std::string path = std::move(paths.back());
    paths.pop_back();
    coordination::EnsurePath(coordinator_, std::move(path),
                             [self = shared_from_this(), paths = std::move(paths)](Status status) mutable {
                               if (!status.ok()) return self->Fail(std::move(status));
                               self->EnsureParents(std::move(paths));
                             });
  }

  void EnsureShards() {
    coordinator_.Children(layout::kTablets, [self = shared_from_this()](Result<std::vector<std::string>> names) {
      if (!names) return self->Fail(std::move(names.error()));
      const std::set<std::string> there(names->begin(), names->end());
      std::vector<Op> ops;
      for (int shard = 0; shard < layout::kTabletShards; ++shard) {
        const std::string path = layout::TabletShardPath(shard);
        if (!there.contains(path.substr(path.rfind('/') + 1))) ops.push_back(Op::Create(path, ""));
      }
      self->Make(std::move(ops), &Load::ReadCluster);
    });
  }

  void ReadCluster() {
    coordinator_.Get(layout::kCluster, [self = shared_from_this()](Result<Node> node) {
      if (!node && node.error().code() == Code::kNotFound) return self->MakeCluster();
      if (!node) return self->Fail(std::move(node.error()));
      auto cluster = DecodeNode<idl::ClusterNode>(node->data, layout::kCluster);
      if (!cluster) return self->Fail(std::move(cluster.error()));
      if (Status fits = CheckLevel(self->level_, LevelOr1(cluster->featureLevel)); !fits.ok()) return self->Fail(fits);
      self->loaded_.cluster = *std::move(cluster);
      self->loaded_.cluster_version = node->version;
      self->ListAll();
    });
  }

  void MakeCluster() {
    idl::ClusterNode cluster;
    cluster.clusterId = RandomClusterId(executor_);
    cluster.createdMs = executor_.TimeOfDayMs();
    if (level_ > kFeatureLevelFirst) cluster.__set_featureLevel(level_);
    idl::NextIdNode next_id;
    next_id.nextId = 1;
    Make({Op::Create(layout::kCluster, EncodeCluster(cluster)), Op::Create(layout::kNextId, EncodeNode(next_id))},
         &Load::ReadCluster);
  }

  // Makes nodes under the term, then continues. A node that is there after all is found by the repeat of the load.
  void Make(std::vector<Op> ops, Step next) {
    if (ops.empty()) return (this->*next)();
    ops.insert(ops.begin(), Op::Check(layout::kTerm, term_.term_version));
    coordinator_.Multi(std::move(ops), [self = shared_from_this(), next](auto outcome) {
      if (outcome) return (self.get()->*next)();
      if (outcome.error().failed_op == 0) return self->Fail(Error(Code::kNotPrimary, "the term is over"));
      self->Fail(std::move(outcome.error().status));
    });
  }

  void ListAll() {
    List(layout::kTables);
    List(layout::kServers);
    for (int shard = 0; shard < layout::kTabletShards; ++shard) List(layout::TabletShardPath(shard));
    paths_.push_back(layout::kNextId);
  }

  void List(std::string parent) {
    ++in_flight_;
    coordinator_.Children(parent, [self = shared_from_this(), parent](Result<std::vector<std::string>> names) {
      --self->in_flight_;
      if (!names) return self->Fail(std::move(names.error()));
      for (const std::string& name : *names) self->paths_.push_back(parent + "/" + name);
      if (self->in_flight_ == 0) self->ReadMore();
    });
  }

  void ReadMore() {
    while (!finished_ && in_flight_ < kReadsInFlightMax && next_path_ < paths_.size()) {
      const std::string& path = paths_[next_path_++];
      ++in_flight_;
      coordinator_.Get(path, [self = shared_from_this(), path](Result<Node> node) {
        --self->in_flight_;
        if (!node) return self->Fail(std::move(node.error()));
        if (Status status = self->Take(path, *node); !status.ok()) return self->Fail(std::move(status));
        self->ReadMore();
      });
    }
    if (in_flight_ == 0 && next_path_ == paths_.size()) Finish(std::move(loaded_));
  }

  Status Take(const std::string& path, const Node& node) {
    if (path == layout::kNextId) {
      EBLA_ASSIGN(auto next, DecodeNode<idl::NextIdNode>(node.data, path));
      loaded_.image.SetNextId(static_cast<uint64_t>(next.nextId), node.version);
    } else if (path.starts_with(std::string(layout::kTables) + "/")) {
      EBLA_ASSIGN(auto table, DecodeNode<idl::TableNode>(node.data, path));
      loaded_.image.PutTable(std::move(table), node.version);
    } else if (path.starts_with(std::string(layout::kServers) + "/")) {
      EBLA_ASSIGN(auto server, DecodeNode<idl::ServerNode>(node.data, path));
      loaded_.servers.push_back(std::move(server));
    } else {
      EBLA_ASSIGN(auto tablet, DecodeNode<idl::TabletNode>(node.data, path));
      loaded_.image.PutTablet(std::move(tablet), node.version);
    }
    return {};
  }

  void Fail(Status status) { Finish(std::unexpected(std::move(status))); }

  void Finish(Result<LoadedCatalog> result) {
    if (finished_) return;
    finished_ = true;  // later answers are ignored
    done_(std::move(result));
  }

  Coordinator& coordinator_;
  Executor& executor_;
  const coordination::Leading term_;
  const int level_;
  Done done_;
  LoadedCatalog loaded_;
  std::vector<std::string> paths_;
  size_t next_path_ = 0;
  size_t in_flight_ = 0;
  bool finished_ = false;
};

}  // namespace

std::string EncodeCluster(const idl::ClusterNode& cluster) {
  const bool levelled = LevelOr1(cluster.featureLevel) > kFeatureLevelFirst;
  return EncodeNode(cluster, levelled ? coordination::kLevelledFormat : coordination::kNodeFormat);
}

void LoadCatalog(coordination::Coordinator& coordinator, Executor& executor, coordination::Leading term, int level,
                 coordination::Callback<Result<LoadedCatalog>> done) {
  std::make_shared<Load>(coordinator, executor, term, level, std::move(done))->Start();
}

}  // namespace ebla::master
