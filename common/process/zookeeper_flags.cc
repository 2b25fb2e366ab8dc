#include "common/process/zookeeper_flags.h"

#include <gflags/gflags.h>

DEFINE_string(zookeeper_auth_file, "",
              "File with the cluster's secret for ZooKeeper, one line user:password, the same for all its processes. "
              "With it, the cluster's nodes admit nobody else. Empty: whoever reaches ZooKeeper can change them.");

namespace ebla::process {

Result<coordination::ZooKeeperAuth> ZooKeeperSecret() {
  if (FLAGS_zookeeper_auth_file.empty()) return coordination::ZooKeeperAuth();
  return coordination::LoadZooKeeperAuth(FLAGS_zookeeper_auth_file);
}

}  // namespace ebla::process
