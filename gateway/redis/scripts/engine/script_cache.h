// gateway/redis/scripts/engine/script_cache.h
// Scripts by their names for EVALSHA. If there are too many, the least recently used are evicted. Clients send an
// unknown script again, because Redis may forget scripts at any time, too.
// Threads: any.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/mutex.h"
#include "gateway/redis/scripts/engine/script_engine.h"

namespace ebla::gateway::redis {

struct Script {
  std::string owner;
  std::string sha;
  std::string body;
  ScriptFlags flags;
};

class ScriptCache {
 public:
  struct Options {
    size_t bytes_max = 64 << 20;  // of their bodies, and 256 for each
    size_t scripts_max = 10'000;
  };
  ScriptCache() : ScriptCache(Options()) {}
  explicit ScriptCache(Options options) : options_(options) {}

  // Scripts of different owners are invisible to each other. Add() keeps the script as the one used last. It returns a
  // script that is too large to keep all the same.
  std::shared_ptr<const Script> Add(std::string_view body, const ScriptFlags& flags, std::string_view owner = {});
  // By its name, in digits of any case; makes it the one used last. Null: it is not there.
  std::shared_ptr<const Script> Find(std::string_view sha, std::string_view owner = {});
  // SCRIPT EXISTS, which is no use of it.
  bool Has(std::string_view sha, std::string_view owner = {}) const;
  void Clear(std::string_view owner = {});

  size_t size() const;
  size_t bytes() const;

 private:
  using Order = std::list<std::shared_ptr<const Script>>;  // the one used last is in front
  static size_t CostOf(const Script& script) { return script.body.size() + script.owner.size() + 256; }
  void DropLast() EBLA_REQUIRES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  Order order_ EBLA_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Order::iterator> by_name_ EBLA_GUARDED_BY(mutex_);
  size_t bytes_ EBLA_GUARDED_BY(mutex_) = 0;
};

}  // namespace ebla::gateway::redis
