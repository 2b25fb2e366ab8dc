#include "common/coordination/zookeeper_guard.h"

#include <algorithm>
#include <utility>

namespace ebla::coordination {

ZooKeeperGuard::ZooKeeperGuard(Ports ports, const ACL_vector& list, Callback<Result<size_t>> done)
    : ports_(std::move(ports)), list_(list), done_(std::move(done)) {}

void ZooKeeperGuard::Start(const std::string& top) {
  Give(top, [this, top](const auto&) {
    Read(top, [this, top](const std::vector<std::string>& wanted) {
      wanted_ = wanted;
      given_ = 0;
      Expand(top);
    });
  });
}

void ZooKeeperGuard::OnVoid(int rc, const void* data) {
  Finish(rc, std::unique_ptr<Call>(static_cast<Call*>(const_cast<void*>(data))));
}

void ZooKeeperGuard::OnList(int rc, ACL_vector* list, Stat*, const void* data) {
  std::unique_ptr<Call> call(static_cast<Call*>(const_cast<void*>(data)));
  for (int i = 0; rc == ZOK && list != nullptr && i < list->count; ++i) {
    const ACL& entry = list->data[i];
    call->strings.push_back(std::to_string(entry.perms) + " " + entry.id.scheme + ":" + entry.id.id);
  }
  std::ranges::sort(call->strings);
  Finish(rc, std::move(call));
}

void ZooKeeperGuard::OnChildren(int rc, const String_vector* children, const void* data) {
  std::unique_ptr<Call> call(static_cast<Call*>(const_cast<void*>(data)));
  if (rc == ZOK && children != nullptr) call->strings.assign(children->data, children->data + children->count);
  Finish(rc, std::move(call));
}

void ZooKeeperGuard::Finish(int rc, std::unique_ptr<Call> call) {
  const auto post = call->guard->ports_.post;
  post([rc, call = std::move(call)] { call->then(rc); });
}

void ZooKeeperGuard::Send(const std::string& path, const std::function<int(zhandle_t*, Call*)>& send, Then then) {
  auto call = std::make_unique<Call>();
  ++in_flight_;
  call->guard = shared_from_this();
  call->then = [this, path, then = std::move(then), own = call.get()](int rc) {
    --in_flight_;
    if (ended_) return;
    if (rc == ZNOAUTH) return End(Error(Code::kPermissionDenied, path + ": " + zerror(rc)));
    if (rc != ZOK && rc != ZNONODE) return End(Error(Code::kUnavailable, path + ": " + zerror(rc)));
    if (rc == ZOK) then(own->strings);
    Pump();
  };
  zhandle_t* handle = ports_.handle();
  const int rc = handle == nullptr ? static_cast<int>(ZINVALIDSTATE) : send(handle, call.get());
  if (rc == ZOK) return static_cast<void>(call.release());
  Finish(rc, std::move(call));
}

void ZooKeeperGuard::Give(const std::string& path, Then then) {
  const auto given = [this, then = std::move(then)](const std::vector<std::string>& nothing) {
    ++given_;
    then(nothing);
  };
  Send(
      path,
      [&](zhandle_t* handle, Call* call) {
        return zoo_aset_acl(handle, path.c_str(), kAnyVersion, const_cast<ACL_vector*>(&list_), &OnVoid, call);
      },
      given);
}

void ZooKeeperGuard::Read(const std::string& path, Then then) {
  Send(
      path, [&](zhandle_t* handle, Call* call) { return zoo_aget_acl(handle, path.c_str(), &OnList, call); },
      std::move(then));
}

void ZooKeeperGuard::Visit(const std::string& path) {
  Read(path, [this, path](const std::vector<std::string>& list) {
    if (list == wanted_) return Expand(path);
    Give(path, [this, path](const auto&) { Expand(path); });
  });
}

void ZooKeeperGuard::Expand(const std::string& path) {
  Send(
      path,
      [&](zhandle_t* handle, Call* call) { return zoo_aget_children(handle, path.c_str(), 0, &OnChildren, call); },
      [this, path](const std::vector<std::string>& names) {
        for (const std::string& name : names) {
          if (path == "/" && name == "zookeeper") continue;  // ZooKeeper's own
          waiting_.push_back((path == "/" ? "" : path) + "/" + name);
        }
      });
}

void ZooKeeperGuard::Pump() {
  while (!ended_ && in_flight_ < kInFlightMax && !waiting_.empty()) {
    const std::string path = std::move(waiting_.front());
    waiting_.pop_front();
    Visit(path);
  }
  if (in_flight_ == 0 && waiting_.empty()) End(given_);
}

void ZooKeeperGuard::End(Result<size_t> result) {
  if (std::exchange(ended_, true)) return;
  waiting_.clear();
  done_(std::move(result));
}

}  // namespace ebla::coordination
