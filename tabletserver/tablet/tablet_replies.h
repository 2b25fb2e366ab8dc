// tabletserver/tablet/tablet_replies.h
// The answers of a tablet's core that wait for its next output.
// Place:   every part answers here; tablet_core.h hands them out.
// Threads: thread-compatible.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/tablet_io.h"

namespace ebla::tabletserver {

class TabletReplies {
 public:
  explicit TabletReplies(const TabletCommon& common) : common_(common) {}

  // With the tablet's position and time; the rest is the caller's to fill.
  WriteReply& Write(RequestToken token);
  // The write was not executed. `retry_after_ms`: -1, nothing is said.
  WriteReply& RefuseWrite(RequestToken token, Status status, int64_t retry_after_ms = -1);
  void Purge(PurgeReply reply) { purges_.push_back(std::move(reply)); }
  // To an order that the tablet answers itself, not its replica.
  ControlReply& Order(RequestToken token, Status status);
  void RefuseCopy(RequestToken token, Status status) { copies_.push_back({token, std::move(status)}); }

  bool empty() const { return writes_.empty() && purges_.empty() && orders_.empty() && copies_.empty(); }
  void MoveTo(TabletOutput& output);

 private:
  const TabletCommon& common_;
  std::vector<WriteReply> writes_;
  std::vector<PurgeReply> purges_;
  std::vector<ControlReply> orders_;
  std::vector<CopyReply> copies_;
};

}  // namespace ebla::tabletserver
