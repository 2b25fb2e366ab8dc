// master/host/replies.h
// Replies from a leader term's image and reports: locations, summaries, lists. Reads only.
// Threads: the master's executor.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/coordination/election.h"
#include "idl/master_types.h"
#include "master/leader/leader_term.h"

namespace ebla::master {

inline constexpr int kLocateLimitDefault = 100;
inline constexpr int kLocateLimitMax = 1'000;
inline constexpr int kListTabletsLimitDefault = 1'000;
inline constexpr size_t kUnderWayMax = 1'000;  // listed

// Sets a header from a status.
void SetHeader(idl::MasterReplyHeader& header, const Status& status);

idl::LocateReply Locate(const LeaderTerm& leader_term, const idl::LocateRequest& request, MonotonicTime now,
                        Duration tablet_time_age_max);
idl::TableSummary Summarize(const LeaderTerm& leader_term, const TableEntry& table);
idl::ListTablesReply ListTables(const LeaderTerm& leader_term);
idl::DescribeTableReply DescribeTable(const LeaderTerm& leader_term, const idl::DescribeTableRequest& request);
// `silent_since`: a server without a report since then is silent.
idl::ListServersReply ListServers(const LeaderTerm& leader_term, MonotonicTime now, MonotonicTime silent_since);
// The tablet that holds the key. NO_SUCH_TABLE; UNAVAILABLE: it is still being made.
Result<TabletId> FindTablet(const LeaderTerm& leader_term, const std::string& table, const std::string& key);
// The present or last address of every known server that joined, left or moved since that version (0: all).
std::map<std::string, idl::ServerAddress> Addresses(const LeaderTerm& leader_term, uint64_t since);
idl::ListTabletsReply ListTablets(const LeaderTerm& leader_term, const idl::ListTabletsRequest& request);

// The planner's actions and refusals, as of its latest pass.
idl::BalanceReply DescribeBalance(const LeaderTerm& leader_term, MonotonicTime now);

idl::ClusterVersionReply ListVersions(const LeaderTerm& leader_term,
                                      const std::vector<coordination::Candidate>& masters, const std::string& leader,
                                      MonotonicTime silent_since);

// Without what passwords are checked by. `image`: null, no table is named.
idl::ListAccessReply DescribeAccess(Result<idl::AccessNode> access, const Image* image, bool secrets);

idl::RecoverTabletReply ToReply(const RecoverySurvey& survey);

}  // namespace ebla::master
