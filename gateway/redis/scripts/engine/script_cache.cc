#include "gateway/redis/scripts/engine/script_cache.h"

#include <utility>

namespace ebla::gateway::redis {
namespace {

// The sha in lower case, and whose it is.
std::string NameOf(std::string_view sha, std::string_view owner) {
  std::string name(sha);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name.append(1, '\0').append(owner);
}

}  // namespace

std::shared_ptr<const Script> ScriptCache::Add(std::string_view body, const ScriptFlags& flags,
                                               std::string_view owner) {
  auto script = std::make_shared<const Script>(Script{std::string(owner), ScriptSha(body), std::string(body), flags});
  std::string name = NameOf(script->sha, owner);
  MutexLock lock(mutex_);
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    return order_.front();
  }
  const size_t cost = CostOf(*script);
  if (cost > options_.bytes_max || options_.scripts_max == 0) return script;
  while (bytes_ + cost > options_.bytes_max || order_.size() >= options_.scripts_max) DropLast();
  order_.push_front(script);
  by_name_.emplace(std::move(name), order_.begin());
  bytes_ += cost;
  return script;
}

void ScriptCache::DropLast() {
  bytes_ -= CostOf(*order_.back());
  by_name_.erase(NameOf(order_.back()->sha, order_.back()->owner));
  order_.pop_back();
}

std::shared_ptr<const Script> ScriptCache::Find(std::string_view sha, std::string_view owner) {
  const std::string name = NameOf(sha, owner);
  MutexLock lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return order_.front();
}

bool ScriptCache::Has(std::string_view sha, std::string_view owner) const {
  const std::string name = NameOf(sha, owner);
  MutexLock lock(mutex_);
  return by_name_.contains(name);
}

void ScriptCache::Clear(std::string_view owner) {
  // They end outside of the lock: there may be many.
  Order ended;
  MutexLock lock(mutex_);
  for (auto next = order_.begin(); next != order_.end();) {
    const auto one = next++;
    if ((*one)->owner != owner) continue;
    by_name_.erase(NameOf((*one)->sha, owner));
    bytes_ -= CostOf(**one);
    ended.splice(ended.end(), order_, one);
  }
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
