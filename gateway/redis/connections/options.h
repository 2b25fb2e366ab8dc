// gateway/redis/connections/options.h
// The options of CONFIG GET, in Redis's form, and those that a connection may set: its read level, the acknowledgement
// of its writes, and its kind of transactions.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "ebla/options.h"
#include "gateway/redis/databases/numbered_tables.h"

namespace ebla::gateway::redis {

// The keys that a transaction may have.
inline constexpr std::string_view kRedisVersion = "7.0.15";

enum class Transactions : uint8_t {
  kOneGroup,   // all keys of a transaction are of one group
  kEachGroup,  // the commands of each group are a transaction of their own
};

struct ConnectionOptions {
  Read read;
  Ack ack = Ack::kDefault;
  Transactions transactions = Transactions::kOneGroup;
};

// The options that all connections of a gateway share.
struct SharedOptions {
  size_t connections_max = 10'000;
  int64_t slower_than_micros = 10'000, slow_max = 128;
  MemoryBounds memory;
};

std::vector<std::pair<std::string, std::string>> OptionsAre(const ConnectionOptions& options,
                                                            const SharedOptions& shared = {});

// "one-group" or "each-group", else INVALID_ARGUMENT.
Result<Transactions> ParseTransactions(std::string_view text);

// The error of an option that cannot be set; SetOption returns an empty text if it can. An option with a single
// possible value takes that value alone.
std::string UnknownOption(const std::string& name);
std::string CannotSet(const std::string& name, const std::string& why);
std::string SetOption(const std::string& name, const std::string& value, ConnectionOptions& options,
                      const SharedOptions& shared = {});

}  // namespace ebla::gateway::redis
