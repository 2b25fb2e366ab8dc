// tabletserver/storage/wiredtiger/format_conversion.h
// Takes a store of format 1 or 2, whose logs and states were tables that WiredTiger logged, to format 3: reads them
// with WiredTiger's log, and writes them to a log of the server's own. Once, at the first start.
// Crash:   the log is made anew until it is whole and on the disk; only then does FORMAT name the new format. The files
//          of the former format are removed after that, at this start or a later one.
// Threads: before anything else uses the directory.
#pragma once

#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"

namespace ebla::tabletserver {

std::string LogDirectory(const std::string& store);
SharedLogOptions LogOptions(const WtStoreOptions& options);

// Errors: INTERNAL, with what was read or written when the disk failed or bytes made no sense; all is as it was then.
Status ConvertStore(const WtStoreOptions& options, StoreDirectory& directory);
// Removes the files that a former format has left in an open store.
Status RemoveFormerFiles(WtConnection& connection, const std::string& store);

}  // namespace ebla::tabletserver
