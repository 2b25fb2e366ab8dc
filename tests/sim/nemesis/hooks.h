// tests/sim/nemesis/hooks.h
// The nemesis's access to all that lies outside the cluster: clients, an operator, and the run's knowledge.
// Place:   run.cc and nemesis_actions.h fill the hooks; families of faults call them.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/sim/cluster/catalog_watch.h"

namespace ebla::sim {

struct NemesisHooks {
  // Names of the clients that run at the moment. Faults of links concern them, too.
  std::function<std::vector<std::string>()> clients;
  std::function<void()> kill_client;                 // kills a client and starts another in its place
  std::function<const CatalogWatch&()> catalog;      // to choose targets
  std::function<const CatalogWatch&()> catalog_now;  // the same, read anew
  TableId table;                                     // the clients' table
  std::function<void(int replicas)> resize;          // changes that table's number of replicas
  // An operator's orders for tablets of that table.
  std::function<void(TabletId tablet, const ServerName& to)> transfer;
  std::function<void(TabletId tablet, const ServerName& from, const ServerName& to)> move;
  std::function<void(TabletId tablet)> split;
  std::function<bool(TabletId tablet)> splittable;
  std::function<bool(TabletId tablet)> merge;  // with the tablet before it; false: there is none
  // Makes a table of one tablet beside the clients' table. Once it is `made`, split_at splits it at a key.
  std::function<void(const std::string& name, std::function<void(TableId)> made)> make;
  std::function<void(const std::string& name, const std::string& key)> split_at;
  // Reads the tablet's key at this server, by a slow thread. The key is the same each time, as in `write` and `read`.
  std::function<void(int server, TabletId tablet)> peek;
  // A client writes or reads the key at this server, even if another has the primary. `done` runs when the write is
  // acknowledged.
  std::function<void(int server, TabletId tablet, bool large, std::function<void()> done)> write;
  std::function<void(int server, TabletId tablet, const Read& read)> read;
  // A client writes on both sides of the border at which the tablet would be split, and the dedup window must remember
  // the writes. `done` gets a function that repeats them.
  std::function<void(TabletId tablet, std::function<void(std::function<void()> again)> done)> ask;
  // A session writes in the tablet by its old route until an answer is beyond `lsn`, and then reads beyond the border.
  std::function<void(TabletId tablet, Lsn lsn)> wander;
};

}  // namespace ebla::sim
