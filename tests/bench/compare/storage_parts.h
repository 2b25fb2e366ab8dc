// tests/bench/compare/storage_parts.h
// Ebla's storage through the SDK: against bare WiredTiger, with data that fits in memory; and against RocksDB, with
// data far beyond the cache of each.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/bench/compare/parts.h"

namespace ebla::bench {

std::unique_ptr<Part> MakeStoragePart(const std::string& directory, const BenchOptions& options);
// Its load takes as long as it takes; gets and scans take ten times `each`, because caches fill slowly.
std::unique_ptr<Part> MakeBeyondPart(const std::string& directory, const BenchOptions& options);

void AddStorageRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio,
    const std::function<void(const char* row, double wanted)>& at_most);

}  // namespace ebla::bench
