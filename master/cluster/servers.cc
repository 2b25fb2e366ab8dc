#include "master/cluster/servers.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"

namespace ebla::master {

namespace layout = coordination::layout;

namespace {
constexpr Duration kReadAgain = std::chrono::milliseconds(200);
constexpr size_t kServersMax = 20'000;

// In the same places.
bool SameTablets(const idl::HeartbeatRequest& a, const idl::HeartbeatRequest& b) {
  return std::ranges::equal(a.tablets, b.tablets, {}, &idl::TabletLoad::tabletId, &idl::TabletLoad::tabletId);
}

}  // namespace

const idl::TabletLoad* Report::Find(TabletId tablet) const {
  auto found = index.find(tablet);
  return found == index.end() ? nullptr : &body.tablets[found->second];
}

const Report* Server::CurrentReport() const {
  return live && report && report->body.incarnation == live->incarnation ? &*report : nullptr;
}

bool Server::ReportsSince(MonotonicTime then) const {
  const Report* report = CurrentReport();
  return live && (changed > then || (report && report->received > then));
}

Servers::Servers(coordination::Coordinator& coordinator, Executor& executor,
                 std::function<void(const ServerName&)> on_change)
    : coordinator_(coordinator), executor_(executor), on_change_(std::move(on_change)) {}

void Servers::Start(std::vector<idl::ServerNode> known, coordination::Callback<Status> done) {
  started_ = std::move(done);
  for (idl::ServerNode& node : known) {
    const ServerName name = node.name;
    Server& server = servers_[name];
    server.node = std::move(node);
    server.changed = executor_.Now();
  }
  first_reads_ = 1;
  ReadNames();
}

void Servers::FirstReadingStep() {
  if (first_reads_ == 0) return;
  --first_reads_;
  if (first_reads_ > 0) return;
  auto started = std::move(started_);
  started({});
}

void Servers::ReadNames() {
  const uint64_t round = ++names_round_;
  coordinator_.Children(layout::kLive, if_alive_([this](Result<std::vector<std::string>> names) {
                          if (!names) {
                            LOG(WARNING) << "cannot read which servers are live: " << names.error();
                            executor_.After(kReadAgain, if_alive_([this] { ReadNames(); }));
                            return;
                          }
                          for (const ServerName& name : *names) {
                            if (rounds_.contains(name)) continue;  // followed already
                            if (first_reads_ > 0) ++first_reads_;
                            ReadLive(name);
                          }
                          FirstReadingStep();
                        }),
                        if_alive_([this, round] {
                          if (round == names_round_) ReadNames();
                        }));
}

void Servers::ReadLive(const ServerName& name) {
  const uint64_t round = ++rounds_[name];
  const auto again = if_alive_([this, name, round] {
    if (round == rounds_[name]) ReadLive(name);
  });
  coordinator_.Get(
      layout::LivePath(name),
      if_alive_([this, name, again](Result<coordination::Node> node) { OnLive(name, std::move(node), again); }), again);
}

void Servers::OnLive(const ServerName& name, Result<coordination::Node> node, std::function<void()> again) {
  if (!node && node.error().code() != Code::kNotFound) {
    LOG(WARNING) << "cannot read whether server " << name << " is live: " << node.error();
    executor_.After(kReadAgain, std::move(again));
    return;
  }
  if (!node) {
    SetLive(name, std::nullopt);
    coordinator_.Exists(
        layout::LivePath(name),
        [again](Result<bool> exists) mutable {
          if (!exists || *exists) again();
        },
        again);
  } else if (auto live = coordination::DecodeNode<idl::LiveNode>(node->data, layout::LivePath(name))) {
    SetLive(name, std::move(*live));
    ReadNode(name);
  } else {
    LOG(ERROR) << live.error();
  }
  FirstReadingStep();
}

void Servers::ReadNode(const ServerName& name) {
  coordinator_.Get(layout::ServerPath(name), if_alive_([this, name](Result<coordination::Node> node) {
                     if (!node) return;
                     auto decoded = coordination::DecodeNode<idl::ServerNode>(node->data, layout::ServerPath(name));
                     if (decoded) servers_[name].node = std::move(*decoded);
                   }),
                   nullptr);
}

void Servers::SetLive(const ServerName& name, std::optional<idl::LiveNode> live) {
  Server& server = servers_[name];
  const Incarnation before = server.incarnation();
  if (server.live != live) server.address_version = ++version_;
  server.live = std::move(live);
  if (server.live) server.last_live = server.live;
  if (server.incarnation() == before) return;
  server.changed = executor_.Now();
  if (server.live) {
    LOG(INFO) << "server " << name << " is live, incarnation " << server.incarnation() << ", at "
              << server.live->endpoint.host << ":" << server.live->endpoint.port;
  } else {
    LOG(WARNING) << "server " << name << " is no longer live";
  }
  on_change_(name);
}

Status Servers::Record(idl::HeartbeatRequest heartbeat) {
  if (!servers_.contains(heartbeat.server) && servers_.size() >= kServersMax) {
    return Error(Code::kOverloaded, "too many servers report to this master");
  }
  // A server not yet known to live will be in a moment, and then its report is needed.
  Server& server = servers_[heartbeat.server];
  // Decided by the coordinator, not by other reports, because a report of an invented start would keep out all later
  // ones.
  const int64_t newest = server.last_live ? server.last_live->incarnation : 0;
  if (heartbeat.incarnation < newest) {
    return Error(Code::kStaleEpoch, "server " + heartbeat.server + " has been restarted: its incarnation is " +
                                        std::to_string(newest) + ", not " + std::to_string(heartbeat.incarnation));
  }
  Report report;
  report.received = executor_.Now();
  report.body = std::move(heartbeat);
  if (const int64_t day_ms = report.body.disk.timeOfDayMs; report.body.__isset.disk && day_ms > 0)
    report.clock_ahead_ms = day_ms - executor_.TimeOfDayMs();
  if (server.report && SameTablets(server.report->body, report.body)) {
    report.index = std::move(server.report->index);
  } else {
    for (size_t i = 0; i < report.body.tablets.size(); ++i) {
      report.index[TabletId{static_cast<uint64_t>(report.body.tablets[i].tabletId)}] = i;
    }
  }
  for (const idl::TabletLoad& load : report.body.tablets) {
    report.operations_per_second += load.readsPerSecond + load.writesPerSecond;
    report.size_bytes += load.sizeBytes;
  }
  server.report = std::move(report);
  return {};
}

const Server* Servers::Find(const ServerName& name) const {
  auto found = servers_.find(name);
  return found == servers_.end() ? nullptr : &found->second;
}

bool Servers::IsLive(const ServerName& name) const {
  const Server* server = Find(name);
  return server != nullptr && server->live.has_value();
}

const Report* Servers::ReportOf(const ServerName& name) const {
  const Server* server = Find(name);
  return server ? server->CurrentReport() : nullptr;
}

const idl::TabletLoad* Servers::LoadOf(const ServerName& name, TabletId tablet) const {
  const Report* report = ReportOf(name);
  return report ? report->Find(tablet) : nullptr;
}

bool Servers::Leads(const ServerName& name, TabletId tablet, Epoch epoch) const {
  const idl::TabletLoad* load = LoadOf(name, tablet);
  return load && load->leading && static_cast<uint64_t>(load->epoch) == epoch.value && load->barrierCommitted;
}

void Servers::SetNode(idl::ServerNode node) {
  if (const auto found = servers_.find(node.name); found != servers_.end()) found->second.node = std::move(node);
}

void Servers::Forget(const ServerName& name) {
  const auto found = servers_.find(name);
  if (found == servers_.end()) return;
  if (found->second.live) return;  // it has come back meanwhile
  servers_.erase(found);           // rounds_ stays, so that the server is still watched if it returns
}

size_t Servers::live_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(servers_, [](const auto& item) { return item.second.live.has_value(); }));
}

size_t Servers::reporting_count(MonotonicTime since) const {
  return static_cast<size_t>(
      std::ranges::count_if(servers_, [&](const auto& item) { return item.second.ReportsSince(since); }));
}

size_t Servers::known_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(servers_, [](const auto& item) { return item.second.node || item.second.last_live; }));
}

PlannedServer Servers::ForPlanner(const ServerName& name, const Server& server) {
  PlannedServer planned;
  planned.name = name;
  planned.live = server.live.has_value();
  planned.maintenance = server.node && server.node->maintenance;
  planned.draining = server.node && server.node->draining;
  if (server.live) planned.rack = server.live->rack;
  if (const Report* report = server.CurrentReport()) {
    planned.writes_refused = report->body.writesRefused;
    planned.disk_free_bytes = report->body.diskFreeBytes;
    planned.disk_total_bytes = report->body.diskTotalBytes;
    planned.operations_per_second = report->operations_per_second;
    planned.size_bytes = report->size_bytes;
  }
  return planned;
}

}  // namespace ebla::master
