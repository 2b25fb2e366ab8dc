// tabletserver/storage/wiredtiger/wt_young_cache.h
// Ages the cache of a database that was just opened, before its first use.
// Why:     WiredTiger 3.2 gives a page that it makes, or makes anew as it writes it out, a generation midway between
//          the cache's own, which begins at a hundred and grows by one with each pass of eviction, and the oldest that
//          eviction has come across, which is 0 where that page had not been used yet. A thread that releases a page of
//          a generation below a hundred has to write it out, and the page is made again. So until eviction has made a
//          hundred passes, which takes a minute with little to do, it happens that every operation writes out the pages
//          of the log, of the data and of the dedup window that it changes: 50,000 in ten seconds, a quarter to three
//          quarters of a shard's time.
// How:     a pass that has something to do and gets nowhere takes a millisecond. Rows of an open transaction, and a
//          bound for changed pages below them, make eviction work; then the transaction is rolled back. No other bound
//          changes, so no other thread has to help.
// Threads: the one that opens the database.
#pragma once

#include <cstdint>

#include "tabletserver/storage/wiredtiger/wt_connection.h"

namespace ebla::tabletserver {

// Afterwards a new page's generation is a hundred at least.
inline constexpr int64_t kPassesOfOldCache = 110;

// How many passes eviction has made that had something to do.
int64_t EvictionPasses(WT_SESSION* session);

// Takes a quarter of a second, one more where eviction has gone to sleep, five at most. A failure is logged, and the
// database is used all the same. An error: the database cannot be used.
Status AgeCache(WtConnection& connection, int64_t cache_bytes);

}  // namespace ebla::tabletserver
