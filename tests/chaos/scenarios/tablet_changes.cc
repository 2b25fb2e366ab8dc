#include "tests/chaos/scenarios/tablet_changes.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ebla::chaos {
namespace {

TabletChange SplitAt(const std::string& table, const std::string& key) {
  return {"split of " + table + " at " + key.substr(key.starts_with('\1') ? 2 : 0),
          [=](const Client& client) -> Status {
            const auto split = client.SplitTablet(table, key);
            return split ? Status() : split.error();
          }};
}

TabletChange MergeIn(const std::string& table, const std::string& start) {
  return {"merge in " + table, [=](const Client& client) -> Status {
            const auto merge = client.MergeTablets(table, start);
            return merge ? Status() : merge.error();
          }};
}

TabletChange MoveIn(const std::string& table, const std::string& key, int servers, uint64_t draw) {
  return {"move in " + table, [=](const Client& client) -> Status {
            EBLA_ASSIGN(const TabletPlace place, client.Locate(table, key));
            std::vector<std::string> others, members;
            for (const ReplicaPlace& replica : place.replicas) members.push_back(replica.server);
            for (int i = 1; i <= servers; ++i)
              if (const std::string name = "ts-" + std::to_string(i); std::ranges::find(members, name) == members.end())
                others.push_back(name);
            if (others.empty() || members.empty()) return Error(Code::kUnavailable, "nobody has room for it");
            return client.MoveTablet(table, key,
                                     {.from = members[draw % members.size()], .to = others.front(), .cancel = false});
          }};
}

TabletChange TransferIn(const std::string& table, const std::string& key, uint64_t draw) {
  return {"transfer in " + table, [=](const Client& client) -> Status {
            EBLA_ASSIGN(const TabletPlace place, client.Locate(table, key));
            if (place.replicas.empty()) return Error(Code::kUnavailable, "it has no replicas");
            return client.TransferTablet(table, key, place.replicas[draw % place.replicas.size()].server);
          }};
}

}  // namespace

TabletChange DrawTabletChange(const Client& client, std::mt19937_64& random, const std::string& table,
                              const std::string& key, int servers) {
  const uint64_t kind = random() % 4, draw = random();
  if (kind == 2) return MoveIn(table, key, servers, draw);
  if (kind == 3) return TransferIn(table, key, draw);
  std::vector<std::string> starts;
  if (kind == 1)
    if (const auto tablets = client.ListTablets(table))
      for (const TabletSummary& tablet : *tablets)
        if (!tablet.range.start.empty()) starts.push_back(tablet.range.start);
  return starts.empty() ? SplitAt(table, key) : MergeIn(table, starts[draw % starts.size()]);
}

}  // namespace ebla::chaos
