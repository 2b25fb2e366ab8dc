// tests/sim/nemesis/fault_context.h
// What all fault families share: virtual time and chance, who suffers already, and whether everything has been healed.
// Invariants: 1. A server suffers one fault at a time: who harms one occupies it, and releases it afterwards.
//             2. Whatever After() or Await() delays does not happen any more once everything has been healed.
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
  testing::SimExecutor& executor() { return executor_; }  // for what goes on although everything is healed
  const NemesisHooks& hooks() const { return hooks_; }

  bool healed() const { return healed_; }
  void SetHealed() { healed_ = true; }

  // What is to be undone after a while, unless everything has been healed by then.
  void After(Duration delay, std::function<void()> undo);
  // `then` as soon as `holds`, or never: it is looked at so many times, every few milliseconds.
  void Await(std::function<bool()> holds, Task then, int looks);
  // Draws a time.
  Duration Within(Duration least, Duration most);
  // Nothing else is broken for so long: a scenario of many steps is under way that would come to nothing.
  void Undisturbed(Duration lasting);
  bool undisturbed() const { return scheduler_.Now() < undisturbed_until_; }

  // Whether a server suffers nothing yet.
  bool Free(int server) const { return !busy_[static_cast<size_t>(server)]; }
  void Occupy(int server) { busy_[static_cast<size_t>(server)] = true; }
  void Release(int server) { busy_[static_cast<size_t>(server)] = false; }
  // Servers that live and suffer nothing.
  std::vector<int> FreeServers();
  bool AllFree() { return FreeServers().size() == busy_.size(); }

  const CatalogWatch::Tablet* InCatalog(TabletId tablet) const;  // null: it is gone
  std::shared_ptr<const tabletserver::TabletView> ViewAt(int server, TabletId tablet);
  // The server that leads some tablet, drawn among tablets; -1: nobody leads one.
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

// What a family of faults works with.
// Place: the base of every family; nobody holds one by it.
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
