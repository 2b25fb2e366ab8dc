// master/procedures/adopt.h
// Adds to the catalog what tablet servers report beyond it, after the coordinator was restored from an older state
// (PROTOCOL 24): tables and tablets that it never drew, epochs that it never reached, schemas that it never saw. Until
// then the master is in safe mode, in which it repairs nothing, drops nothing and draws no id.
// Planning:   Pure, from the image and the last reports, the same each time until something changes.
//             A tablet with a primary continues, unless some replica has an entry of a later epoch, because the primary
//             knows its voters. Without a primary the voters are unknown. The tablet then begins with the longest
//             complete log as its only voter, and all further holders become learners, which are promoted as soon as
//             they are level.
//             A tablet of a table in memory that no server holds any more, because all holders have restarted, begins
//             empty.
//             If replicas have different ranges, the narrowest is right, because only splits change a range, and a
//             replica that has applied a split knows it to be committed. A split that the catalog has begun is left to
//             be completed, unless another one followed it. No two tablets may overlap, and no parent is adopted
//             without its children. A tablet within the range of a whole tablet of a greater id was merged into it. The
//             replicas of that greater one are made only once it has replaced its parts in the catalog, and its parts
//             are dropped. A tablet that no server reports, and whose whole range several tablets of greater ids have,
//             was merged and split again, and is dropped, too. An intent to merge with a dropped tablet does not stay.
//             A tablet is also adopted if a replica has promised an epoch that no master outbids by itself, because a
//             mad master asked for it.
//             Epochs and the next id are set kMargin above all reports. A server that is away may lead or hold some
//             that no other server knows, and none must be drawn again.
// Requires:   every known server lives and has reported what it holds, unless an operator names it as gone for good.
//             The longest log of all then has every acknowledged write, with two exceptions. A primary may still serve
//             whose own epoch's Barrier is not committed; only writes of level PRIMARY can be acknowledged there, and
//             they stay unresolved. And a complete replica in memory may have lost its records. The last reports of
//             given-up servers count for epochs and ids.
// Writing:    Tables and tablets, in several Multis; the next id last. Until it is written, ids beyond it are reported,
//             so that the master stays in safe mode and takes nothing for an orphan. Children are written before
//             parents, because a child that an intent names is no orphan either. A successor that is asked again
//             continues.
// Tests:      master/host/master_adopt_test.cc, master/host/master_adopt_lineage_test.cc
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
  std::string driven_up;                    // the replica that has promised an impossible epoch; empty: none

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
