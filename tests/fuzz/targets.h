// tests/fuzz/targets.h
// Functions that take any bytes. Each target checks rules that hold for all bytes, and ends the process if one is
// broken.
// Place:   main.cc is libFuzzer's way to one of them (./dev fuzz); corpora_test.cc gives them earlier findings.
// Threads: one.
#pragma once

#include <string_view>

namespace ebla::fuzz {

// Redis's requests: cut into pieces in any way they are the same, and bounded memory is kept of what is not whole.
void RedisRequests(std::string_view bytes);
// Memcached's, likewise.
void MemcachedRequests(std::string_view bytes);
// The reply to a command, as a script gets it and gives it back: whatever it is, the script answers one whole reply.
void ScriptReplies(std::string_view bytes);
// A script: within its limits, it answers one whole reply.
void Scripts(std::string_view bytes);

// A command of Redis as a function of servers, with any arguments and any record: it refuses, or makes an item and a
// whole reply.
void RecordFunctions(std::string_view bytes);
// The same of Memcached's, whose answer its gateway can read.
void MemcachedOrders(std::string_view bytes);

}  // namespace ebla::fuzz
