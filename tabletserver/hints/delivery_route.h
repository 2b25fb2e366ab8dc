// tabletserver/hints/delivery_route.h
// Sends one accepted write to its key's primary, once: to the shard if the primary is on this server, else over the
// network to the primary that the local replica names. Without a local replica, or if that primary does not answer, the
// master names the primary; its answers are cached until they prove wrong.
// Place:      hint_delivery.h sends through it and decides on retries.
// Bounds:     as many sends under way as its owner begins; one question to the master at a time.
// Threads:    everything on its executor. Destroyed when that runs nothing any more.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/rpc/channel.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/transport/peer_book.h"

namespace ebla::tabletserver {

class Shard;

class DeliveryRoute {
 public:
  struct Ports {
    Executor& executor;
    const TabletDirectory& directory;
    std::vector<Shard*> shards;
    const PeerBook& peers;
    rpc::Connector& connector;
  };
  struct Options {
    Duration attempt = std::chrono::seconds(2);   // of each call
    Duration distrust = std::chrono::seconds(1);  // of a primary that did not answer, or said that it is none
  };
  // OK: committed, or lost against a later write that is. CONDITION_FAILED: too old to be taken. NO_SUCH_TABLE:
  //     dropped.
  // INVALID_ARGUMENT: never. Anything else: perhaps another time.
  using Done = std::move_only_function<void(Status)>;

  DeliveryRoute(Options options, Ports ports) : options_(options), ports_(std::move(ports)) {}

  // `effect` lives until `done`, which never runs inside this call.
  void Send(TableId table, const Effect& effect, Done done);

 private:
  struct Parcel {
    TableId table;
    const Effect* effect;
    Done done;
    bool asked_master = false;
    std::string target;  // of the attempt under way: what is distrusted when it fails
  };
  struct Place {
    KeyRange range;
    rpc::Endpoint primary;
  };

  void Try(Parcel parcel);
  void SendHere(const std::shared_ptr<TabletHandle>& handle, Parcel parcel);
  void SendTo(const rpc::Endpoint& endpoint, Parcel parcel);
  void OnAnswer(Parcel parcel, Status status);
  void AskMaster(Parcel parcel);
  void AskNext();
  void OnLocated(const idl::LocateReply& reply);
  bool Distrusted(const std::string& target);
  std::optional<rpc::Endpoint> Remembered(TableId table, const std::string& key) const;
  static WriteRequest RequestOf(const Effect& effect);
  static idl::WriteRequest RequestTo(TableId table, const Effect& effect, Duration deadline);

  const Options options_;
  const Ports ports_;
  std::map<rpc::Endpoint, std::shared_ptr<idl::TabletServiceCobSvIf>> servers_;
  std::map<rpc::Endpoint, std::shared_ptr<idl::MasterServiceCobSvIf>> masters_;
  std::map<std::string, MonotonicTime> distrusted_;          // until when
  std::map<std::pair<TableId, std::string>, Place> places_;  // by range start
  std::deque<Parcel> asking_;                                // the first one's key is being asked for
  std::optional<rpc::Endpoint> leader_;                      // as a standby said
};

}  // namespace ebla::tabletserver
