// tests/integration/attack_requests.h
// Requests of an attacker who has read the IDL. They name the cluster's own table, tablets and servers; counters have
// the greatest number, and times are far in the future. Fields are found by their names, so that a new method of the
// IDL is attacked, too.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "idl/methods.h"

namespace ebla::testing {

struct AttackTarget {
  std::string cluster_id;
  std::string table;
  int64_t table_id = 0;
  std::vector<int64_t> tablets;
  std::string key;          // of a record that is there
  std::string server;       // whom it is sent to
  int64_t incarnation = 0;  // of that one
  std::string posed_as;     // another server, which the attacker claims to be
  std::string user;         // a user that the attacker would make an operator
};

inline constexpr int64_t kGreatestNumber = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kFarTime = int64_t{1} << 61;

// Sets `part`'s field of that name, if it has one of a type that takes the value.
#define EBLA_AIM(field, value) \
  if constexpr (requires { part.__set_##field(value); }) part.__set_##field(value)

// A tablet's part of a request.
template <class Part>
void AimAtTablet(Part& part, const AttackTarget& target, int64_t tablet) {
  EBLA_AIM(tabletId, tablet);
  EBLA_AIM(epoch, kGreatestNumber);
  EBLA_AIM(promisedEpoch, kGreatestNumber);
  EBLA_AIM(committedLsn, kGreatestNumber);
  EBLA_AIM(retainLsn, kGreatestNumber);
  EBLA_AIM(tabletTimeMs, kFarTime);
  EBLA_AIM(timeOfDayMs, kFarTime);
  EBLA_AIM(primary, target.posed_as);
  EBLA_AIM(target, target.posed_as);
  EBLA_AIM(voters, std::vector<std::string>{target.posed_as});
  EBLA_AIM(fenced, true);
  EBLA_AIM(leading, true);
  EBLA_AIM(patienceMs, int64_t{1000});
  EBLA_AIM(key, target.key);
  EBLA_AIM(childId, kGreatestNumber);
  EBLA_AIM(intoId, target.tablets.front());
  if constexpr (requires { part.schema.tableId; }) {
    part.schema.tableId = target.table_id;
    part.schema.name = target.table;
  }
}

template <class Part>
void AimHeader(Part& part, const AttackTarget& target) {
  EBLA_AIM(clusterId, target.cluster_id);
  EBLA_AIM(tableId, target.table_id);
  EBLA_AIM(tabletId, target.tablets.front());
  EBLA_AIM(masterTerm, kGreatestNumber);
  EBLA_AIM(toServer, target.server);
  EBLA_AIM(toIncarnation, target.incarnation);
  EBLA_AIM(fromServer, target.posed_as);
  EBLA_AIM(fromIncarnation, kGreatestNumber);
  EBLA_AIM(deadlineMs, 2000);
}

template <class Part>
void AimLists(Part& part, const AttackTarget& target) {
  for (const int64_t tablet : target.tablets) {
    if constexpr (requires { part.tablets.emplace_back(); }) AimAtTablet(part.tablets.emplace_back(), target, tablet);
    if constexpr (requires { part.appends.emplace_back(); }) AimAtTablet(part.appends.emplace_back(), target, tablet);
  }
  if constexpr (requires { part.keys.emplace_back(); }) part.keys.push_back(target.key);
  if constexpr (requires { part.writes.emplace_back(); }) {
    part.writes.emplace_back().key = target.key;
    part.writes.back().__set_value("stolen");
  }
  if constexpr (requires { part.changes.emplace_back().permission; }) {
    part.changes.emplace_back().kind = idl::AccessChangeKind::GRANT;
    part.changes.back().name = target.user;
    part.changes.back().permission = idl::Permission::OPERATOR;
  }
  if constexpr (requires { part.schema.tableId; }) {
    part.schema.tableId = target.table_id;
    part.schema.name = target.table;
    part.schema.schemaVersion = kGreatestNumber;
  }
}

template <class Request>
Request MakeAttack(const AttackTarget& target) {
  Request part;
  if constexpr (requires { part.header; }) AimHeader(part.header, target);
  constexpr bool of_server =
      std::is_same_v<Request, idl::RemoveServerRequest> || std::is_same_v<Request, idl::SetServerRequest>;
  EBLA_AIM(name, of_server ? target.posed_as : target.table);
  EBLA_AIM(table, target.table);
  EBLA_AIM(tableId, target.table_id);
  EBLA_AIM(tabletId, target.tablets.front());
  EBLA_AIM(clusterId, target.cluster_id);
  EBLA_AIM(server, target.posed_as);
  EBLA_AIM(incarnation, kGreatestNumber);
  EBLA_AIM(seenTerm, kGreatestNumber);
  EBLA_AIM(key, target.key);
  EBLA_AIM(fromServer, target.posed_as);
  EBLA_AIM(toServer, target.server);
  EBLA_AIM(epoch, kGreatestNumber);
  EBLA_AIM(copyId, kGreatestNumber);
  EBLA_AIM(arrivedUpto, kGreatestNumber);
  EBLA_AIM(clientId, int64_t{1});
  EBLA_AIM(sequence, int64_t{1});
  EBLA_AIM(firstIncomplete, int64_t{1});
  EBLA_AIM(confirm, true);
  EBLA_AIM(acceptDataLoss, true);
  EBLA_AIM(draining, true);
  EBLA_AIM(hold, true);
  EBLA_AIM(secrets, true);
  EBLA_AIM(start, true);
  EBLA_AIM(deadlineMs, 2000);
  AimLists(part, target);
  return part;
}
#undef EBLA_AIM

}  // namespace ebla::testing
