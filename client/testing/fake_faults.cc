#include "client/testing/fake_faults.h"

namespace ebla::client::testing {

void FakeFaults::AnswerNext(const ServerName& server, idl::Code::type code, int times, int retry_after_ms,
                            const std::string& message) {
  for (int i = 0; i < times; ++i) next_[server].push_back({code, retry_after_ms, message});
}

std::optional<FakeFault> FakeFaults::TakeNext(const ServerName& server) {
  std::deque<FakeFault>& next = next_[server];
  if (next.empty()) return std::nullopt;
  FakeFault fault = std::move(next.front());
  next.pop_front();
  return fault;
}

void FakeFaults::Lag(const ServerName& server) {
  Lagging& lagging = lagging_[server];
  lagging.lsn = tables_.last_lsn();
  for (const auto& [name, table] : tables_.all()) lagging.records[table.id] = table.records;
}

int64_t FakeFaults::AppliedAt(const ServerName& server) const {
  const auto lagging = lagging_.find(server);
  return lagging == lagging_.end() ? tables_.last_lsn() : lagging->second.lsn;
}

const FakeRecords& FakeFaults::RecordsAt(const ServerName& server, const FakeTable& table) {
  const auto lagging = lagging_.find(server);
  return lagging == lagging_.end() ? table.records : lagging->second.records[table.id];
}

void FakeFaults::ServeAfter(int lists) {
  serving = false;
  lists_until_serving_ = lists;
}

void FakeFaults::Listed() {
  if (lists_until_heard_ > 0) --lists_until_heard_;
  if (lists_until_serving_ == 0) return;
  --lists_until_serving_;
  if (lists_until_serving_ == 0) serving = true;
}

}  // namespace ebla::client::testing
