// master/procedures/merge_tablets.h
// Makes one tablet of two neighbours (PROTOCOL 14): both znodes name it and each other, both primaries freeze, and one
// Multi puts the new tablet in the place of the two. Its voters merge what they have of them.
//
//   znodes of 7: [a, m) epoch 3, 9: [m, z) epoch 5   intents drawn in one Multi: into 71, of epochs 3 and 5
//   orders to the primaries of 7 and of 9            FREEZE logged, applied, durable at every voter: 3.400 and 5.70
//   one Multi                                        71: [a, z) epoch 6, begins at 6.401, made of both; 7 and 9 are
//   gone 71's primary leads, its voters have merged them  `merged` goes from 71's znode
//
// Before the intents, where the two lie on different servers: the smaller one's replicas are moved to the other's, one
// at a time, by the same intents as an operator's moves. Nothing but this master's patience remembers what for.
// Giving up:  Where no two answers are there within kFreezePatience, a primary refuses, an epoch or a voter has
//             changed: both intents are marked, so that no other master goes on; then each side is taken to a later
//             epoch, which ends its freeze, and its intent goes once it is led there. Both pause no longer than that. A
//             primary that cannot be had to go on there is fenced.
// Resumption: the intents and `merged` say everything. Whoever comes to be master orders the same FREEZE again, goes on
//             giving up, or goes on telling the voters.
// Invariants: 1. The two are replaced only in the epochs in which they are frozen, by versions of their znodes.
//             2. An intent goes only with its tablet, or once its tablet is led in an epoch above its own.
//             3. `merged` goes only once a majority has the tablet, led, and no voter that lives may yet merge the two,
//                or has had long enough.
// Tests:      master/host/master_merge_test.cc, master/host/master_merge_given_up_test.cc,
//             master/host/master_merge_late_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "master/procedures/move_tablet.h"
#include "master/procedures/procedure.h"
#include "master/procedures/request_origin.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

inline constexpr Duration kFreezePatience = std::chrono::seconds(2);

// Two tablets of a table, of which one ends where the other begins.
struct Neighbours {
  TabletId left;
  TabletId right;
  friend bool operator==(const Neighbours&, const Neighbours&) = default;
};

std::string MergeTabletsName(const Neighbours& two);
std::string FinishMergeName(TabletId tablet);

// The tablet that begins at the key, and the one before it: NO_SUCH_TABLE; INVALID_ARGUMENT none begins there, or it is
// the first.
Result<Neighbours> FindNeighbours(const Image& image, const std::string& table, const std::string& key);
// Of open intents: who is on which side. None: the catalog has not both.
std::optional<Neighbours> NeighboursOf(const Image& image, const std::set<TabletId>& merging);
// NOT_FOUND one is gone; CONDITION_FAILED they are no neighbours.
Status CheckMerge(const Image& image, const Neighbours& two);

// The change that begins it, if both are settled and caught up on the same servers, or are being merged already;
// UNAVAILABLE: not at present.
Result<Change> BeginMerge(const Context& context, const TabletReconciler& reconciler, const Neighbours& two,
                          const RequestOrigin& origin);

// What a merge needs of the leader term.
struct MergeCallbacks {
  std::function<Status()> may_draw;          // an id
  std::function<void(TabletId)> on_decided;  // a merged tablet stands in the catalog
  std::function<bool()> cancelled;           // an operator wants it no more
  RequestOrigin origin = {};
};

// From the alignment to where the new tablet is led.
class MergeTablets final : public Procedure {
 public:
  // `begin_until`: where it has not begun by then, nor moves anything, it does not.
  MergeTablets(const Context& context, TabletReconciler& reconciler, Neighbours two, MergeCallbacks callbacks,
               MonotonicTime begin_until);
  ~MergeTablets() override;
  Subject subject() const override { return {.kind = "merge", .tablet = two_.left, .table = {}, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  using Done = coordination::Callback<Progress>;
  void Prepare(const TabletEntry& left, const TabletEntry& right, Done done);
  void Align(const TabletEntry& left, const TabletEntry& right, Done done);
  std::optional<WantedMove> NextMove(const TabletEntry& small, const TabletEntry& large, Status& why) const;
  void EndAlignment(Done done);
  int64_t SizeOf(const TabletEntry& tablet) const;
  void Begin(Done done);
  void Freeze(const TabletEntry& left, const TabletEntry& right, Done done);
  void OnFrozen(TabletId tablet, uint64_t round, Result<std::map<TabletId, idl::FreezeResult>> results);
  void EndRound(uint64_t round, Duration pause);
  void Decide(Done done);
  Result<Change> Replace(const Image& image) const;
  void GiveUp(std::string why, Done done);
  void Thaw(const TabletEntry& left, const TabletEntry& right, Done done);
  void AwaitLed(const TabletEntry& merged, Done done);

  const Context context_;
  TabletReconciler& reconciler_;
  const Neighbours two_;
  const MergeCallbacks callbacks_;
  MonotonicTime begin_until_;
  std::optional<WantedMove> moving_;              // its intent stands, or stood
  TabletId into_;                                 // once seen in the catalog
  MonotonicTime began_;                           // to freeze
  std::map<TabletId, idl::FreezeResult> frozen_;  // answered
  bool refused_ = false;                          // by a primary, for good
  Status why_;                                    // it has come no further
  std::optional<MonotonicTime> thawing_since_;
  // Orders under way.
  uint64_t round_ = 0;
  size_t waiting_ = 0;
  Done done_;
  TimerId timer_;
  CallbackGuard if_alive_;
};

// From there to where every voter has merged the two.
class FinishMerge final : public Procedure {
 public:
  FinishMerge(const Context& context, TabletId tablet) : context_(context), tablet_(tablet) {}
  Subject subject() const override { return {.kind = "unite", .tablet = tablet_, .table = {}, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  bool MayStillMerge(const TabletEntry& tablet, const ServerName& voter) const;
  bool HasMajority(const TabletEntry& tablet) const;
  void SendConfig(const TabletEntry& tablet, const ServerName& voter);
  void Close(coordination::Callback<Progress> done);

  const Context context_;
  const TabletId tablet_;
  Epoch epoch_;                    // in which...
  std::set<ServerName> informed_;  // ...these obeyed, or are being told
  std::optional<MonotonicTime> led_since_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
