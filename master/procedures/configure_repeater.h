// master/procedures/configure_repeater.h
// Sends servers configurations ahead of the catalog, and repeats each until its server has obeyed or refused it for
// good. It needs no coordinator, so that a tablet does not wait while a change of the catalog does.
// Place:      merge_tablets.h uses it for a merged tablet, and for two that go on.
// Invariants: 1. One call to a server at a time.
//             2. After Stop() nothing is sent. A call that is under way may still be obeyed.
// Tests:      master/host/master_merge_outage_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "master/procedures/context.h"

namespace ebla::master {

class ConfigureRepeater {
 public:
  explicit ConfigureRepeater(const Context& context) : context_(context) {}
  ~ConfigureRepeater() { Stop(); }
  ConfigureRepeater(const ConfigureRepeater&) = delete;

  // To each of its voters; `order` is the primary's.
  void Add(const idl::ConfigureTablet& order);
  void Send();
  void Stop();
  bool Obeyed(TabletId tablet, const ServerName& server) const;

 private:
  enum class State { kDue, kObeyed, kRefused };
  struct Item {
    idl::ConfigureTablet order;
    State state = State::kDue;
  };
  void OnAnswer(const ServerName& server, const Result<std::map<TabletId, idl::ConfigureResult>>& results);

  const Context context_;
  std::map<ServerName, std::map<TabletId, Item>> items_;
  std::set<ServerName> busy_;
  TimerId timer_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
