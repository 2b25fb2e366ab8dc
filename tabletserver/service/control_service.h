// tabletserver/service/control_service.h
// The request handler for the master: accepts only orders that name this server, this start of it and no older term
// than the latest it has seen, makes tables in the store, and passes each tablet's order to its shard.
// Place:   registered with the Dispatcher.
//          A configuration's term is checked again in the shard's turn: it waits for the table before (PROTOCOL 28).
// Order:   a term is raised in memory before anything of its order is done (heartbeater.h says why memory is enough).
// Threads: calls on any thread; replies leave on whichever thread the last tablet was settled.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/lineage.h"
#include "common/base/refusals.h"
#include "idl/ControlService.h"
#include "tabletserver/maintenance/compactor.h"
#include "tabletserver/maintenance/scrubber.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/day_clock.h"
#include "tabletserver/transport/heartbeater.h"
#include "tabletserver/transport/peer_book.h"

namespace ebla::tabletserver {

class TabletOrders;

class ControlService final : public idl::ControlServiceCobSvIf {
 public:
  struct Ports {
    ServerName name;
    Incarnation incarnation;
    std::function<std::string()> cluster_id;  // empty: not known yet
    SeenTerm& term;
    TabletStore& store;
    const TabletDirectory& directory;
    Executor& background;
    std::vector<TabletOrders*> shards;
    PeerBook& peers;
    Compactor& compactor;
    Scrubber& scrubber;
    Refusals& refusals;
    const DayClock& day_clock;
    std::function<void(int64_t masters_day_ms, const std::string& boot)> compare_clock;
    std::function<Status()> accept_clock;  // waits for the disk
  };

  explicit ControlService(Ports ports) : ports_(std::move(ports)) {}

  template <class Reply>
  using Cob = std::function<void(const Reply&)>;

  void configure(Cob<idl::ConfigureReply> cob, const idl::ConfigureRequest& request) override;
  void fence(Cob<idl::FenceReply> cob, const idl::FenceRequest& request) override;
  void split(Cob<idl::SplitReply> cob, const idl::SplitRequest& request) override;
  void freeze(Cob<idl::FreezeReply> cob, const idl::FreezeRequest& request) override;
  void drop(Cob<idl::DropReply> cob, const idl::DropRequest& request) override;
  void transfer(Cob<idl::TransferReply> cob, const idl::TransferRequest& request) override;
  void alter(Cob<idl::AlterReply> cob, const idl::AlterRequest& request) override;
  void dropTableData(Cob<idl::DropTableReply> cob, const idl::DropTableRequest& request) override;
  void compactTableData(Cob<idl::CompactReply> cob, const idl::CompactRequest& request) override;
  void scrub(Cob<idl::ScrubReply> cob, const idl::ScrubRequest& request) override;
  void acceptClock(Cob<idl::AcceptClockReply> cob, const idl::AcceptClockRequest& request) override;

 private:
  template <class Reply, class Request, class Start, class Fill>
  void ForEachTablet(Cob<Reply> cob, const Request& request, Start start, Fill fill);
  Status CheckHeader(const idl::ControlHeader& header) const;
  Status CheckTerm(int64_t term) const;  // of a master
  TabletOrders& OrdersOf(TabletId tablet) const { return *ports_.shards[ShardOfLineage(tablet, ports_.shards.size())]; }

  const Ports ports_;
};

}  // namespace ebla::tabletserver
