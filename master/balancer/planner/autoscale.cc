#include "master/balancer/planner/autoscale.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "common/base/count.h"

namespace ebla::master {
namespace {

std::string Percent(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f%%", part * 100);
  return text;
}

// The use of a number of servers relative to its target: 1 is all of it.
struct Use {
  double part = 0;
  std::string text;  // "84% of 20,000 operations/s on each of 4 servers"
};

class Scale {
 public:
  Scale(Pass& pass, const ServerLoads& loads)
      : pass_(pass), options_(pass.options.autoscale), loads_(loads), memory_(pass.memory.scale) {}

  void Run() {
    if (Release()) return;
    const size_t servers = loads_.members();
    const Use now = UseOf(servers);
    const bool over = now.part > 1;
    const Use fewer = UseOf(servers - (servers > 0 ? 1 : 0));
    const bool under = !over && servers > 1 && fewer.part < options_.release_below;
    Count(memory_.over, over);
    Count(memory_.under, under);
    if (over) Grow(now);
    if (under) Shrink(now, fewer);
  }

 private:
  const PlannedServer& Server(ServerIndex server) const { return pass_.view.servers[server]; }

  void Count(Streak& streak, bool holds) const {
    if (holds) {
      streak.Count(pass_.now(), pass_.options.gap_max);
    } else {
      streak = {};
    }
  }

  // The use if all load were spread over so many servers.
  Use UseOf(size_t servers) const {
    Use use;
    if (servers == 0) return use;
    const auto weigh = [&](double all, double target, const std::string& what) {
      const double part = target > 0 ? all / (target * static_cast<double>(servers)) : 0;
      if (part <= use.part) return;
      use = {part, Percent(part) + " of " + what + " on each of " + ebla::Count(servers, "server")};
    };
    const auto all = [&](Dimension d) { return loads_.mean(d) * static_cast<double>(loads_.members()); };
    weigh(all(Dimension::kOperations), options_.operations_per_server,
          Amount(Dimension::kOperations, options_.operations_per_server));
    weigh(all(Dimension::kCpu), options_.cores_per_server, Amount(Dimension::kCpu, options_.cores_per_server));
    double disk = 0, used = 0, known = 0;
    for (ServerIndex i = 0; i < pass_.view.servers.size(); ++i) {
      const PlannedServer& server = Server(i);
      if (server.disk_total_bytes == 0 || (!loads_.member(i) && !server.draining)) continue;
      used += static_cast<double>(server.disk_total_bytes - server.disk_free_bytes);
      if (!loads_.member(i)) continue;
      disk += static_cast<double>(server.disk_total_bytes);
      ++known;
    }
    // The use of the average disk.
    if (known > 0) {
      const double target = options_.disk_fraction * disk / known;
      weigh(used, target, Amount(Dimension::kDisk, target));
    }
    return use;
  }

  // A surplus server that holds nothing any more.
  bool Release() {
    std::vector<bool> holds(pass_.view.servers.size());
    bool surplus = false;
    for (const PlannedServer& server : pass_.view.servers) surplus |= server.surplus && server.draining && server.live;
    if (!surplus) return false;
    for (const TabletView& tablet : pass_.view.tablets) {
      for (const ServerIndex voter : tablet.voters) holds[voter] = true;
      for (const ServerIndex learner : tablet.learners) holds[learner] = true;
    }
    for (ServerIndex i = 0; i < pass_.view.servers.size(); ++i) {
      if (!Server(i).surplus || !Server(i).draining || !Server(i).live || holds[i]) continue;
      Decide({.kind = ActionKind::kReleaseServer, .from = Server(i).name, .reason = "it holds no replica any more"});
      return true;
    }
    return false;
  }

  std::optional<ServerIndex> Draining() const {
    for (ServerIndex i = 0; i < pass_.view.servers.size(); ++i) {
      if (Server(i).live && Server(i).draining && Server(i).surplus) return i;
    }
    return std::nullopt;
  }

  void Grow(const Use& use) {
    if (!Lasts(memory_.over, options_.over_sustained, use.text)) return;
    if (const auto draining = Draining()) {
      if (Decide({.kind = ActionKind::kKeepServer, .from = Server(*draining).name, .reason = use.text}))
        memory_.over = {};
      return;
    }
    if (!Rested(memory_.grown, options_.after_growth, use.text)) return;
    const size_t known = KnownServers();
    if (known >= options_.servers_max) {
      return Refuse(Cause::kBounds, use.text + "; " + ebla::Count(known, "server") + ", the most allowed");
    }
    if (!Decide({.kind = ActionKind::kAddServer, .reason = use.text})) return;
    memory_.grown = pass_.now();
    memory_.over = {};
  }

  void Shrink(const Use& now, const Use& fewer) {
    const std::string text = now.text + ", " + (fewer.text.empty() ? "nothing" : fewer.text);
    if (Draining() || !Lasts(memory_.under, options_.under_sustained, text)) return;
    if (!Rested(std::max(memory_.released, memory_.grown), options_.after_release, text)) return;
    if (loads_.members() <= options_.servers_min) {
      return Refuse(Cause::kBounds, text + "; " + ebla::Count(options_.servers_min, "server") + ", the fewest allowed");
    }
    // The server with the least load.
    std::optional<ServerIndex> least;
    for (ServerIndex i = 0; i < pass_.view.servers.size(); ++i) {
      if (!loads_.member(i) || !Server(i).usable()) continue;
      if (!least || loads_.load(i, Dimension::kDisk) < loads_.load(*least, Dimension::kDisk)) least = i;
    }
    if (!least) return;
    if (const Status status = CanDrain(pass_.view, *least, pass_.options.disk_kept_free); !status.ok()) {
      return Refuse(Cause::kNoPlace, text + "; " + status.message());
    }
    if (!Decide({.kind = ActionKind::kDrainServer, .from = Server(*least).name, .reason = text})) return;
    memory_.released = pass_.now();
    memory_.under = {};
  }

  // All that may come back count: a server that is away for a while is not replaced by a new one and kept as well.
  size_t KnownServers() const {
    return static_cast<size_t>(
        std::ranges::count_if(pass_.view.servers, [](const PlannedServer& server) { return !server.lost; }));
  }

  bool Lasts(const Streak& streak, Duration time, const std::string& text) {
    if (streak.Lasts(pass_.now(), time, 3)) return true;
    Refuse(Cause::kNotYet, text + Lasting(pass_.now() - streak.since, time));
    return false;
  }

  bool Rested(MonotonicTime last, Duration rest, const std::string& text) {
    if (last == MonotonicTime{} || pass_.now() - last >= rest) return true;
    Refuse(Cause::kCoolDown,
           text + "; the last change was " + Amount(pass_.now() - last) + " ago, and the next waits " + Amount(rest));
    return false;
  }

  void Refuse(Cause cause, const std::string& detail) {
    pass_.Reject(Rule::kAutoscale, cause, {}, "", [&] { return detail; });
  }

  // False: only said.
  bool Decide(Action action) {
    action.rule = Rule::kAutoscale;
    if (options_.dry_run) {
      pass_.Reject(Rule::kAutoscale, Cause::kDryRun, {}, action.from,
                   [&] { return ToString(action) + ": " + action.reason; });
      return false;
    }
    pass_.plan.actions.push_back(std::move(action));
    return true;
  }

  Pass& pass_;
  const AutoscaleOptions& options_;
  const ServerLoads& loads_;
  ScaleMemory& memory_;
};

}  // namespace

Status CanDrain(const ClusterView& view, ServerIndex server, double disk_kept_free) {
  const std::string& name = view.servers[server].name;
  size_t usable = 0;
  double room = 0;
  bool known = true;
  for (ServerIndex i = 0; i < view.servers.size(); ++i) {
    const PlannedServer& other = view.servers[i];
    if (i == server || !other.usable()) continue;
    ++usable;
    known = known && other.disk_total_bytes > 0;
    const double kept = disk_kept_free * static_cast<double>(other.disk_total_bytes);
    room += std::max(0.0, static_cast<double>(other.disk_free_bytes) - kept);
  }
  double bytes = 0;
  for (const TabletView& tablet : view.tablets) {
    if (!tablet.voters.Contains(server)) continue;
    bytes += static_cast<double>(tablet.size_bytes);
    if (tablet.voters.size() > usable) {
      return Error(Code::kConditionFailed, "server " + name + " cannot be drained: tablet " +
                                               std::to_string(tablet.id.value) + " has " +
                                               ebla::Count(tablet.voters.size(), "replica") + ", and " +
                                               ebla::Count(usable, "other server") + " may take one");
    }
  }
  if (known && bytes > room) {
    return Error(Code::kConditionFailed, "server " + name + " cannot be drained: it holds " +
                                             Amount(Dimension::kDisk, bytes) +
                                             ", and the other servers have room for " + Amount(Dimension::kDisk, room));
  }
  return {};
}

void PlanScale(Pass& pass, const ServerLoads& loads) { Scale(pass, loads).Run(); }

}  // namespace ebla::master
