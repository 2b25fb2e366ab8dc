// tests/chaos/gateways/memcached_client.h
// A client of the gateways' Memcached listeners, in the text protocol. It repeats nothing.
// Errors:  as in redis_client.h; for some calls CONDITION_FAILED and NOT_FOUND are answers.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "tests/chaos/gateways/connection.h"

namespace ebla::chaos {

struct MemcachedItem {
  std::string value;
  uint64_t cas = 0;
};

class MemcachedClient {
 public:
  MemcachedClient(const Gateways& gateways, ConnectionOptions options);

  // NOT_FOUND: there is none.
  Result<MemcachedItem> Gets(const std::string& key);
  // CONDITION_FAILED: there is one already.
  Status AddNew(const std::string& key, const std::string& value);
  // CONDITION_FAILED: it has been changed. NOT_FOUND: there is none.
  Status Cas(const std::string& key, const std::string& value, uint64_t cas);
  // NOT_FOUND: there is none.
  Result<int64_t> Increase(const std::string& key, int64_t delta);

 private:
  Result<std::string> Say(const std::string& bytes);

  Connection connection_;
};

}  // namespace ebla::chaos
