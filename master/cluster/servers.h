// master/cluster/servers.h
// The tablet servers as the leading master sees them: the known servers (/servers), the live ones (/live, watched), and
// the last heartbeat of each.
// Invariants: 1. A report counts only for the incarnation that lives: reports of another are kept out or refused.
//             2. A dead server's last address stays known. The server may still serve while its session with the
//                coordinator is lost, so clients should try it.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/coordination/coordinator.h"
#include "idl/master_types.h"
#include "master/balancer/planner/placement.h"

namespace ebla::master {

struct Report {
  idl::HeartbeatRequest body;
  MonotonicTime received;
  int64_t clock_ahead_ms = 0;                  // of the server's clock before this master's; below 0: behind
  std::unordered_map<TabletId, size_t> index;  // into body.tablets
  // The sum of all its tablets.
  double operations_per_second = 0;
  int64_t size_bytes = 0;

  const idl::TabletLoad* Find(TabletId tablet) const;
};

struct Server {
  std::optional<idl::ServerNode> node;  // none: not read yet
  std::optional<idl::LiveNode> live;    // none: not live
  std::optional<idl::LiveNode> last_live;
  MonotonicTime changed;         // when it last appeared or vanished, or else the begin of this master's term
  uint64_t address_version = 0;  // of Servers, when last_live or live changed
  std::optional<Report> report;

  Incarnation incarnation() const {
    return live ? Incarnation{static_cast<uint64_t>(live->incarnation)} : Incarnation{};
  }
  // Lives, and has reported since then, or appeared since then.
  bool ReportsSince(MonotonicTime then) const;
  // The last report of the incarnation that lives, or null.
  const Report* CurrentReport() const;
};

class Servers {
 public:
  // `on_change(name)`: the server appeared, vanished or returned as another incarnation.
  Servers(coordination::Coordinator& coordinator, Executor& executor, std::function<void(const ServerName&)> on_change);

  // Takes the known servers and reads the live ones; from then on it watches by itself. `done` once the first reading
  // is whole.
  void Start(std::vector<idl::ServerNode> known, coordination::Callback<Status> done);

  // OK; STALE_EPOCH from an incarnation that is over. A report of one that is not known to live yet is kept, and counts
  // once it is.
  Status Record(idl::HeartbeatRequest heartbeat);

  const Server* Find(const ServerName& name) const;
  bool IsLive(const ServerName& name) const;
  // The report of a live server since its start; else null.
  const Report* ReportOf(const ServerName& name) const;
  // The tablet's entry in that report, or null.
  const idl::TabletLoad* LoadOf(const ServerName& name, TabletId tablet) const;
  // It reports that it leads the tablet in that epoch, and that its Barrier is committed.
  bool Leads(const ServerName& name, TabletId tablet, Epoch epoch) const;
  const std::map<ServerName, Server>& all() const { return servers_; }
  // Grows whenever a server appears, vanishes or changes its address.
  uint64_t version() const { return version_; }
  // The coordinator's present entry of the server.
  void SetNode(idl::ServerNode node);
  // Removes a server that the coordinator no longer has.
  void Forget(const ServerName& name);
  size_t live_count() const;
  size_t reporting_count(MonotonicTime since) const;  // of those that live
  size_t known_count() const;                         // that ever joined
  // Without the numbers of tablets, which the catalog knows.
  static PlannedServer ForPlanner(const ServerName& name, const Server& server);

 private:
  void ReadNames();
  void ReadLive(const ServerName& name);
  void OnLive(const ServerName& name, Result<coordination::Node> node, std::function<void()> again);
  void ReadNode(const ServerName& name);
  void SetLive(const ServerName& name, std::optional<idl::LiveNode> live);
  void FirstReadingStep();

  coordination::Coordinator& coordinator_;
  Executor& executor_;
  const std::function<void(const ServerName&)> on_change_;
  std::map<ServerName, Server> servers_;
  std::map<ServerName, uint64_t> rounds_;  // of reading /live/<name>: an older round's watch counts no more
  uint64_t names_round_ = 0;
  uint64_t version_ = 0;
  coordination::Callback<Status> started_;
  size_t first_reads_ = 0;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
