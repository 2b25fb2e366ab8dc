// master/procedures/tablet_batch.h
// The end of every change of a tablet's primary or members, for a batch of tablets:
//   [compare-and-set of the znode to `next`] -> Configure, the primary first -> [CREATING: the catalog becomes SERVING]
// A transfer takes two batches. The first is the compare-and-set. The second configures, without the coordinator, once
// the previous primary has released the tablet.
// Place:      fence_round.h and tablet_reconciler.h decide `next`. The reconciler decides which tablets need it, and
//             tries unfinished ones again.
// Invariants: 1. Configure is sent only for an epoch and primary that this master's image holds. A change whose outcome
//                is unknown sends nothing.
//             2. A primary gets `born` only while its tablet is CREATING, because it never served. Another voter also
//                gets it during the first epoch, when it cannot have been removed (PROTOCOL 6).
//             3. A tablet is marked SERVING only once a majority of its voters has it, so that any later fence meets
//                one that does.
//             4. A batch that changes nothing in the catalog waits for no other change of it.
//             5. A server that does not answer delays the end of its batch, never its own Configure.
// Tests:      master/host/master_transfer_test.cc, master/host/master_failover_test.cc
// Threads:    thread-compatible; the master's executor. `done` may not destroy the batch.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "master/procedures/context.h"

namespace ebla::master {

inline constexpr size_t kTabletsPerBatchMax = 256;

// Why the primary may lead the epoch that it is told of (PROTOCOL 1).
enum class Title {
  kNew,          // an id that was just drawn, so no replica can have promised a higher epoch
  kFenced,       // a majority has promised it
  kMember,       // it leads already: the membership changes, nothing else
  kTransferred,  // the primary before has transferred to it
};

// Why the primary may lead its epoch, and what it is told to begin with.
struct Mandate {
  Title title = Title::kNew;
  Version presumed;                         // the log that the primary must have; none: nothing is presumed
  bool anew = false;                        // the primary begins it empty, because no replica has its data any more
  bool sole_log = false;                    // of a memory tablet: no other voter has a log
  bool loss_accepted = false;               // an operator accepts what the primary's disk lost
  std::vector<idl::LostSplit> lost_splits;  // which the primary's lacks: it logs them again
  int64_t tablet_time_ms = 0;               // the greatest that the fence or the transfer told; 0: none
  int64_t time_of_day_ms = 0;               // then: the median of the fence's answers; 0: there was no fence
};

// One tablet of a batch: its next configuration, then its progress.
struct BatchItem {
  TabletId tablet;
  Mandate mandate;
  std::optional<idl::TabletNode> next;   // the znode to be written first; none: the catalog has it already
  int version = 0;                       // of the znode that `next` replaces
  bool untold = false;                   // the catalog alone changes; no server is told yet
  Epoch epoch;                           // to be led
  std::vector<TabletId> raised;          // lost splits' children: none has an epoch below `epoch` after the change
  std::optional<idl::TabletNode> child;  // of a split that the change completes

  // Filled by the batch.
  Incarnation incarnation;  // of the primary that was told...
  MonotonicTime told;       // ...at this time
  Epoch promised;           // by the replica that refused
  bool moved = false;       // the catalog has it
  bool led = false;         // the primary obeyed
  bool refused = false;     // it answered and will never obey this epoch
  Status status;            // why it was not led
};

// The Configure of a tablet as the catalog has it, except the title and what depends on it.
idl::ConfigureTablet ConfigureOrder(const Context& context, const TabletEntry& tablet, const TableEntry& table);

class TabletBatch {
 public:
  using Done = coordination::Callback<std::vector<BatchItem>>;

  TabletBatch(const Context& context, std::vector<BatchItem> items, Done done);
  ~TabletBatch();
  TabletBatch(const TabletBatch&) = delete;
  void Start();

 private:
  using Orders = std::map<ServerName, std::vector<idl::ConfigureTablet>>;
  using Results = Result<std::map<TabletId, idl::ConfigureResult>>;
  // How far the telling of one tablet's replicas is.
  struct Telling {
    bool creating = false;
    bool primary_answered = false;
    size_t voters = 0;
    size_t unanswered = 0;
    size_t obeyed = 0;  // voters

    // A tablet being created waits for a majority; for every other tablet, the primary's answer decides.
    bool Settled() const { return unanswered == 0 || (primary_answered && (!creating || obeyed > voters / 2)); }
  };

  void Move();
  static void PutKin(const BatchItem& item, const Image& image, Change& change);
  void Configure();
  idl::ConfigureTablet Order(const BatchItem& item, const TabletEntry& tablet, const TableEntry& table) const;
  void SendOrders(Orders orders);
  void OnConfigured(const ServerName& server, const std::set<TabletId>& ordered, const Results& results);
  void TakeResult(BatchItem& item, const ServerName& server, const Results& results);
  void MarkServing();
  void Finish();

  const Context context_;
  std::vector<BatchItem> items_;
  Done done_;
  std::map<TabletId, Telling> telling_;
  bool marking_ = false;
  TimerId timer_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
