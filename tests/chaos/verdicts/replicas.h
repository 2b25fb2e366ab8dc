// tests/chaos/verdicts/replicas.h
// What each replica of a key has, asked of its own server: an EVENTUAL read is answered by whoever is asked, out of
// what it has itself. The SDK chooses whom it asks, so this goes by Thrift's stock client.
// Threads: functions of their arguments; they wait for the answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::chaos {

struct ReplicaRecord {
  ServerName server;
  std::optional<Record> record;  // none: it has no live record of the key
};

// One for each replica, voters and learners. UNAVAILABLE where one cannot be asked, or does not answer.
Result<std::vector<ReplicaRecord>> ReadEveryReplica(const Client& client, const std::string& table,
                                                    const std::string& key);

}  // namespace ebla::chaos
