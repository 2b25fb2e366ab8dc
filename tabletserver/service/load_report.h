// tabletserver/service/load_report.h
// What heartbeats say of one replica's load: its decayed rates and their maxima, and where it is led, where its load
// could be cut in two.
// Life:    one for each replica, from the first heartbeat that tells of it. Rates go on whoever leads. Maxima and
//          findings begin anew when the replica begins to lead, and when its range changes: of a split neither half
//          inherits any.
// Place:   tabletserver_host.h fills its heartbeats with them.
// Threads: `control`.
#pragma once

#include <memory>

#include "common/base/executor.h"
#include "idl/master_types.h"
#include "tabletserver/reads/key_sampler.h"
#include "tabletserver/reads/load_meter.h"
#include "tabletserver/reads/tablet_handle.h"

namespace ebla::tabletserver {

class LoadReport {
 public:
  // Samples the meter and fills the load's figures.
  void Fill(TabletHandle& handle, const TabletView& view, MonotonicTime now, Duration peaks_of, idl::TabletLoad& load);

 private:
  void Learn(const TabletView& view);
  void Begin(const TabletHandle& handle, const TabletView& view, MonotonicTime now);
  void FillFinding(const TabletHandle& handle, const TabletView& view, idl::TabletLoad& load) const;

  LoadRates rates_;
  // Only while it leads.
  std::unique_ptr<KeySampler> sampler_;
  LoadPeaks peaks_;
  KeyRange range_;
  int64_t schema_version_ = 0;  // 0: none seen yet
  KeyGroupRule group_;
  int64_t split_bytes_ = 0;
};

}  // namespace ebla::tabletserver
