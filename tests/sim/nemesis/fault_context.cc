#include "tests/sim/nemesis/fault_context.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;

}  // namespace

FaultContext::FaultContext(Cluster& cluster, NemesisHooks hooks)
    : cluster_(cluster),
      scheduler_(cluster.scheduler()),
      executor_(scheduler_),
      hooks_(std::move(hooks)),
      busy_(static_cast<size_t>(cluster.servers())) {}

Duration FaultContext::Within(Duration least, Duration most) {
  return least + Duration(static_cast<int64_t>(scheduler_.Random(static_cast<uint64_t>((most - least).count()) + 1)));
}

void FaultContext::Undisturbed(Duration lasting) {
  undisturbed_until_ = std::max(undisturbed_until_, scheduler_.Now() + lasting);
}

void FaultContext::After(Duration delay, std::function<void()> undo) {
  executor_.After(delay, [this, undo = std::move(undo)] {
    if (!healed_) undo();
  });
}

void FaultContext::Await(std::function<bool()> holds, Task then, int looks) {
  After(milliseconds(5), [this, holds = std::move(holds), then = std::make_shared<Task>(std::move(then)), looks] {
    if (holds()) return (*then)();
    if (looks > 0) Await(holds, [then] { (*then)(); }, looks - 1);
  });
}

const CatalogWatch::Tablet* FaultContext::InCatalog(TabletId tablet) const {
  const auto& tablets = hooks_.catalog().tablets();
  const auto found = std::ranges::find(tablets, tablet, [](const auto& item) { return item.second.id; });
  return found == tablets.end() ? nullptr : &found->second;
}

std::shared_ptr<const tabletserver::TabletView> FaultContext::ViewAt(int index, TabletId tablet) {
  if (cluster_.server(index) == nullptr) return nullptr;
  for (const auto& handle : cluster_.server(index)->host().directory().snapshot()->All()) {
    if (handle->tablet == tablet) return handle->view();
  }
  return nullptr;
}

int FaultContext::AnyPrimary() {
  const auto& tablets = hooks_.catalog().tablets();
  if (tablets.empty()) return -1;
  const auto& drawn = std::next(tablets.begin(), static_cast<ptrdiff_t>(scheduler_.Random(tablets.size())))->second;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Cluster::ServerName(i) == drawn.primary) return i;
  }
  return -1;
}

std::vector<int> FaultContext::FreeServers() {
  std::vector<int> free;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Free(i) && cluster_.server(i) != nullptr) free.push_back(i);
  }
  return free;
}

}  // namespace ebla::sim
