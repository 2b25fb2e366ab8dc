// tests/sim/nemesis/hooks.h
// What the nemesis asks of everybody outside the cluster: clients, an operator, and what the run knows of them.
// Place:   run.cc and nemesis_actions.h fill it; fault families call it.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/sim/cluster/catalog_watch.h"

namespace ebla::sim {

struct NemesisHooks {
  // Names of the processes that faults of links concern: clients that live at the moment.
  std::function<std::vector<std::string>()> clients;
  std::function<void()> kill_client;             // some client dies and another takes its place
  std::function<const CatalogWatch&()> catalog;  // whom to target
  TableId table;                                 // the clients'
  std::function<void(int replicas)> resize;      // of that
  // Orders of an operator: of tablets of that table.
  std::function<void(TabletId tablet, const ServerName& to)> transfer;
  std::function<void(TabletId tablet, const ServerName& from, const ServerName& to)> move;
  std::function<void(TabletId tablet)> split;
  std::function<bool(TabletId tablet)> splittable;
  std::function<bool(TabletId tablet)> merge;  // with the one before it; false: there is none
  // A table of one tablet beside the clients', which is split at a key once it is `made`.
  std::function<void(const std::string& name, std::function<void(TableId)> made)> make;
  std::function<void(const std::string& name, const std::string& key)> split_at;
  // The same key of the tablet is read at this server, by a thread that is slow.
  std::function<void(int server, TabletId tablet)> peek;
  // A client asks this server, whoever leads, for the same key of the tablet each time. `done`: it was acknowledged.
  std::function<void(int server, TabletId tablet, bool large, std::function<void()> done)> write;
  std::function<void(int server, TabletId tablet, const Read& read)> read;
  // A client does, at both sides of where the tablet would be split, what has to be remembered; `done` gets what asks
  // it again.
  std::function<void(TabletId tablet, std::function<void(std::function<void()> again)> done)> ask;
  // By its old route a session writes there until it is beyond `lsn`, and then reads beyond the border.
  std::function<void(TabletId tablet, Lsn lsn)> wander;
};

}  // namespace ebla::sim
