// tabletserver/service/load_report.h
// One replica's load in heartbeats: its decayed rates and their maxima, and at the primary, a cut of its load in two.
// Life:    one for each replica, from the first heartbeat that tells of it. Rates continue under any primary. Maxima
//          and findings restart when the replica begins to lead, and when its range changes, so that neither half of a
//          split inherits any.
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
