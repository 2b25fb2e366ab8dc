// tabletserver/storage/log/open_retrying.h
// Opens a file where the process may be at its limit of open files.
// Place:   the shared log and WiredTiger's files: a store that cannot open its next file fails for good.
// Errors:  as open(2), with errno. EMFILE and ENFILE after half a second alone.
// Threads: a function.
#pragma once

namespace ebla::tabletserver {

// `how`: the flags of open(2). A new file has the mode 0644, less the process's umask.
int OpenRetrying(const char* name, int how);

}  // namespace ebla::tabletserver
