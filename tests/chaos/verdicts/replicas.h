// tests/chaos/verdicts/replicas.h
// Each replica's record of a key, read from its own server, because any replica answers an EVENTUAL read from its own
// records. The SDK chooses the replica by itself, so this uses Thrift's stock client.
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

// A record for each replica, voters and learners. UNAVAILABLE if one cannot be reached, or does not answer.
Result<std::vector<ReplicaRecord>> ReadEveryReplica(const Client& client, const std::string& table,
                                                    const std::string& key);

}  // namespace ebla::chaos
