#include "master/balancer/planner_switch.h"

#include <glog/logging.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/master_types.h"

namespace ebla::master {

namespace layout = coordination::layout;

namespace {
constexpr Duration kRetryDelay = std::chrono::milliseconds(200);
}

void PlannerSwitch::Start() {
  Read(if_alive_([this](const Status& status) {
    if (status.ok()) return;
    LOG(WARNING) << "cannot read whether the planner is on, trying again: " << status;
    executor_.After(kRetryDelay, if_alive_([this] { Start(); }));
  }));
}

void PlannerSwitch::Read(coordination::Callback<Status> done) {
  coordinator_.Get(layout::kPlanner, if_alive_([this, done = std::move(done)](Result<coordination::Node> node) mutable {
                     if (!node && node.error().code() != Code::kNotFound) return done(std::move(node.error()));
                     if (!node) {
                       on_ = true;
                       version_.reset();
                       return done({});
                     }
                     auto decoded = coordination::DecodeNode<idl::PlannerNode>(node->data, layout::kPlanner);
                     if (!decoded) return done(std::move(decoded.error()));
                     on_ = decoded->enabled;
                     version_ = node->version;
                     done({});
                   }),
                   nullptr);
}

void PlannerSwitch::Set(bool on, coordination::Callback<Status> done) {
  using coordination::Op;
  if (!on_) return done(Error(Code::kUnavailable, "this master has not read yet whether the planner is on: try again"));
  idl::PlannerNode node;
  node.enabled = on;
  std::string data = coordination::EncodeNode(node);
  std::vector<Op> ops = {
      Op::Check(layout::kTerm, term_.term_version),
      version_ ? Op::Set(layout::kPlanner, std::move(data), *version_) : Op::Create(layout::kPlanner, std::move(data))};
  // Reads the node again after any outcome, because it may be unknown.
  coordinator_.Multi(std::move(ops), if_alive_([this, on, done = std::move(done)](auto outcome) mutable {
                       Status failure = outcome ? Status::Ok() : std::move(outcome.error().status);
                       Read([on, failure = std::move(failure), done = std::move(done)](Status read) mutable {
                         if (!failure.ok()) return done(std::move(failure));
                         if (read.ok())
                           LOG(INFO) << "the planner is " << (on ? "on" : "off") << ", as an operator asked";
                         done(std::move(read));
                       });
                     }));
}

}  // namespace ebla::master
