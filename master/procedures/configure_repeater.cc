#include "master/procedures/configure_repeater.h"

#include <algorithm>

#include "common/rpc/idl_convert.h"

namespace ebla::master {
namespace {

constexpr Duration kAgain = std::chrono::milliseconds(100);

// No repetition changes it: a promise, a later master, or a contradiction.
bool RefusesForGood(Code code) {
  return code == Code::kStaleEpoch || code == Code::kInvalidArgument || code == Code::kConditionFailed;
}

}  // namespace

void ConfigureRepeater::Add(const idl::ConfigureTablet& order) {
  for (const ServerName& voter : order.voters) {
    idl::ConfigureTablet its = order;
    if (voter != order.primary) its.__isset.presumed = false;
    items_[voter][TabletId{static_cast<uint64_t>(order.tabletId)}] = {std::move(its), State::kDue};
  }
}

void ConfigureRepeater::Send() {
  bool waits = false;
  for (const auto& [server, items] : items_) {
    std::vector<idl::ConfigureTablet> orders;
    for (const auto& [tablet, item] : items) {
      if (item.state == State::kDue) orders.push_back(item.order);
    }
    waits = waits || !orders.empty();
    if (orders.empty() || !busy_.insert(server).second) continue;
    context_.tablet_server_client.Configure(
        server, std::move(orders),
        if_alive_([this, server](const Result<std::map<TabletId, idl::ConfigureResult>>& results) {
          OnAnswer(server, results);
        }));
  }
  context_.executor.Cancel(timer_);
  timer_ = waits ? context_.executor.After(kAgain, if_alive_([this] { Send(); })) : TimerId{};
}

void ConfigureRepeater::OnAnswer(const ServerName& server,
                                 const Result<std::map<TabletId, idl::ConfigureResult>>& results) {
  busy_.erase(server);
  for (auto& [tablet, item] : items_[server]) {
    Status status = results ? Status() : Status(results.error());
    if (results) {
      const auto result = results->find(tablet);
      if (result == results->end()) continue;
      status = rpc::FromIdl(result->second.status);
    }
    if (item.state != State::kDue) continue;
    if (status.ok()) item.state = State::kObeyed;
    if (RefusesForGood(status.code())) item.state = State::kRefused;
  }
}

void ConfigureRepeater::Stop() {
  context_.executor.Cancel(timer_);
  timer_ = {};
  items_.clear();
}

bool ConfigureRepeater::Obeyed(TabletId tablet, const ServerName& server) const {
  const auto items = items_.find(server);
  if (items == items_.end()) return false;
  const auto item = items->second.find(tablet);
  return item != items->second.end() && item->second.state == State::kObeyed;
}

}  // namespace ebla::master
