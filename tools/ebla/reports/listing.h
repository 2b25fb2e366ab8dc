// tools/ebla/reports/listing.h
// The rows of `tablet list` and `server list`. An unreported figure is "-", never a 0 that a reader would take for a
// fact. Pure.
// Place:   verbs_tablet.cc and verbs_server.cc ask the master and print them; watch.h shows the same states.
// Threads: functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tools/ebla/format/output.h"

namespace ebla::shell {

inline constexpr const char* kNone = "(none)";

// Help's explanation of the columns that are estimates.
inline constexpr const char* kEstimates =
    "RECORDS and SIZE are refreshed every ten seconds. A table is counted where a server has up to\n"
    "32 MiB of it. More is estimated from what is on disk, where the latest minute may be missing.\n"
    "\"-\" means not known, or nothing counted yet.\n"
    "READS/S and WRITES/S are averages with a time constant of five seconds. Two seconds of load show\n"
    "as a third of its rate, fifteen seconds as nearly all of it. Load that has ended fades as slowly.";

// For how long the server has been silent. None: it reports, it is lost, or a new leader has no report of it yet. A
// server reports each second, so silence shows within 1.5 s of a kill; the master takes some seconds more to call the
// server silent, and to see its session end.
std::optional<std::chrono::milliseconds> SilentFor(const ServerSummary& server);
// It lives and reports.
bool Reports(const ServerSummary& server);
// "live", or all that is out of the ordinary: "lost", "silent(1.6s)", "disk-full", "store-failed", "draining" or
// "drained", "maintenance", as "draining,maintenance".
std::string StateOf(const ServerSummary& server);
// "3 of 4 servers live, 1 silent".
std::string LiveServers(const std::vector<ServerSummary>& servers);
// A replica that its tablet's primary fills, or is to fill.
struct Copy {
  const TabletSummary* tablet;
  ServerName target;
  bool answers;                                     // the target does, so the copy is being made
  std::optional<std::chrono::milliseconds> silent;  // the target's server, as far as is known
};
std::vector<Copy> CopiesOf(const std::vector<TabletSummary>& tablets, const std::vector<ServerSummary>& servers);
// "serving", "creating", "dropping", "no-primary", "unreported" (not yet, by a live primary), "lost" (no majority
// of its voters is live).
std::string StateOf(const TabletSummary& tablet, const std::vector<ServerSummary>& servers);
bool HasMajority(const TabletSummary& tablet, const std::vector<ServerSummary>& servers);

// "ts-1/r1,ts-2/r2(lost),ts-3(silent)": with the rack where one is known, and what does not live or report.
std::string Joined(const std::vector<ServerName>& names, const std::vector<ServerSummary>& servers);

// Servers count every ten seconds, and estimate large tablets: "~2000". Nothing counted is "-", because the count may
// not have been taken yet.
std::string Records(int64_t records);
std::string Bytes(int64_t bytes);
// "1.6s"; whole seconds from ten on.
std::string SilenceText(std::chrono::milliseconds silence);
// "12ms ago", "1m5s ago": whole seconds from one on.
std::string AgeText(std::chrono::milliseconds age);
std::string Lasting(std::chrono::milliseconds age);
// Of two clocks: "365 days ahead of", "12s behind".
std::string Apart(std::chrono::milliseconds ahead);

Json TabletJson(const TabletSummary& tablet);
std::vector<std::vector<std::string>> TabletRows(const std::vector<TabletSummary>& tablets,
                                                 const std::vector<ServerSummary>& servers);
std::vector<std::vector<std::string>> ServerRows(const std::vector<ServerSummary>& servers);

}  // namespace ebla::shell
