// master/host/service.h
// The request handler of a master: checks requests, asks the present leader term, fills in replies. A standby answers
// NOT_PRIMARY with the leader's endpoint; a leader that is still reading the catalog answers COME_AGAIN.
// Place:      master_host.h makes it; a dispatcher calls it. Routing look-ups are answered from the image, without any
//             further call.
// Invariants: each call is answered exactly once, also when the master has been destroyed (UNAVAILABLE).
// Threads:    calls from any thread: they are carried out on the master's executor, at once when made there. Detach on
//             the executor.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "common/base/callback_guard.h"
#include "idl/MasterService.h"
#include "idl/methods.h"
#include "master/host/master_host.h"

namespace ebla::master {

class MasterService final : public idl::MasterServiceCobSvIf {
 public:
  template <class Reply>
  using Cob = std::function<void(const Reply&)>;

  explicit MasterService(Master& master) : master_(&master), executor_(master.executor()) {}
  // The master is about to go: nothing reaches it any more.
  void Detach() { master_ = nullptr; }

  // void createTable(Cob<idl::CreateTableReply> cob, const idl::CreateTableRequest& request) override, and so on for
  // each method of the IDL.
#define EBLA_HANDLER(name, Request, Reply) void name(Cob<idl::Reply> cob, const idl::Request& request) override;
  EBLA_MASTER_METHODS(EBLA_HANDLER)
#undef EBLA_HANDLER

 private:
  // On the executor: hands (leader_term, cob, request) to `handle` where this master leads, else answers why not.
  template <class Reply, class Request, class Handle>
  void Lead(Cob<Reply> cob, const Request& request, Handle handle);
  // Like Lead, for a change of the catalog: while the coordinator is away it answers at once that nothing can change.
  template <class Reply, class Request, class Handle>
  void Change(Cob<Reply> cob, const Request& request, Handle handle);
  template <class Reply, class Request, class Handle>
  void LeadHere(const Cob<Reply>& cob, const Request& request, const Handle& handle);
  // Null: this master does not lead, or has gone.
  LeaderTerm* Leading() const { return master_ ? master_->leader_term() : nullptr; }
  void NotLeading(idl::MasterReplyHeader& header) const;
  Duration Patience(int32_t deadline_ms) const;
  MonotonicTime SilentSince() const;

  Master* master_;  // the executor's; null once detached
  Executor& executor_;
};

}  // namespace ebla::master
