// tools/cluster/cluster_state.h
// The launcher's memory of a cluster between two of its runs, in JSON, format 1.
// Errors:  INVALID_ARGUMENT with the file and its fault.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tools/cluster/child_process.h"

namespace ebla::cluster {

enum class Role { kZooKeeper, kMaster, kTabletServer };
std::string_view RoleName(Role role);

struct Member {
  std::string name;  // zookeeper, m-1, ts-1
  Role role = Role::kTabletServer;
  uint16_t port = 0;
  uint16_t http_port = 0;  // 0 for ZooKeeper
  ProcessId process;       // the last one started; none before the first start
};

struct ClusterState {
  int base_port = 0;
  std::vector<std::string> master_flags;
  std::vector<std::string> server_flags;
  std::vector<Member> members;  // ZooKeeper, masters, tablet servers
  int last_server = 0;          // ts-<this> was the last one made; no name is used twice

  static Result<ClusterState> Load(const std::string& file);  // empty when there is no file
  Status Save(const std::string& file) const;                 // whole or not at all
  int Count(Role role) const;
};

}  // namespace ebla::cluster
