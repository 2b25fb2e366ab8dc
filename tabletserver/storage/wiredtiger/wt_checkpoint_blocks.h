// tabletserver/storage/wiredtiger/wt_checkpoint_blocks.h
// Whether a b-tree's file is the one that the metadata describes. Checks its first block, and the blocks that the last
// checkpoint names. These are the root and three lists of blocks: which were written for the checkpoint, which are
// free, which the checkpoint lets go.
// Why:     WiredTiger reads them as it opens a file. An older copy or another server's file has whole blocks
//          (wt_blocks.h), but others in these places, and WiredTiger panics. No cursor reads the lists later. The next
//          checkpoint that changes the tree does, and a damaged list fails it and the store. Nothing else would show
//          the damage of a tree that rests for months.
// Format:  of WiredTiger 3.2.1. A checkpoint's address, in hexadecimal in the metadata, is 1 byte of version, then
//          packed numbers (WiredTiger's Q). The root and the three lists have three each: the beginning of the block
//          less one and its length, in units of 4096 bytes, and its checksum. Zeros mean that there is none. Two sizes
//          follow.
// Limits:  a file of which one later block is older passes. WiredTiger panics when it reads that block.
// Threads: any; the session is the calling thread's.
#pragma once

#include <string>

#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// To open the file makes WiredTiger panic. It is no error of the system, nor of WiredTiger.
inline constexpr int kOtherFile = 1'000'000;

// `file`: "data_7.wt". 0: it is. kDamagedBlock: the result of CheckTableFile, or one of these blocks is damaged.
// kOtherFile: one of them is another. A further error: the metadata or the file cannot be read.
// `only_to_read`: those alone that a file needs which no checkpoint changes any more.
int CheckCheckpointBlocks(WtSession& session, const std::string& file, bool only_to_read = false);
// "is missing or damaged": follows the file's path.
std::string DescribeDamage(int error);

}  // namespace ebla::tabletserver
