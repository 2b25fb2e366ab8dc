// tools/ebla/reports/health.h
// Judges a cluster from the reports of its leading master: is all of it served, and with the requested redundancy? A
// procedure under way, such as a transfer, is only a note. Pure.
// Place:   verbs_health.cc asks the master and shows the findings.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

// The contract with scripts: the number is the exit code. 2 is wrong usage, as of every verb.
enum class Grade : uint8_t {
  kHealthy = 0,
  kDegraded = 1,  // everything is served, with less redundancy than asked for, or nothing is repaired
  kFailing = 3,   // something is not served, or no master answers
};
std::string_view Name(Grade grade);

struct Finding {
  Grade grade = Grade::kDegraded;
  std::string what;
  std::string action;  // what to do about it
};

// How many of a table's tablets lack something. A tablet counts once, under the worst.
struct TableHealth {
  std::string table;
  int wanted = 0;  // replicas of each tablet
  int tablets = 0;
  int without_majority = 0;         // of their voters no majority lives
  int without_primary = 0;          // none has a primary at present
  int not_ready = 0;                // their primary has not applied its Barrier: it serves no strong read
  int changing = 0;                 // not served for a moment: a transfer, or the making of the table, is under way
  int under_replicated = 0;         // fewer voters than wanted live and have everything
  TabletId lost;                    // one without majority
  std::vector<std::string> failed;  // "ts-2 (tablet 7)": replicas that have failed, though their servers live
};

struct Health {
  Grade grade = Grade::kHealthy;
  std::vector<Finding> findings;   // the worst first
  std::vector<std::string> notes;  // nothing is wrong with these: what is switched off, or under way
  std::vector<TableHealth> tables;
  int live_servers = 0;
  int known_servers = 0;
  int tablets = 0;
  int copies = 0;  // replicas that are being made
  bool coordinator_away = false;
};

// The leading master's answers to all questions, asked one after the other.
struct ClusterState {
  ClusterInfo info;
  std::vector<ServerSummary> servers;
  std::vector<TableInfo> tables;
  std::vector<TabletSummary> tablets;  // with replicas
  std::vector<ProcedureInfo> procedures;
  bool planner_on = true;
};

// Tablets without a primary, or whose primary serves no STRONG read yet, although a majority of the voters lives.
// Leaves out tablets for which a recent procedure explains it.
std::set<TabletId> Unserved(const ClusterState& state);
// Tablets that were made, or got another primary, within the last second: the primary still counts as incomplete a
// voter that reports to be complete, because the voter's log is not proven in the new epoch.
std::set<TabletId> JustBegun(const ClusterState& state);
// `passing`: of the unserved ones those that were served a few seconds ago.
Health Judge(const ClusterState& state, const std::set<TabletId>& passing = {});
// Nothing is known of the cluster, for this reason.
Health Unknown(const Status& why);
// Masters answer, and none of them leads.
Health NoLeader(const ClusterInfo& info);

}  // namespace ebla::shell
