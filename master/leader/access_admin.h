// master/leader/access_admin.h
// Operators' requests about users, roles and grants. These are in the coordinator's /access alone, which every process
// of the cluster watches; no master keeps a copy.
// Place:   leader_term.h makes one; service.h calls it.
// Errors:  those of catalog/access_rules.h; CONDITION_FAILED: concurrent changes interfered again and again.
// Threads: thread-compatible; the master's executor.
#pragma once

#include <vector>

#include "idl/access_types.h"
#include "master/leader/term_parts.h"

namespace ebla::master {

class AccessAdmin {
 public:
  explicit AccessAdmin(const TermParts& parts) : parts_(parts) {}

  // All changes or none.
  void Change(std::vector<idl::AccessChange> changes, coordination::Callback<Status> done);
  void List(coordination::Callback<Result<idl::AccessNode>> done);

 private:
  using Answer = std::function<void(Status)>;
  struct Read {
    idl::AccessNode node;
    int version = -1;  // -1: there is none yet
  };
  void ReadNode(std::function<void(Result<Read>)> done);
  void Write(std::vector<idl::AccessChange> changes, int tries, const Answer& answer);

  const TermParts parts_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
