// tabletserver/transport/copy_source.h
// Carries out one copy of a tablet at its source (PROTOCOL 9). Begins it at the peer with the applied state and dedup
// window of its start, sends the records in key order in chunks of about a mebibyte, read while writes continue, and
// reports the position up to which they were read. Appends send the log from the start on meanwhile
// (replication/leadership.h).
// Place:      shard/outgoing_copies.h makes one for each StartCopy and passes its news to the core;
//             service/copy_handler.h is the other end.
// Invariants: 1. One request is in flight. A lost one is sent again a few times: each is idempotent.
//             2. Every chunk is read at or past the start, and at or before the last reported position.
//             3. News arrive in order: accepted, then arrived; or the end with its cause. After Cancel() at most one
//                that is already on its way arrives.
// Threads:    Begin and Cancel from any; the rest on `background`, where `on_news` is called.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "idl/ReplicationService.h"
#include "tabletserver/replication/replica_types.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/transport/copy_throttle.h"
#include "tabletserver/transport/copy_types.h"

namespace ebla::tabletserver {

// The copied tablet, as of the copy's start.
struct CopyOrder {
  TabletId tablet;
  TableId table;
  StartCopy start;
  AppliedState applied;
  std::vector<DedupRow> dedup_window;
  std::string schema;  // encoded
};

class CopySource : public std::enable_shared_from_this<CopySource> {
 public:
  using Options = CopyOptions;
  struct Ports {
    Executor& background;
    TabletStore& store;
    CopyThrottle& throttle;
    std::shared_ptr<idl::ReplicationServiceCobSvIf> peer;
    idl::PeerHeader header;  // of every request
  };
  using OnNews = std::function<void(CopyNews::Kind)>;

  // Kept alive by what it waits for, until it has ended.
  static std::shared_ptr<CopySource> Begin(Ports ports, CopyOrder order, OnNews on_news) {
    return Begin(std::move(ports), std::move(order), std::move(on_news), Options());
  }
  static std::shared_ptr<CopySource> Begin(Ports ports, CopyOrder order, OnNews on_news, Options options);
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  enum class Phase : uint8_t { kBegin, kChunks, kArrive };
  CopySource(Ports ports, CopyOrder order, OnNews on_news, Options options);

  void SendBegin();
  void SendChunk();
  Status ReadChunk(idl::CopyChunk& chunk, size_t& bytes);
  void SendArrived();
  void Send(idl::CopyRequest request, size_t bytes, Duration patience);
  void Attempt();
  void OnReply(uint64_t number, const Status& status);
  void SendNext();
  void End(CopyNews::Kind kind, const Status& why);
  idl::CopyRequest Request() const;
  // Runs on `background`, unless cancelled by then.
  void Later(Duration delay, void (CopySource::*step)());

  const Ports ports_;
  const CopyOrder order_;
  const OnNews on_news_;
  const Options options_;
  std::atomic<bool> cancelled_{false};

  // `background` only.
  Phase phase_ = Phase::kBegin;
  size_t rows_sent_ = 0;  // of the dedup window, answered
  size_t rows_under_way_ = 0;
  std::string next_;  // the key at which the next chunk begins
  bool chunks_done_ = false;
  Lsn upto_;
  idl::CopyRequest request_;  // in flight
  size_t request_bytes_ = 0;
  int attempts_ = 0;
  uint64_t number_ = 0;  // of the attempt in flight: an answer to an earlier one is passed over
  int64_t records_ = 0;
};

}  // namespace ebla::tabletserver
