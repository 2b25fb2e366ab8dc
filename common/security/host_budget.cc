#include "common/security/host_budget.h"

#include <arpa/inet.h>

#include <algorithm>
#include <functional>

namespace ebla::security {
namespace {

constexpr size_t kHostsMax = 10'000;

// The hash of a name of any length.
std::string KeyOf(const std::string& peer, const std::string& of) {
  return of.empty() ? HostOf(peer) : HostOf(peer) + " " + std::to_string(std::hash<std::string>{}(of));
}

}  // namespace

std::string HostOf(const std::string& peer) {
  std::string host = peer.substr(0, peer.rfind(':'));
  std::string bare = host;
  std::erase_if(bare, [](char c) { return c == '[' || c == ']'; });
  in6_addr address{};
  if (inet_pton(AF_INET6, bare.c_str(), &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address)) return host;
  std::fill(address.s6_addr + 8, address.s6_addr + 16, uint8_t{0});
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &address, text, sizeof text);
  return std::string(text) + "/64";
}

bool HostBudget::Left(const std::string& peer, MonotonicTime now, const std::string& of) const {
  MutexLock lock(mutex_);
  auto found = hosts_.find(KeyOf(peer, of));
  if (found == hosts_.end() && when_full_ == WhenFull::kShare && hosts_.size() >= kHostsMax) found = hosts_.find("");
  return found == hosts_.end() || Over(found->second, now) || found->second.count < most_;
}

HostBudget::Spent HostBudget::Spend(const std::string& peer, MonotonicTime now, const std::string& of) {
  MutexLock lock(mutex_);
  std::string host = KeyOf(peer, of);
  if (hosts_.size() >= kHostsMax && !hosts_.contains(host)) {
    std::erase_if(hosts_, [&](const auto& one) { return Over(one.second, now); });
    const bool full = hosts_.size() >= kHostsMax;
    if (full && when_full_ == WhenFull::kLetPass) return {.granted = true};
    if (full) host.clear();
  }
  const auto [at, fresh] = hosts_.try_emplace(host, Window{.count = 0, .since = now});
  Window& window = at->second;
  Spent spent;
  if (Over(window, now)) {
    spent.left_out = std::max<int64_t>(0, window.count - most_);
    window = {.count = 0, .since = now};
  }
  spent.granted = ++window.count <= most_;
  return spent;
}

void HostBudget::GiveBack(const std::string& peer, MonotonicTime now) {
  MutexLock lock(mutex_);
  auto found = hosts_.find(HostOf(peer));
  if (found == hosts_.end()) found = hosts_.find("");
  if (found != hosts_.end() && !Over(found->second, now) && found->second.count > 0) --found->second.count;
}

}  // namespace ebla::security
