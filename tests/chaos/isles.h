// tests/chaos/isles.h
// A network of its own for a cluster on one machine: each process stands on an isle, a network namespace with one
// address, and a router namespace joins them all. The way from one isle to another can be cut, in each direction by
// itself: packets vanish silently, as they do where a cable is pulled; nothing is refused or reset.
//
//       isle "ts-1"        isle "ts-2"
//        10.77.1.2          10.77.2.2          ip rule from 10.77.1.2 to 10.77.2.2 blackhole
//           |                  |
//           '------ router ----'               whoever made the Isles stands here, and reaches everybody always
//
// Life:    the namespaces have no names: when the last process and the last descriptor in them are gone, so are they,
//          with everything in them. A test that crashes leaves nothing behind, and none sees another's.
// Needs:   root (own_namespaces.h), and `ip` and `nsenter` (iproute2, util-linux).
// Threads: the thread that makes it moves into the router's namespace until the end, and with it every thread and
//          process that it starts meanwhile; it alone calls.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/cluster/launcher.h"

namespace ebla::chaos {

class Isles {
 public:
  // UNAVAILABLE where this process may not make namespaces.
  static Result<std::unique_ptr<Isles>> Make(const std::vector<std::string>& names);
  ~Isles();

  // Where to start a process that is to stand on the isle of its name.
  cluster::Standing StandingOf(const std::string& name) const;
  // Moves the calling thread onto an isle, and what it starts from now on; "" moves it back to the router.
  Status Enter(const std::string& name) const;

  // Packets from each of the first to each of the second vanish.
  Status Cut(const std::vector<std::string>& from, const std::vector<std::string>& to);
  Status CutBoth(const std::vector<std::string>& some, const std::vector<std::string>& others);
  Status HealAll();

 private:
  struct Isle {
    int number = 0;
    int ns = -1;
  };
  Isles() = default;
  std::string Address(const std::string& name) const;
  Status Connect(const Isle& isle) const;

  int outside_ = -1;  // the namespace that the thread came from
  int router_ = -1;
  std::map<std::string, Isle> isles_;
  std::set<std::pair<std::string, std::string>> cuts_;  // addresses
};

}  // namespace ebla::chaos
