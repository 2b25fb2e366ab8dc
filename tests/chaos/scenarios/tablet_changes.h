// tests/chaos/scenarios/tablet_changes.h
// Splits, merges, moves and transfers of tablets, drawn at random: what an operator asks while others come to harm.
// Threads: thread-compatible; a change that was drawn may run on any thread.
#pragma once

#include <functional>
#include <random>
#include <string>

#include "ebla/ebla.h"

namespace ebla::chaos {

// The change may fail while the cluster is not whole, or a process dies, because only the clients' answers count.
struct TabletChange {
  std::string what;
  std::function<Status(const Client&)> run;
};

// A change of the tablet that has `key`, or of another of the table. `servers`: "ts-1" to so many.
TabletChange DrawTabletChange(const Client& client, std::mt19937_64& random, const std::string& table,
                              const std::string& key, int servers);

}  // namespace ebla::chaos
