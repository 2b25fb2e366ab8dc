// master/cluster/report_check.h
// Checks a tablet server's report before the master acts on any of it: every number must be possible for an honest
// server (common/base/number_limits.h). Sums over servers and tablets cannot overflow after that.
// Place:   leader/leader_term.h, before servers.h takes the report.
// Errors:  INVALID_ARGUMENT, naming the number; nothing of the report counts then.
// Threads: a function.
#pragma once

#include "common/base/status.h"
#include "idl/master_types.h"

namespace ebla::master {

// `latest`: the latest time that is believed, in ms.
Status CheckReport(const idl::HeartbeatRequest& report, int64_t latest);

}  // namespace ebla::master
