#include "common/coordination/access_watcher.h"

#include <glog/logging.h>

#include <memory>
#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/access_types.h"

namespace ebla::coordination {
namespace {

constexpr Duration kAgain = std::chrono::milliseconds(200);

}  // namespace

AccessWatcher::AccessWatcher(Coordinator& coordinator, Executor& executor, security::AccessControl& access)
    : coordinator_(coordinator), executor_(executor), access_(access) {
  listener_ = coordinator_.Listen(if_alive_([this](SessionState state) {
    if (state == SessionState::kConnected) Read();
  }));
}

AccessWatcher::~AccessWatcher() {
  coordinator_.Forget(listener_);
  executor_.Cancel(timer_);
}

// Exists() leaves a watch whether the node is there or not: it is asked first, so that no change falls between.
void AccessWatcher::Read() {
  const uint64_t reading = ++reading_;
  coordinator_.Exists(layout::kAccess, if_alive_([this, reading](const Result<bool>& there) {
                        if (reading != reading_) return;
                        if (!there.has_value()) return ReadSoon();
                        if (!*there) return access_.Publish(std::make_shared<security::AccessList>());
                        coordinator_.Get(layout::kAccess, if_alive_([this, reading](const Result<Node>& node) {
                                           OnRead(reading, node);
                                         }));
                      }),
                      if_alive_([this, reading] {
                        if (reading == reading_) Read();
                      }));
}

void AccessWatcher::OnRead(uint64_t reading, const Result<Node>& node) {
  if (reading != reading_) return;
  if (!node.has_value()) return ReadSoon();
  const auto access = DecodeNode<idl::AccessNode>(node->data, layout::kAccess);
  if (!access.has_value()) {
    LOG(ERROR) << "who may do what stays as it was: " << access.error();
    return;
  }
  LOG(INFO) << "who may do what is read: " << access->users.size() << " users, " << access->roles.size() << " roles";
  access_.Publish(std::make_shared<security::AccessList>(*access));
}

void AccessWatcher::ReadSoon() {
  executor_.Cancel(timer_);
  timer_ = executor_.After(kAgain, if_alive_([this] {
                             if (coordinator_.state() == SessionState::kConnected) Read();
                           }));
}

}  // namespace ebla::coordination
