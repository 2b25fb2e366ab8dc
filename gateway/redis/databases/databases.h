// gateway/redis/databases/databases.h
// The port through which a connection opens its databases.
// Place:   open_tables.h implements it over tables of a cluster; testing/memory_client.h in memory.
// Threads: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "ebla/table.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

inline constexpr int kDatabases = 16;  // by number
inline bool IsDatabase(int64_t number) { return number >= 0 && number < kDatabases; }
// The error for a number that no database has; empty: a database has it.
inline std::string_view WrongDatabase(int64_t number) {
  if (IsDatabase(number)) return {};
  return std::in_range<int32_t>(number) ? "ERR DB index is out of range"
                                        : "ERR value is out of range, value must between -2147483648 and 2147483647";
}

inline constexpr size_t kChannelNameMax = 4'096;  // of names and of patterns

// The use of a channel, or of all channels that a pattern matches.
struct ChannelUse {
  enum class Kind : uint8_t { kListen, kListenToPattern, kPublish };
  Kind kind = Kind::kListen;
  std::string name;
};

// A database is a table.
class Databases {
 public:
  virtual ~Databases() = default;

  // By a number, or a table's name; its keys are Redis's (key_codec_store.h). NO_SUCH_TABLE: there is no such table, or
  // the user may not use it. `done` is called once, on any thread, perhaps within the call.
  virtual void Open(const std::string& name, const Read& read, Ack ack,
                    Callback<Result<std::shared_ptr<Store>>> done) = 0;
  // Whether the user may use a channel so. PERMISSION_DENIED names the grant that is lacking. `done` is called once, on
  // any thread, perhaps within the call.
  virtual bool guards_channels() const { return false; }  // else every user may
  virtual void MayUse(const ChannelUse& /*use*/, Until /*until*/, Callback<Status> done) { done({}); }
};

}  // namespace ebla::gateway::redis
