#include "master/balancer/planner/view.h"

#include <cmath>
#include <cstdio>
#include <set>

namespace ebla::master {
namespace {

Error Wrong(const std::string& what) { return {Code::kInvalidArgument, what}; }

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// "1,234,567"
std::string Grouped(double value) {
  std::string digits = std::to_string(std::llround(std::abs(value)));
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return (value < -0.5 ? "-" : "") + digits;
}

std::string Bytes(double bytes) {
  static constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  size_t unit = 0;
  while (std::abs(bytes) >= 1024 && unit + 1 < std::size(kUnits)) bytes /= 1024, ++unit;
  return Fixed(bytes, unit == 0 || std::abs(bytes) >= 100 ? 0 : 1) + kUnits[unit];
}

Status CheckTablet(const ClusterView& view, const TabletView& tablet) {
  const std::string name = "tablet " + std::to_string(tablet.id.value);
  if (!tablet.id) return Wrong("a tablet has no id");
  if (tablet.table >= view.tables.size()) return Wrong(name + " is of no table of the view");
  if (tablet.voters.empty()) return Wrong(name + " has no voters");
  if (tablet.learners_level > tablet.learners.size()) return Wrong(name + " has more level learners than learners");
  if (tablet.range.Empty()) return Wrong(name + " has an empty range");
  std::set<ServerIndex> seen;
  for (const Members* members : {&tablet.voters, &tablet.learners}) {
    for (const ServerIndex server : *members) {
      if (server >= view.servers.size()) return Wrong(name + " is on no server of the view");
      if (!seen.insert(server).second) return Wrong(name + " names " + view.servers[server].name + " twice");
    }
  }
  return {};
}

}  // namespace

Status CheckView(const ClusterView& view) {
  std::set<std::string> names;
  for (const PlannedServer& server : view.servers) {
    if (server.name.empty()) return Wrong("a server has no name");
    if (!names.insert(server.name).second) return Wrong("server " + server.name + " is named twice");
  }
  for (const TabletView& tablet : view.tablets) {
    EBLA_TRY(CheckTablet(view, tablet));
  }
  for (size_t i = 1; i < view.tablets.size(); ++i) {
    const TabletView& before = view.tablets[i - 1];
    const TabletView& tablet = view.tablets[i];
    const bool ordered = before.table != tablet.table
                             ? before.table < tablet.table
                             : !before.range.end.empty() && before.range.end <= tablet.range.start;
    if (!ordered) {
      return Wrong("tablets " + std::to_string(before.id.value) + " and " + std::to_string(tablet.id.value) +
                   " are not in the order of their ranges");
    }
  }
  return {};
}

Loads LoadsOf(const TabletView& tablet, bool leads) {
  const Rates& rates = leads ? tablet.led : tablet.followed;
  return {rates.cpu, rates.operations(), rates.write_bytes, static_cast<double>(tablet.size_bytes),
          1,         leads ? 1.0 : 0.0};
}

const char* Name(Dimension dimension) {
  static constexpr const char* kNames[] = {"cpu", "operations", "writes", "disk", "replicas", "primaries"};
  return kNames[static_cast<size_t>(dimension)];
}

std::string Amount(Dimension dimension, double amount) {
  switch (dimension) {
    case Dimension::kCpu: return Fixed(amount, 2) + " cores";
    case Dimension::kOperations: return Grouped(amount) + " operations/s";
    case Dimension::kWriteBytes: return Bytes(amount) + "/s written";
    case Dimension::kDisk: return Bytes(amount);
    case Dimension::kReplicas: return Grouped(amount) + " replicas";
    case Dimension::kPrimaries: return Grouped(amount) + " primaries";
  }
  return "";
}

std::string Amount(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 120) return std::to_string(std::llround(seconds)) + " s";
  if (seconds < 7'200) return std::to_string(std::llround(seconds / 60)) + " min";
  return Fixed(seconds / 3'600, 1) + " h";
}

std::string Lasting(Duration lasted, Duration needed) {
  return " for " + Amount(lasted) + "; the planner acts after " + Amount(needed);
}

}  // namespace ebla::master
