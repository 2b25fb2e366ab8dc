// common/coordination/layout.h
// The coordinator's tree of nodes. The structs at the end of thrift/master.thrift define the nodes' contents;
// node_codec.h turns them into data.
//
//   /cluster                       ClusterNode       made once, by the first leading master; its feature level rises
//   /next_id                       NextIdNode        the next table or tablet id
//   /access                        AccessNode        users, roles and grants; absent: there are none
//   /planner                       PlannerNode       absent: the planner is on
//   /rebuilding                    text              ebla-standalone: the catalog was made anew, and may lack tables of
//                                                    the store; the path of the former one
//   /masters/term                  TermNode          raised by each new leader; every catalog change checks its version
//   /masters/election/<guid>-NNN   CandidateNode     ephemeral, sequential: one for each master that runs
//   /servers/<name>                ServerNode        every tablet server that ever joined
//   /live/<name>                   LiveNode          ephemeral: every tablet server that lives
//   /tables/<name>                 TableNode
//   /tablets/<xx>/<id>             TabletNode        xx = id modulo 256, two hex digits; id in 16 hex digits
//
// Makers:  election.h makes what is under /masters, registration.h what is under /servers and /live, the master's
//          catalog everything else.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::coordination::layout {

inline constexpr char kCluster[] = "/cluster";
inline constexpr char kNextId[] = "/next_id";
inline constexpr char kAccess[] = "/access";
inline constexpr char kPlanner[] = "/planner";
inline constexpr char kRebuilding[] = "/rebuilding";
inline constexpr char kTerm[] = "/masters/term";
inline constexpr char kElection[] = "/masters/election";
inline constexpr char kServers[] = "/servers";
inline constexpr char kLive[] = "/live";
inline constexpr char kTables[] = "/tables";
inline constexpr char kTablets[] = "/tablets";
inline constexpr int kTabletShards = 256;

std::string ServerPath(std::string_view name);
std::string LivePath(std::string_view name);
std::string TablePath(std::string_view name);
std::string TabletShardPath(int shard);  // 0 to 255: "/tablets/0a"
std::string TabletPath(TabletId tablet);

// INVALID_ARGUMENT unless `name` can name a table, a server or a master: 1 to 128 of A-Z a-z 0-9 _ - . and neither "."
// nor "..". The message begins with `what`, as "table name".
Status CheckName(std::string_view name, std::string_view what);

}  // namespace ebla::coordination::layout
