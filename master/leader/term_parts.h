// master/leader/term_parts.h
// The parts of a leader term that its admin classes use, and that outlive them.
// Threads: the master's executor.
#pragma once

#include "common/base/features.h"
#include "master/balancer/balance_driver.h"
#include "master/cluster/options.h"
#include "master/leader/request_queue.h"
#include "master/procedures/context.h"
#include "master/procedures/procedure.h"
#include "master/procedures/replication_manager.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

struct TermParts {
  const Context& context;
  coordination::Coordinator& coordinator;
  const coordination::Leading& leading;
  StaleCatalogCheck& stale_catalog;
  TabletReconciler& reconciler;
  ReplicationManager& replication_manager;
  ProcedureRunner& runner;
  BalanceDriver& balance_driver;
  RequestQueue& requests;

  Features& features() const { return *context.options.features; }
  const Image& image() const { return context.image(); }
  const Servers& servers() const { return context.servers; }
  MonotonicTime Now() const { return context.executor.Now(); }
};

}  // namespace ebla::master
