// tabletserver/storage/wiredtiger/wt_block_lists.h
// The lists of blocks that the last checkpoint of a b-tree keeps in its file: which were written for it, which are free,
// which it lets go.
// Why:     no cursor reads them. The next checkpoint that changes the tree does, and fails on a damaged one, and the store
//          with it. Of a tree that rests for months nothing else would tell.
// Format:  of WiredTiger 3.2.1. A checkpoint's address, in hexadecimal in the metadata: 1 byte version, then packed
//          numbers (WiredTiger's Q): of the root and the three lists each where its block begins, less one, and how long
//          it is, in units of 4096 bytes, and its checksum; zeros: there is none; then two sizes.
// Threads: any; the session is the calling thread's.
#pragma once

#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// 0, or kDamagedBlock. Another error: the metadata or the file cannot be read.
int CheckBlockLists(WtSession& session, TableId table);

}  // namespace ebla::tabletserver
