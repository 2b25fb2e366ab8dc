#include "tests/chaos/damage/trees.h"

#include <algorithm>
#include <functional>
#include <future>
#include <memory>

namespace ebla::chaos {

using coordination::Node;
using coordination::Op;

namespace {

constexpr int kRemovals = 3;

// The answer to a call of the coordinator.
template <class T>
std::future<T> Ask(const std::function<void(std::function<void(T)>)>& call) {
  const auto promise = std::make_shared<std::promise<T>>();
  call([promise](T answer) { promise->set_value(std::move(answer)); });
  return promise->get_future();
}

}  // namespace

struct Trees::Found {
  std::string path;
  Node node;
};

Result<std::unique_ptr<Trees>> Trees::Start() {
  auto made = std::unique_ptr<Trees>(new Trees);
  EBLA_TRY(made->process_.Start());
  EBLA_ASSIGN(made->coordinator_,
              coordination::ZooKeeperCoordinator::Open({.servers = made->process_.address()}, made->executor_));
  return made;
}

Status Trees::Multi(std::vector<Op> ops) {
  using Answer = std::expected<coordination::MultiResult, coordination::MultiError>;
  const Answer done = Ask<Answer>([&](auto answer) { coordinator_->Multi(std::move(ops), std::move(answer)); }).get();
  return done ? Status() : done.error().status;
}

Result<std::vector<Trees::Found>> Trees::List(const std::string& root) {
  std::vector<Found> found = {{root, {}}};
  // A level at a time, whose calls are on their way together.
  for (size_t begin = 0; begin < found.size();) {
    std::vector<std::future<Result<Node>>> nodes;
    std::vector<std::future<Result<std::vector<std::string>>>> children;
    const size_t end = found.size();
    for (size_t at = begin; at < end; ++at) {
      nodes.push_back(
          Ask<Result<Node>>([&](auto answer) { coordinator_->Get(found[at].path, std::move(answer), nullptr); }));
      children.push_back(Ask<Result<std::vector<std::string>>>(
          [&](auto answer) { coordinator_->Children(found[at].path, std::move(answer), nullptr); }));
    }
    for (size_t at = begin; at < end; ++at) {
      EBLA_ASSIGN(found[at].node, nodes[at - begin].get());
      EBLA_ASSIGN(const std::vector<std::string> names, children[at - begin].get());
      for (const std::string& name : names) found.push_back({found[at].path + "/" + name, {}});
    }
    begin = end;
  }
  return found;
}

Result<Tree> Trees::Read(const std::string& root) {
  EBLA_ASSIGN(const std::vector<Found> found, List(root));
  Tree tree;
  for (const Found& each : found)
    if (!each.node.ephemeral) tree.push_back({each.path.substr(root.size()), each.node.data});
  return tree;
}

Status Trees::Write(const std::string& root, const Tree& tree) {
  std::vector<Op> ops;
  for (const TreeNode& node : tree) ops.push_back(Op::Create(root + node.path, node.data));
  return Multi(std::move(ops));
}

void Trees::Remove(const std::string& root) {
  for (int removal = 0; removal < kRemovals; ++removal) {
    const auto found = List(root);
    if (!found) continue;
    std::vector<Op> ops;
    for (const Found& each : *found) ops.push_back(Op::Delete(each.path, coordination::kAnyVersion));
    std::ranges::reverse(ops);
    if (Multi(std::move(ops)).ok()) return;
  }
}

}  // namespace ebla::chaos
