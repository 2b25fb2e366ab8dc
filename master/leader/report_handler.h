// master/leader/report_handler.h
// The leader's reaction to events: a server's report, a server's appearance or absence, changes of tablets. Each event
// wakes the procedures that wait for it and starts those that it requires.
// Place:   leader_term.h feeds it; it wakes reconciler, replication manager, config resender and runner.
// Threads: thread-compatible; the master's executor.
#pragma once

#include <string>
#include <vector>

#include "master/leader/table_admin.h"
#include "master/leader/term_parts.h"
#include "master/procedures/config_resender.h"

namespace ebla::master {

class ReportHandler {
 public:
  ReportHandler(const TermParts& parts, TableAdmin& tables)
      : parts_(parts), tables_(tables), config_resender_(parts.context, parts.reconciler) {}

  // Everything is taken up: from now on reports have effects.
  void Begin() { begun_ = true; }

  // Looks at the server's present report, if it has one.
  void Consider(const ServerName& server);
  // Every server's again: `forgotten` were given up, and what they reported counts no longer.
  void ConsiderAll(const std::vector<ServerName>& forgotten);
  void OnServerChange(const ServerName& server);
  void OnTabletsChanged(const std::vector<TabletId>& tablets);

  // The most tablets of one server with ids above the next one to be drawn.
  size_t unknown_ids() const { return unknown_ids_; }

 private:
  void WakePrimaries(const ServerName& server, const Report& report);
  void DropOrphansOf(const ServerName& server, const Report& report);
  void WakeProcedures(const idl::TabletLoad& load);

  const TermParts parts_;
  TableAdmin& tables_;
  ConfigResender config_resender_;
  bool begun_ = false;
  size_t unknown_ids_ = 0;
};

}  // namespace ebla::master
