#include "master/procedures/context.h"

namespace ebla::master {

ClusterView ViewCluster(const Image& image, const Servers& servers) {
  ClusterView view;
  for (const auto& [name, server] : servers.all()) {
    PlannedServer planned = servers.ForPlanner(name, server);
    planned.tablets = image.HeldBy(name).size();
    planned.primaries = image.LedBy(name).size();
    view.servers.push_back(std::move(planned));
  }
  return view;
}

}  // namespace ebla::master
