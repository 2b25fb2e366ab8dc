// tabletserver/storage/wiredtiger/wt_block_lists.h
// The lists of blocks that the last checkpoint of a b-tree keeps in its file: which were written for it, which are
// free, which it lets go.
// Why:     no cursor reads them. The next checkpoint that changes the tree does. A damaged list fails that checkpoint
//          and the store. Nothing else would show the damage of a tree that rests for months.
// Format:  of WiredTiger 3.2.1. A checkpoint's address, in hexadecimal in the metadata, is 1 byte of version, then
//          packed numbers (WiredTiger's Q). The root and the three lists have three each: the beginning of the block
//          less one and its length, in units of 4096 bytes, and its checksum. Zeros mean that there is none. Two sizes
//          follow.
// Threads: any; the session is the calling thread's.
#pragma once

#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// 0, or kDamagedBlock. Another error: the metadata or the file cannot be read.
int CheckBlockLists(WtSession& session, TableId table);

}  // namespace ebla::tabletserver
