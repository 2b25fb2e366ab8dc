// gateway/store/flush_table.h
// Deletes what is in a table, page by page: each record only as the page showed it, so that what is written meanwhile
// stays.
// Errors:  The first fault of the store ends it; what was deleted before is gone.
// Threads: `done` runs on any.
#pragma once

#include <chrono>

#include "gateway/store/store.h"

namespace ebla::gateway {

// `deadline`: of each call to the store. A table may take much longer. `store` outlives it.
void FlushTable(Store& store, std::chrono::milliseconds deadline, Callback<Status> done);

}  // namespace ebla::gateway
