#include "tests/chaos/verdicts/footprint.h"

namespace ebla::chaos {
namespace {

std::string FootprintText(int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void Footprint::Sample(int64_t bytes, const std::string& when) {
  ++samples_;
  if (static_cast<double>(bytes) > static_cast<double>(base_ + bound_) * (1 + kSlack)) ++above_;
  if (bytes <= peak_) return;
  peak_ = bytes;
  peak_when_ = when;
}

std::vector<std::string> Footprint::Judge() const {
  std::vector<std::string> problems;
  const std::string peak = FootprintText(peak_) + " were resident " + peak_when_;
  const std::string allowed =
      "a bound of " + FootprintText(bound_) + " and " + FootprintText(base_) + " that it takes empty";
  if (above_ > 0)
    problems.push_back(peak + ", with " + allowed + "; " + std::to_string(above_) + " of " + std::to_string(samples_) +
                       " samples were too high");
  if (!Tried()) problems.push_back("the bound was not tried: at most " + peak + ", with " + allowed);
  return problems;
}

}  // namespace ebla::chaos
