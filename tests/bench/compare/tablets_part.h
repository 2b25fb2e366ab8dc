// tests/bench/compare/tablets_part.h
// One server with a table of 1,000 tablets against the same server with a table of one: new records in hashed order,
// then updates of them, with 512 in flight.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/bench/compare/parts.h"

namespace ebla::bench {

// A figure takes five times `each`, so that buffers fill and merges take part.
std::unique_ptr<Part> MakeTabletsPart(const std::string& directory, const BenchOptions& options);

void AddTabletsRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio);

}  // namespace ebla::bench
