// tabletserver/server/server_flags.h
// A tablet server's flags and what they set. ebla-tabletserver and ebla-standalone have the same ones.
// Place:   main files; each program that links it has the flags.
// Threads: functions for the main thread; slow_operation_ms alone may change later.
#pragma once

#include <string>

#include "common/base/status.h"
#include "tabletserver/server/server_process.h"

namespace ebla::tabletserver {

// For process::InitProcess.
const std::string* DataDirFlag();
// Everything that flags say; who coordinates, and what is done when the cluster refuses the server, is left to the
// caller.
Result<ServerProcessOptions> OptionsFromFlags();

}  // namespace ebla::tabletserver
