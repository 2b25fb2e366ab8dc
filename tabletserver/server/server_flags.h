// tabletserver/server/server_flags.h
// A tablet server's flags and what they set. ebla-tabletserver and ebla-standalone have the same ones.
// Place:   main files; each program that links it has the flags.
// Threads: functions for the main thread; flags that POST /flags changes are read anew each time.
#pragma once

#include <string>

#include "common/base/status.h"
#include "tabletserver/server/server_process.h"

namespace ebla::tabletserver {

// For process::InitProcess.
const std::string* DataDirFlag();
// Everything that flags say. The caller adds the coordinator, the audit log, and what is done when the cluster
// refuses the server. Makes and changes nothing, so that InitProcess may ask it for faults.
Result<ServerProcessOptions> OptionsFromFlags();

}  // namespace ebla::tabletserver
