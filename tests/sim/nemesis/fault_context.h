// tests/sim/nemesis/fault_context.h
// The state that all families of faults share: virtual time and chance, the servers that suffer a fault, and whether
// everything has been healed.
// Invariants: 1. A server suffers one fault at a time, because each fault occupies its server and releases it
//                afterwards.
//             2. Tasks that After() or Await() delays do not run once everything has been healed.
// Threads:    one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/testing/sim_executor.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/nemesis/hooks.h"

namespace ebla::sim {

class FaultContext {
 public:
  FaultContext(Cluster& cluster, NemesisHooks hooks);

  Cluster& cluster() { return cluster_; }
  testing::SimScheduler& scheduler() { return scheduler_; }
  testing::SimExecutor& executor() { return executor_; }  // for tasks that run even after everything is healed
  const NemesisHooks& hooks() const { return hooks_; }

  bool healed() const { return healed_; }
  void SetHealed() { healed_ = true; }

  // Runs `undo` after `delay`, unless everything has been healed by then.
  void After(Duration delay, std::function<void()> undo);
  // Runs `then` as soon as `holds` is true. Tests `holds` every few milliseconds, and gives up after `looks` retries.
  void Await(std::function<bool()> holds, Task then, int looks);
  // Draws a duration.
  Duration Within(Duration least, Duration most);
  // The nemesis injects no other fault for so long, because a fault would defeat the long scenario that is under way.
  void Undisturbed(Duration lasting);
  bool undisturbed() const { return scheduler_.Now() < undisturbed_until_; }

  // Does the server suffer no fault yet?
  bool Free(int server) const { return !busy_[static_cast<size_t>(server)]; }
  void Occupy(int server) { busy_[static_cast<size_t>(server)] = true; }
  void Release(int server) { busy_[static_cast<size_t>(server)] = false; }
  // Servers that run and suffer no fault.
  std::vector<int> FreeServers();
  bool AllFree() { return FreeServers().size() == busy_.size(); }

  const CatalogWatch::Tablet* InCatalog(TabletId tablet) const;  // null: it is gone
  std::shared_ptr<const tabletserver::TabletView> ViewAt(int server, TabletId tablet);
  // The server of a tablet's primary, drawn among tablets. -1: there is no tablet, or the drawn one has no primary.
  int AnyPrimary();

 private:
  Cluster& cluster_;
  testing::SimScheduler& scheduler_;
  testing::SimExecutor executor_;
  const NemesisHooks hooks_;
  MonotonicTime undisturbed_until_;
  bool healed_ = false;
  std::vector<bool> busy_;  // by server
};

// The tools that every family of faults uses.
// Place: the base of every family; no code holds a family by this base.
class FaultFamily {
 protected:
  explicit FaultFamily(FaultContext& context)
      : context_(context), cluster_(context.cluster()), scheduler_(context.scheduler()), hooks_(context.hooks()) {}

  bool healed() const { return context_.healed(); }
  void After(Duration delay, std::function<void()> undo) { context_.After(delay, std::move(undo)); }
  void Await(std::function<bool()> holds, Task then, int looks) {
    context_.Await(std::move(holds), std::move(then), looks);
  }
  Duration Within(Duration least, Duration most) { return context_.Within(least, most); }
  void Undisturbed(Duration lasting) { context_.Undisturbed(lasting); }
  bool Free(int server) const { return context_.Free(server); }
  void Occupy(int server) { context_.Occupy(server); }
  void Release(int server) { context_.Release(server); }
  const CatalogWatch::Tablet* InCatalog(TabletId tablet) const { return context_.InCatalog(tablet); }
  std::shared_ptr<const tabletserver::TabletView> ViewAt(int server, TabletId tablet) {
    return context_.ViewAt(server, tablet);
  }

  FaultContext& context_;
  Cluster& cluster_;
  testing::SimScheduler& scheduler_;
  const NemesisHooks& hooks_;
};

}  // namespace ebla::sim
