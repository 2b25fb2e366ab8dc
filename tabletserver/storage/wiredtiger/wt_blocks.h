// tabletserver/storage/wiredtiger/wt_blocks.h
// Whether a block of a b-tree's file is as WiredTiger wrote it.
// Why:     WiredTiger also checks each block that it reads, but then panics, so that one block takes every table of the
//          server. wt_files.cc checks first and answers kDamagedBlock. WiredTiger returns that to the reader of the
//          row, and nothing has changed.
// Format:  of WiredTiger 3.2.1. A page header of 28 bytes, whose byte at 24 is the page's kind; 4 bytes of the block's
//          size; 4 bytes of the block's CRC-32C, computed with these four zero; 1 byte of flags; 3 bytes unused; the
//          page. With flag 0x1 the CRC covers the whole block, else its first 64 bytes. The latter holds for compressed
//          blocks of tables that were made with checksum=uncompressed, as Ebla's once were. A file's first block
//          describes the file, and WiredTiger checks it, as it opens it.
// Threads: functions of their arguments.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ebla::tabletserver {

// The answer to a read of a block that is damaged or that the disk cannot read. No file system call used here returns
// it.
inline constexpr int kDamagedBlock = EBADMSG;

// Covers each byte of it, where the table has whole checksums: a damage of a single byte never passes. The block is
// changed meanwhile, and then as it was.
bool BlockIsWhole(std::span<char> block);
// The checksum that the block's head names.
uint32_t BlockChecksum(std::span<const char> block);
// The size that the block's head names. At least 64 bytes of it.
size_t BlockSizeAt(std::span<const char> head);
// The block that describes a file, its first: 4 bytes of magic, 4 of the version, 4 of its CRC-32C, and no more.
bool FileBlockIsWhole(std::span<char> block);

}  // namespace ebla::tabletserver
