// tools/ebla/reports/check.h
// Compares what the catalog says with what servers report, and what replicas hold with each other. Pure: the verb asks,
// and asks again where something may only have been on its way.
// Place:   verbs_check.cc.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

struct CheckFault {
  std::string table;  // empty: of no table
  TabletId tablet;    // none: of no tablet
  ServerName server;  // empty: of no server
  std::string what;
  friend bool operator==(const CheckFault&, const CheckFault&) = default;
};

// Findings of one server that differ only in the tablet and in numbers.
struct CheckGroup {
  CheckFault first;
  std::vector<TabletId> tablets;  // of all of them, in order
  std::vector<std::string> tables;
};
// In the order of the groups' first findings. A finding of no server gets its own group.
std::vector<CheckGroup> Grouped(const std::vector<CheckFault>& faults);
// As one line: all of a fault that is alone, else how many there are and the first tablets.
std::string ToLine(const CheckGroup& group);

struct CatalogView {
  std::vector<TableInfo> tables;       // those that are checked
  std::vector<TabletSummary> tablets;  // theirs, with replicas; by table, then range
  std::vector<ServerSummary> servers;
};

// Each of them may be on its way: a change of membership, a failover, an alter, a drop.
std::vector<CheckFault> CheckCatalog(const CatalogView& view);

// One replica's answer for one page.
struct ReplicaPage {
  ServerName server;
  Result<ChecksumPage> page;
};

enum class Comparison : uint8_t {
  kEqual,
  kMoving,  // they have not applied the same, or the tablet changes: ask again
  kUnread,  // one that should have it cannot be read, and asking again does not help
  kDifferent,
};
struct PageVerdict {
  Comparison comparison = Comparison::kEqual;
  std::string why;    // for the other replicas
  ServerName server;  // kDifferent: one that is not as the first one; kUnread: that one
};
// Compares two replicas if they have applied the same entries, even if other replicas differ. A single replica is equal
// to itself. kMoving is a state that passes soon: a server that is busy or missing, or a replica that is being moved.
PageVerdict Compare(const std::vector<ReplicaPage>& pages);

}  // namespace ebla::shell
