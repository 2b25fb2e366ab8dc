// tests/chaos/gateways/redis_client.h
// A client of the gateways' Redis listeners, in RESP2. It translates each answer, and repeats nothing.
// Errors:  UNAVAILABLE and OVERLOADED: nothing has happened. UNKNOWN_OUTCOME: it may have, now or later. Any other
//          error is an answer that this command must never get; its message is the answer.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tests/chaos/gateways/connection.h"

namespace ebla::chaos {

// An answer. For an integer, `text` has the digits.
struct RedisValue {
  enum class Kind : uint8_t { kNil, kText, kInteger, kArray, kError };
  Kind kind = Kind::kNil;
  std::string text;
  std::vector<RedisValue> elements;

  std::optional<std::string> AsText() const;  // none: nil
  // INTERNAL where it is none.
  Result<int64_t> AsNumber() const;  // nil is 0
};

// Whether a call with this error has surely not happened.
bool NothingHappened(const Status& status);

class RedisClient {
 public:
  using Words = std::vector<std::string>;

  RedisClient(const Gateways& gateways, ConnectionOptions options, std::string database);

  Result<RedisValue> Call(const Words& words);
  // These, sent at once: an answer to each.
  std::vector<Result<RedisValue>> Pipeline(const std::vector<Words>& commands);
  // MULTI, these, EXEC, sent at once. None: a watched key was changed, and nothing has happened.
  Result<std::optional<std::vector<RedisValue>>> Transact(const std::vector<Words>& commands);
  // After it a Transact() on this connection holds only if the keys stay as they are. UNAVAILABLE from a Call() or
  // Transact() that would have to go to another connection, until the Transact() or Forget().
  Status Watch(const Words& keys);
  void Forget();

 private:
  Status SelectDatabase();
  Result<std::vector<std::string>> Say(const std::string& bytes, size_t answers);

  Connection connection_;
  const std::string database_;
  bool watching_ = false;
};

}  // namespace ebla::chaos
