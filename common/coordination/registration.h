// common/coordination/registration.h
// A tablet server's registration: proves that its data directory is the one the cluster knows (PROTOCOL 23), and keeps
// its liveness node for as long as it lives.
// Place:      tabletserver/ runs one, from before it serves until it stops.
// How:        Reads /cluster; reads or makes /servers/<name>; then, in one Multi, raises startCounter there and makes
//             the ephemeral /live/<name>. Both carry a number drawn at this start, so that the outcome of a broken call
//             is known on reading. After the end of a session it makes /live/<name> again, with the same incarnation.
//             The life mark is a second counter, raised now and then while the process runs: first in the directory,
//             then, by RaiseLifeMark, in /servers/<name>. A backup taken during the last start has its counter, and a
//             lower mark.
// Refuses:    (finally: the server must not serve)
//             - /cluster is not the cluster of this data directory;
//             - the cluster's feature level is above this process's (common/base/features.h);
//             - /servers/<name> has another uuid: the name is taken;
//             - /servers/<name> has a start counter not below this start's, or a life mark above this directory's: the
//               directory was restored or cloned;
//             - /live/<name> is a later start's, or an earlier one's that does not end within takeover_limit: another
//               process runs on a copy of this data directory.
// Waits:      for a coordinator, for the first master to make /cluster, and for the session of this server's former
//             process to end; names the awaited event. Not for a process that held the very lock that this one holds,
//             because it is dead; its node is deleted in the Multi that makes the new one.
// Threads:    everything on the coordinator's executor, the destructor included. No call of on_state after that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "common/base/features.h"
#include "common/base/ids.h"
#include "common/coordination/coordinator.h"
#include "common/rpc/channel.h"

namespace ebla::coordination {

struct ServerIdentity {
  ServerName name;
  std::string uuid;         // of the data directory
  std::string cluster_id;   // of the data directory; empty: joins the first cluster it meets
  Incarnation incarnation;  // the data directory's start counter, already raised there for this start
  uint64_t life_mark = 0;   // the data directory's
  rpc::Endpoint endpoint;
  rpc::Endpoint http;
  std::string rack;
  // Names the lock on the data directory that this process holds, the same for every process that held it before and
  // for no copy of the directory: boot id, device, inode. Empty: not known.
  std::string lock_mark;
  int feature_level = kFeatureLevel;  // that this process speaks
  // The disk has lost something: which tablet ids may it have held before this start?
  bool wants_next_id = false;
};

struct RegistrationState {
  enum class Kind {
    kWaiting,     // not registered (any more) because of `status`. A server that serves continues to serve
    kRegistered,  // /live/<name> exists; cluster_id must be in the data directory before anything is served
    kRefused,     // final; `status` (INVALID_ARGUMENT) has the cause and what to do
  };
  Kind kind = Kind::kWaiting;
  Status status;
  std::string cluster_id;  // once known
  int cluster_level = 0;   // its feature level; 0: not known yet
  // If wanted, of a registered server: tablets of this id and above were drawn after it registered.
  std::optional<TabletId> next_id;
};

class ServerRegistration {
 public:
  struct Options {
    Duration takeover_limit = std::chrono::seconds(20);  // several session timeouts; of unbroken connection
    Duration retry_delay = std::chrono::milliseconds(200);
  };

  // `coordinator` and `executor` (its executor) outlive this.
  ServerRegistration(Coordinator& coordinator, Executor& executor, ServerIdentity identity, Options options,
                     std::function<void(const RegistrationState&)> on_state);
  ~ServerRegistration();

  const RegistrationState& state() const;

  // The data directory has the life mark by now; tells the coordinator, at once or when it can be reached.
  void RaiseLifeMark(uint64_t mark);

  // Removes /live/<name>, so that the cluster learns at once that the server stops. `done` runs when it is gone or
  // cannot be reached.
  void Withdraw(std::function<void()> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ebla::coordination
