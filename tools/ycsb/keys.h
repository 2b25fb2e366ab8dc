// tools/ycsb/keys.h
// From a record's number to its key, exactly as YCSB does it, so that data loaded by either is found by both; and the
// split points that cut such keys into even parts.
// Place:   workload.h names records; ebla_database.h splits the table it creates.
// Threads: free functions and a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebla::ycsb {

// FNV-1a, 64 bits, over the number's eight bytes, lowest first; then the absolute value of it as a signed number.
uint64_t FnvHash(uint64_t number);

struct KeyOptions {
  bool ordered = false;  // insertorder: the number itself instead of its hash
  int zero_padding = 1;  // digits at least
};

// "user" and the number's hash (or the number) in decimal.
std::string KeyName(const KeyOptions& options, uint64_t number);

// At most `tablets` - 1 ascending keys that part records [0, records) into about equal shares: quantiles of an even
// sample, each cut to the shortest text that still divides its neighbours. Fewer when there are fewer distinct keys.
std::vector<std::string> SplitPoints(const KeyOptions& options, uint64_t records, int tablets);

// java.lang.String.hashCode() of ASCII text; YCSB's verifiable values are made of it.
int32_t JavaHash(std::string_view text);

}  // namespace ebla::ycsb
