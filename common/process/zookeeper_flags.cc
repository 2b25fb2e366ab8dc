#include "common/process/zookeeper_flags.h"

#include <gflags/gflags.h>

#include <string>

#include "common/coordination/zookeeper_address.h"
#include "common/process/bounded_flag.h"

DEFINE_string(zookeeper, "127.0.0.1:2181/ebla",
              "Address of the cluster's ZooKeeper: host:port[,host:port...][/chroot].");
DEFINE_BOUNDED(int32, zookeeper_session_ms, 6'000, 100, 3'600'000, "ms",
               "How long this process may be silent before ZooKeeper declares it lost. A longer time tolerates longer "
               "pauses, but delays the failover of a dead process.");
DEFINE_string(zookeeper_auth_file, "",
              "File with the cluster's secret for ZooKeeper: one line user:password, the same for all its processes. "
              "With it, ZooKeeper admits only these processes to the cluster's nodes. Empty: every machine that "
              "reaches ZooKeeper can change them.");

namespace ebla::process {

Result<coordination::ZooKeeperOptions> ZooKeeperFromFlags() {
  coordination::ZooKeeperOptions options;
  options.servers = FLAGS_zookeeper;
  options.session_timeout = std::chrono::milliseconds(FLAGS_zookeeper_session_ms);
  std::string hosts, root;
  EBLA_TRY(coordination::SplitZooKeeperServers(FLAGS_zookeeper, &hosts, &root));
  if (!FLAGS_zookeeper_auth_file.empty()) {
    EBLA_ASSIGN(options.auth, coordination::LoadZooKeeperAuth(FLAGS_zookeeper_auth_file));
  }
  return options;
}

}  // namespace ebla::process
