#include "gateway/redis/script/script_cache.h"

namespace ebla::gateway::redis {
namespace {

std::string InLowerCase(std::string_view sha) {
  std::string lower(sha);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

std::shared_ptr<const Script> ScriptCache::Add(std::string_view body, const ScriptFlags& flags) {
  auto script = std::make_shared<const Script>(Script{ScriptSha(body), std::string(body), flags});
  MutexLock lock(mutex_);
  if (const auto found = by_sha_.find(script->sha); found != by_sha_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    return order_.front();
  }
  const size_t cost = CostOf(*script);
  if (cost > options_.bytes_max || options_.scripts_max == 0) return script;
  while (bytes_ + cost > options_.bytes_max || order_.size() >= options_.scripts_max) DropLast();
  order_.push_front(script);
  by_sha_.emplace(script->sha, order_.begin());
  bytes_ += cost;
  return script;
}

void ScriptCache::DropLast() {
  bytes_ -= CostOf(*order_.back());
  by_sha_.erase(order_.back()->sha);
  order_.pop_back();
}

std::shared_ptr<const Script> ScriptCache::Find(std::string_view sha) {
  const std::string name = InLowerCase(sha);
  MutexLock lock(mutex_);
  const auto found = by_sha_.find(name);
  if (found == by_sha_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return order_.front();
}

bool ScriptCache::Has(std::string_view sha) const {
  const std::string name = InLowerCase(sha);
  MutexLock lock(mutex_);
  return by_sha_.contains(name);
}

void ScriptCache::Clear() {
  // They end outside of the lock: there may be many.
  Order ended;
  MutexLock lock(mutex_);
  by_sha_.clear();
  ended.swap(order_);
  bytes_ = 0;
}

size_t ScriptCache::size() const {
  MutexLock lock(mutex_);
  return order_.size();
}

size_t ScriptCache::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace ebla::gateway::redis
