#include "master/leader/cluster_level.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/coordination/election.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/catalog/loader.h"

namespace ebla::master {

using coordination::Op;
namespace layout = coordination::layout;

namespace {
constexpr Duration kLookEvery = std::chrono::seconds(1);
}

ClusterLevel::ClusterLevel(const TermParts& parts, idl::ClusterNode node, int version)
    : parts_(parts), node_(std::move(node)), version_(version) {
  parts_.features().Learn(level());
}

int ClusterLevel::LevelOf(const Server& server) {
  if (const Report* report = server.CurrentReport()) return LevelOr1(report->body.featureLevel);
  return server.node ? LevelOr1(server.node->featureLevel) : kFeatureLevelFirst;
}

int ClusterLevel::LeastOfServers() const {
  int least = parts_.features().own();
  for (const auto& [name, server] : parts_.servers().all()) {
    if (!server.node && !server.last_live) continue;  // reported, and never registered
    least = std::min(least, LevelOf(server));
  }
  return least;
}

void ClusterLevel::Consider() {
  if (parts_.features().own() <= level() || parts_.Now() - looked_ < kLookEvery) return;
  looked_ = parts_.Now();
  const int said = held() ? level() : LeastOfServers();
  if (said != said_) {
    said_ = said;
    said_since_ = parts_.Now();
  }
  if (said <= level() || busy_ || parts_.Now() - said_since_ < parts_.context.options.raise_level_after) return;
  busy_ = true;
  // The masters are asked for last, as they say it in their nodes alone.
  coordination::ListCandidates(parts_.coordinator,
                               if_alive_([this](Result<std::vector<coordination::Candidate>> masters) {
                                 busy_ = false;
                                 if (!masters) return;  // the next report is another try
                                 int least = held() ? level() : LeastOfServers();
                                 for (const coordination::Candidate& master : *masters)
                                   least = std::min(least, LevelOr1(master.feature_level));
                                 if (least > level()) return Raise(least);
                                 said_since_ = parts_.Now();
                               }));
}

void ClusterLevel::Raise(int level) {
  idl::ClusterNode raised = node_;
  raised.__set_featureLevel(level);
  busy_ = true;
  Write(std::move(raised), [this, level](const Status& status) {
    busy_ = false;
    if (status.ok()) {
      LOG(INFO) << "every process of the cluster speaks feature level " << level << ": the cluster is at it";
    } else {
      LOG(WARNING) << "the cluster's feature level is not raised to " << level << ", trying again: " << status;
    }
  });
}

void ClusterLevel::Hold(bool hold, coordination::Callback<Status> done) {
  idl::ClusterNode node = node_;
  node.levelHeld = hold;
  Write(std::move(node), [hold, done = parts_.requests.Track(std::move(done))](const Status& status) {
    if (status.ok())
      LOG(INFO) << "the cluster's feature level " << (hold ? "stays" : "rises by itself") << ", as an operator asked";
    done(status);
  });
}

// Reads the node again after any outcome, because it may be unknown.
void ClusterLevel::Write(idl::ClusterNode node, std::function<void(Status)> done) {
  parts_.coordinator.Multi(
      {Op::Check(layout::kTerm, parts_.leading.term_version), Op::Set(layout::kCluster, EncodeCluster(node), version_)},
      if_alive_([this, done = std::move(done)](auto outcome) mutable {
        Status failure = outcome ? Status::Ok() : std::move(outcome.error().status);
        Read([failure = std::move(failure), done = std::move(done)](const Status& read) {
          done(failure.ok() ? read : failure);
        });
      }));
}

void ClusterLevel::Read(std::function<void(Status)> done) {
  parts_.coordinator.Get(layout::kCluster,
                         if_alive_([this, done = std::move(done)](const Result<coordination::Node>& node) {
                           if (!node) return done(node.error());
                           auto decoded = coordination::DecodeNode<idl::ClusterNode>(node->data, layout::kCluster);
                           if (!decoded) return done(decoded.error());
                           node_ = std::move(*decoded);
                           version_ = node->version;
                           parts_.features().Learn(level());
                           done({});
                         }),
                         nullptr);
}

}  // namespace ebla::master
