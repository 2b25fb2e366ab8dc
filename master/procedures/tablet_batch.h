// master/procedures/tablet_batch.h
// Brings a batch of tablets, all of one server, to be led as the catalog says:
//   CREATING, never refused        -> Configure(born) -> the catalog says SERVING
//   anything not led as it should  -> Fence(e+1) at the voters -> choose -> compare-and-set {e+1, primary}
//                                  -> Configure(fenced, presumed)
// Place:      tablet_steward.h decides which tablets need it, and tries again what comes back unfinished.
// Invariants: 1. Configure is sent only for an epoch and primary that this master's image holds: its own
//                compare-and-set, or what a creation put there. A change whose outcome is unknown sends nothing.
//             2. `born` is said only of tablets that are CREATING: they never served anybody.
//             3. A compare-and-set names the znode's version read before the Fence was sent.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "master/procedures/choose_primary.h"
#include "master/procedures/context.h"

namespace ebla::master {

inline constexpr size_t kTabletsPerBatchMax = 256;

// One tablet of a batch: what is to be done, then how far it came.
struct BatchItem {
  TabletId tablet;
  bool fence = false;      // else Configure what the catalog says
  Epoch fence_floor;       // fence above this too: an epoch promised already
  std::optional<PrimaryChoice> choice;  // of the fence, or of an earlier attempt's whose Configure is to be repeated

  // Filled by the batch.
  int version = 0;         // of the znode when it began
  Epoch epoch;             // fenced, then configured
  std::vector<FenceAnswer> answers;
  Incarnation incarnation;  // of the primary that was told
  Epoch promised;          // by whoever refused
  bool moved = false;      // the catalog holds {epoch, primary} of this batch
  bool led = false;        // the primary obeyed
  bool refused = false;    // it answered and will never obey this epoch
  Status status;           // why it was not led
};

class TabletBatch : public std::enable_shared_from_this<TabletBatch> {
 public:
  using Done = coordination::Callback<std::vector<BatchItem>>;

  // `context` outlives the batch, or its link and catalog forget their callbacks first.
  TabletBatch(const Context& context, std::vector<BatchItem> items, Done done);
  void Start();

 private:
  void Fence();
  void OnFenced(const ServerName& server, Result<std::map<TabletId, idl::FenceResult>> results);
  void TakeAnswer(BatchItem& item, const ServerName& server, const idl::FenceResult& result);
  void Choose();
  void Move();
  void Configure();
  idl::ConfigureTablet Order(const BatchItem& item, const TabletEntry& tablet, const TableEntry& table) const;
  void OnConfigured(const ServerName& server, Result<std::map<TabletId, idl::ConfigureResult>> results);
  void MarkServing();
  void Finish();

  const Context context_;
  std::vector<BatchItem> items_;
  Done done_;
  size_t waiting_ = 0;  // for answers of servers
};

}  // namespace ebla::master
