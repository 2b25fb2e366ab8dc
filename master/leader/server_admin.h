// master/leader/server_admin.h
// Requests of operators and autoscale about tablet servers: drain, maintenance, removal for good.
// Place:   leader_term.h makes one; service.h calls it for operators, the balance driver for autoscale.
// Threads: thread-compatible; the master's executor.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/leader/term_parts.h"

namespace ebla::master {

class ServerAdmin {
 public:
  using Done = coordination::Callback<Status>;

  explicit ServerAdmin(const TermParts& parts) : parts_(parts) {}

  // Drains a server, or puts it into maintenance, or ends these. NOT_FOUND; CONDITION_FAILED: the remaining servers
  // cannot take its replicas.
  struct Change {
    std::optional<bool> draining;
    std::optional<bool> maintenance;
    bool surplus = false;     // where it begins to drain: autoscale's wish, to release it once it is empty
    std::string reason = {};  // for that, in numbers
  };
  void Set(const ServerName& server, Change change, Done done);
  // Makes a change that ends a drain, and ends the moves that the drain has begun, as far as they can be ended.
  void EndDrain(const ServerName& server, Change change, Duration patience, Done done);
  // Forgets a server that is gone for good. NOT_FOUND; CONDITION_FAILED: it lives, or still has replicas.
  void Remove(const ServerName& server, Done done);
  // Has a server, or where none is named all that live, search for damage now. NOT_FOUND: it is not known.
  using ScrubDone = coordination::Callback<Result<std::vector<idl::ScrubAnswer>>>;
  void Scrub(const ServerName& server, ScrubDone done);
  // Has a server believe its clock. NOT_FOUND: it is not known.
  void AcceptClock(const ServerName& server, Done done);

 private:
  using Answer = std::function<void(Status)>;

  Status CheckRemoval(const ServerName& server) const;
  Status MayDrain(const ServerName& server) const;
  void Write(const ServerName& name, const Change& wanted, int tries, const Answer& answer);
  void OnRead(const Result<coordination::Node>& read, const ServerName& name, const Change& wanted, int tries,
              const Answer& answer);
  void EndMovesOf(const ServerName& server, Duration patience, Done done);
  void Reread(const ServerName& server);
  void Forget(const ServerName& server);

  const TermParts parts_;
  std::multiset<ServerName> to_drain_;  // checked, and the node's change is under way
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
