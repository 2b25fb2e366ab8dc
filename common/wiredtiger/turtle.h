// common/wiredtiger/turtle.h
// Whether WiredTiger.turtle is a whole file. It tells WiredTiger where WiredTiger.wt has its latest checkpoint, and so
// leads to every table.
// Why:     the file has no checksum. WiredTiger trusts what the file tells of the form of records, and overruns its
//          stack if that is damaged. Without the file it makes a new database over the files of an old one.
// Format:  of WiredTiger 3.2.1: lines by twos, a name and its value. The last value has names in ascending order.
// Limits:  a wrong letter within a value passes. WiredTiger then reads a wrong block, or none.
// Threads: functions of their arguments.
#pragma once

#include <string>

#include "common/base/status.h"

namespace ebla::wiredtiger {

// OK where no database was made yet. `made_before`: one was. INTERNAL: it is damaged or missing, or its disk cannot
// read it. The message names the file.
Status CheckTurtle(const std::string& directory, bool made_before = false);

}  // namespace ebla::wiredtiger
