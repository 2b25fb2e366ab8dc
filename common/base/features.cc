#include "common/base/features.h"

#include <string>

namespace ebla {

std::string UntilFeature(const Feature& feature) {
  return "until all processes of the cluster speak feature level " + std::to_string(feature.level) +
         ": `ebla cluster version` names those that do not";
}

Status CheckLevel(int own, int cluster) {
  if (own >= cluster) return {};
  return Error(Code::kInvalidArgument, "this build speaks feature level " + std::to_string(own) +
                                           ", and the cluster is at level " + std::to_string(cluster) +
                                           ": it cannot read messages of the other processes. Start a build of level " +
                                           std::to_string(cluster) +
                                           " or above; `ebla cluster version` names the versions that run");
}

}  // namespace ebla
