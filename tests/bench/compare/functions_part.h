// tests/bench/compare/functions_part.h
// Functions over key groups of 1, 100 and 1,000,000 records against puts and gets of the same tables: counted.put reads
// the group's count and writes two records; counted.size reads the count.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/bench/compare/parts.h"

namespace ebla::bench {

std::unique_ptr<Part> MakeFunctionsPart(const std::string& directory, const BenchOptions& options);

void AddFunctionsRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio);

}  // namespace ebla::bench
