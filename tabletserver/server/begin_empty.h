// tabletserver/server/begin_empty.h
// The flag --begin_empty: a directory that no start can use is set aside, and another server begins in its place.
// Place:   mains, before ServerProcess::Start.
// Errors:  INVALID_ARGUMENT: nothing is lost there, a part is another server's, or the new server needs another name.
//          UNAVAILABLE: the directory is in use, or a start fails for want of room, of permission and the like.
//          INTERNAL: the disk refused. After an error nothing was moved, or a repetition moves the rest.
// Threads: the main thread alone.
#pragma once

#include <functional>
#include <string>

#include "common/base/status.h"
#include "tabletserver/server/server_process.h"

namespace ebla::tabletserver {

struct BeginEmptyOptions {
  // A cluster knows the lost server by its name, and takes no other under it.
  bool needs_new_name = true;
  // Whether further parts of the directory open, such as a coordinator. Null: there are none.
  std::function<Status()> others_open = nullptr;
};

// Opens the directory as a start does. If that fails for a loss, moves all parts to <data_dir>/lost-<n>, and returns
// that path. Nothing is deleted. The lock in `options` is held again afterwards.
Result<std::string> BeginEmpty(ServerProcessOptions& options, const BeginEmptyOptions& how = {});

}  // namespace ebla::tabletserver
