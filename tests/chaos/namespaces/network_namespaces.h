// tests/chaos/namespaces/network_namespaces.h
// A separate network for a cluster on one machine. Each process runs in a network namespace with one address, and a
// router namespace joins them all. The path from one namespace to another can be cut, in each direction separately.
// Packets then vanish silently, as with a pulled cable; nothing is refused or reset.
//
//     namespace "ts-1"   namespace "ts-2"
//        10.77.1.2          10.77.2.2          ip rule from 10.77.1.2 to 10.77.2.2 blackhole
//           |                  |
//           '------ router ----'               the creator runs here, and always reaches all of them
//
// Life:    the namespaces have no names. When the last process and the last descriptor in them are gone, so are they,
//          with everything in them. A test that crashes leaves nothing behind, and none sees another's.
// Needs:   root (user_namespace.h), and `ip` and `nsenter` (iproute2, util-linux).
// Threads: the thread that makes it moves into the router's namespace until the end, and with it every thread and
//          process that it starts meanwhile; it alone calls.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/chaos/namespaces/network_cut.h"
#include "tools/cluster/launcher.h"

namespace ebla::chaos {

class NetworkNamespaces {
 public:
  // UNAVAILABLE where this process may not make namespaces.
  static Result<std::unique_ptr<NetworkNamespaces>> Make(const std::vector<std::string>& names);
  ~NetworkNamespaces();

  // How to start a process that is to run in the namespace of its name.
  cluster::LaunchContext LaunchContextOf(const std::string& name) const;
  // Moves the calling thread into a namespace, and what it starts from now on; "" moves it back to the router.
  Status Enter(const std::string& name) const;

  // Packets from each of the first to each of the second vanish.
  Status Cut(const std::vector<std::string>& from, const std::vector<std::string>& to);
  Status CutBoth(const std::vector<std::string>& some, const std::vector<std::string>& others);
  Status Cut(const NetworkCut& cut);
  Status HealAll();

 private:
  struct Namespace {
    int number = 0;
    int ns = -1;
  };
  NetworkNamespaces() = default;
  std::string Address(const std::string& name) const;
  Status Connect(const Namespace& entry) const;

  int outside_ = -1;  // the thread's first namespace
  int router_ = -1;
  std::map<std::string, Namespace> namespaces_;
  std::set<std::pair<std::string, std::string>> cuts_;  // addresses
};

}  // namespace ebla::chaos
