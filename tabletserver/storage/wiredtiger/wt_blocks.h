// tabletserver/storage/wiredtiger/wt_blocks.h
// Whether a block of a b-tree's file is as WiredTiger wrote it.
// Why:     WiredTiger checks each block that it reads, too, but then panics: every table of the server is gone for the
//          sake of one block. wt_files.cc checks first, and answers kDamagedBlock, which WiredTiger hands on to whoever
//          asked for the row, with nothing changed.
// Format:  of WiredTiger 3.2.1. A page header of 28 bytes; then 4 bytes: the block's size; 4 bytes: CRC-32C of the block
//          with these four zero; 1 byte of flags, of which 0x1 says that the CRC covers the whole block, else its first
//          64 bytes (of a compressed one in a table that was made with checksum=uncompressed, as ours once were); 3 bytes
//          unused; the page. Of the page header the byte at 24 is the page's kind. A file's first block describes the file, and WiredTiger alone checks it, as it opens it.
// Threads: functions of their arguments.
#pragma once

#include <cerrno>
#include <cstdint>
#include <span>

namespace ebla::tabletserver {

// What a read of a damaged block, or of one that the disk cannot read, answers: no file system call used here does.
inline constexpr int kDamagedBlock = EBADMSG;

// Covers each byte of it, where the table has whole checksums: a damage of a single byte never passes. The block is
// changed meanwhile, and then as it was.
bool BlockIsWhole(std::span<char> block);

}  // namespace ebla::tabletserver
