// gateway/store/flush_table.h
// Deletes the records of a table, page by page: each only in the version that the page showed, so that later writes
// stay.
// Errors:  the first fault of the store ends it; earlier deletes remain.
// Threads: `done` runs on any.
#pragma once

#include <chrono>

#include "gateway/store/store.h"

namespace ebla::gateway {

// `deadline`: of each call to the store. A table may take much longer. `store` outlives it.
void FlushTable(Store& store, std::chrono::milliseconds deadline, Callback<Status> done);

}  // namespace ebla::gateway
