// tests/bench/compare/trust_parts.h
// The cost of untrusted surroundings: TLS against no TLS, and one user beside another that asks for everything.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/bench/compare/parts.h"

namespace ebla::bench {

std::unique_ptr<Part> MakeTlsPart(const std::string& directory, const BenchOptions& options);
std::unique_ptr<Part> MakeUsersPart(const std::string& directory, const BenchOptions& options);

void AddTrustRatios(
    const std::function<void(const std::string& row, const std::string& peer, double wanted, bool at_most)>& ratio,
    const std::function<void(const char* row, double wanted)>& at_most);

}  // namespace ebla::bench
