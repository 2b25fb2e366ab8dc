// tests/bench/compare/listener_parts.h
// Ebla behind the clients of Redis and Memcached: in ebla-standalone, and as ebla-gateway before three replicas.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/bench/compare/parts.h"

namespace ebla::bench {

std::unique_ptr<Part> MakeListenersPart(const std::string& directory, const BenchOptions& options);
std::unique_ptr<Part> MakeGatewayPart(const std::string& directory, const BenchOptions& options);
// Takes its own time, whatever `each` is.
std::unique_ptr<Part> MakeHitsPart(const std::string& directory, const BenchOptions& options);

// Which row is held against which, and what is wanted.
void AddListenerRatios(
    const std::function<void(const std::string& row, const std::string& peer, std::optional<double> wanted)>& ratio);

}  // namespace ebla::bench
