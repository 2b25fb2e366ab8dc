#include "master/leader/cancel_procedure.h"

#include <glog/logging.h>

#include <algorithm>
#include <vector>

#include "master/leader/procedure_list.h"

namespace ebla::master {
namespace {

using Done = coordination::Callback<Result<std::string>>;

// Answers with `outcome` where the status is OK.
coordination::Callback<Status> Answer(std::string outcome, Done done) {
  return [outcome = std::move(outcome), done = std::move(done)](Status status) mutable {
    status.ok() ? done(std::move(outcome)) : done(Error(std::move(status)));
  };
}

}  // namespace

void CancelProcedure(LeaderTerm& leader_term, const std::string& id, Duration patience, Done done) {
  const std::vector<idl::ProcedureSummary> all = ListProcedures(leader_term);
  // A split that waits for another of the same tablet has its id.
  auto found =
      std::ranges::find_if(all, [&](const idl::ProcedureSummary& one) { return one.id == id && one.cancellable; });
  if (found == all.end()) found = std::ranges::find(all, id, &idl::ProcedureSummary::id);
  if (found == all.end()) {
    return done(Error(Code::kNotFound, "nothing of the id " + id + " is under way; ebla procedure list shows what is"));
  }
  if (!found->cancellable) {
    return done(Error(Code::kConditionFailed, id + " cannot be cancelled: " + found->cancelNote));
  }
  const TabletId tablet{static_cast<uint64_t>(found->tabletId)};
  LOG(INFO) << id << " is cancelled by an operator";
  if (leader_term.requests().CancelWaiting(
          {.kind = found->kind, .tablet = tablet, .table = tablet ? "" : found->table, .server = found->server})) {
    return done("cancelled: nothing of it had been done");
  }
  if (found->kind == "merge") {
    leader_term.tablet_admin().CancelMerge(tablet);
    return done("cancelled: " + found->cancelNote);
  }
  if (found->kind == "drain") {
    const std::string outcome =
        "cancelled: " + found->server + " takes replicas again; what has moved stays where it is";
    return leader_term.server_admin().EndDrain(found->server, {}, patience, Answer(outcome, std::move(done)));
  }
  leader_term.tablet_admin().CancelMove(tablet, patience, Answer("cancelled: " + found->cancelNote, std::move(done)));
}

}  // namespace ebla::master
