// master/procedures/adopt.h
// Takes into the catalog what tablet servers report beyond it, after the coordinator was restored from an older state
// (PROTOCOL 24): tables and tablets that it never drew, epochs that it never reached, schemas that it never saw. Until
// then the master is in safe mode: it repairs nothing, drops nothing and draws no id.
// Planning:   Pure, from the image and the last reports, the same each time until something changes.
//             A tablet that somebody leads goes on, unless another has an entry of a later epoch: its primary knows its
//             voters. Of one that nobody leads nobody knows the voters any more: it begins with the longest complete
//             log, alone, and all others who have it become learners, promoted as soon as they are level.
//             A tablet of a table in memory that nobody has any more, as all who had it have restarted, begins empty.
//             Where replicas have different ranges the narrowest is right: splits alone change one, and who has applied
//             a split knows it to be committed. A split that the catalog has begun is left to be completed, unless
//             another one came after it. No two tablets may come to overlap, and of a parent nothing is adopted without
//             its children. What lies within one of a greater id that is whole was merged into it: that one's replicas
//             are made only once the catalog has it in the place of the others. Those go; so does one that nobody
//             reports and that several of greater ids have the whole range of: merged, and that split elsewhere. An
//             intent to merge with one that goes does not stay.
//             A tablet of which a replica has promised an epoch that no master outbids by itself, as one that had gone
//             mad asked for it, is adopted, too.
//             Epochs and the next id are set kMargin above all reports: a server that is away may have led, or hold,
//             some that nobody else knows, and none must be drawn again.
// Requires:   every server that is known lives and has said what it holds, unless an operator names it as gone for
//             good: the longest log of all then has what was acknowledged, unless a primary serves still whose own
//             epoch's Barrier is not committed (only writes of level PRIMARY can be acknowledged there: they are kept,
//             as ever), or a complete replica had forgotten. What servers that are given up last reported counts for
//             epochs and ids.
// Writing:    Tables and tablets, in several Multis; the next id last. Until that stands ids beyond it are reported, so
//             that the master stays in safe mode and takes nothing for an orphan. Children before parents: while an
//             intent names a child, it is no orphan either. A successor that is asked again goes on.
// Threads:    PlanAdoption: a function of its arguments; AdoptCluster: the master's executor.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

struct Adoption {
  std::vector<std::string> problems;  // what must be put right first
  std::vector<std::string> notes;     // what is given up, or left over
  std::vector<idl::AdoptedTable> tables;
  std::vector<idl::AdoptedTablet> tablets;  // the greatest id first
  std::set<TabletId> superseded;            // of the catalog: merged, since, into one that is adopted
  std::map<int64_t, int64_t> parents;       // of those that are known to have been split off
  uint64_t next_id = 0;                     // as it shall be
  std::string driven_up;                    // who has promised an epoch that no master comes to; empty: nobody

  bool empty(const Image& image) const {
    return tables.empty() && tablets.empty() && superseded.empty() && next_id == image.next_id();
  }
};

// `without`: servers that are gone for good.
Adoption PlanAdoption(const Image& image, const Servers& servers, const std::vector<ServerName>& without);

inline constexpr char kAdoptName[] = "adopt what the catalog has forgotten";

class AdoptCluster final : public Procedure {
 public:
  // `on_adopted`: the catalog has what was reported.
  AdoptCluster(const Context& context, std::vector<ServerName> without, MonotonicTime until,
               std::function<void()> on_adopted)
      : Procedure(until), context_(context), without_(std::move(without)), on_adopted_(std::move(on_adopted)) {}
  Subject subject() const override { return {.kind = "adopt", .tablet = {}, .table = {}, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  Result<Change> Next(const Image& image) const;

  const Context context_;
  const std::vector<ServerName> without_;
  const std::function<void()> on_adopted_;
};

}  // namespace ebla::master
