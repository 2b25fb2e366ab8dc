// tests/chaos/damage/trees.h
// The ZooKeeper of all cases: a case of three replicas has a copy of its shape's nodes below a path of its own, which
// takes milliseconds where a process takes half a second.
// Threads: any. Each call blocks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/coordination/zookeeper_coordinator.h"
#include "common/testing/thread_executor.h"
#include "common/testing/zookeeper_process.h"

namespace ebla::chaos {

struct TreeNode {
  std::string path;  // below the root
  std::string data;
};
// The nodes of a cluster that is stopped, parents first.
using Tree = std::vector<TreeNode>;

class Trees {
 public:
  // The process dies with this thread.
  static Result<std::unique_ptr<Trees>> Start();

  // For --zookeeper. `root`: "/case-17".
  std::string AddressOf(const std::string& root) const { return process_.address() + root; }
  // Without nodes that end with a session.
  Result<Tree> Read(const std::string& root);
  Status Write(const std::string& root, const Tree& tree);
  // Tries a few times, because a session's end changes the nodes. A node that stays costs memory only.
  void Remove(const std::string& root);

 private:
  Trees() = default;
  struct Found;
  // All nodes, the root first, parents before their children.
  Result<std::vector<Found>> List(const std::string& root);
  Status Multi(std::vector<coordination::Op> ops);

  testing::ZooKeeperProcess process_;
  testing::ThreadExecutor executor_;
  std::unique_ptr<coordination::ZooKeeperCoordinator> coordinator_;
};

}  // namespace ebla::chaos
