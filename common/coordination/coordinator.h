// common/coordination/coordinator.h
// The port to what the cluster agrees through: a small tree of versioned nodes, some of which live only as long as
// their creator's session. Modelled on ZooKeeper, which is the production implementation; an embedded one serves a
// single process and is durable in its data directory; a simulated one runs in virtual time.
// Place:      election.h (leadership) and registration.h (liveness) are written once over this.
// Contract:   1. Paths are absolute ("/tables/carts"); a node's parent must exist; a node with children cannot go.
//             2. Versions start at 0 and grow by one with each Set of a node. A Multi happens whole or not at all.
//             3. Results arrive in the order of the calls. Reads see at least this coordinator's own earlier writes.
//             4. An ephemeral node is deleted when the session that made it ends; every watch of a lost session fires.
//             5. A Multi called in one session is never carried out in another (UNAVAILABLE instead).
// Errors:     NOT_FOUND no such node (or parent); CONDITION_FAILED a version did not match, a created node exists (see
//             MultiError), or a deleted node has children; UNAVAILABLE not executed; UNKNOWN_OUTCOME the connection
//             broke with the call in flight: it may or may not have happened; INVALID_ARGUMENT bad path, too large, or
//             a child of an ephemeral node. Reads are asked again until they are answered or the time is up
//             (UNAVAILABLE). PERMISSION_DENIED: the nodes do not admit this process (Refusal has the remedy).
// Threads:    calls from any thread; callbacks and listeners run on the executor given at construction.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"

namespace ebla::coordination {

inline constexpr size_t kMultiBytesMax = 900 * 1024;  // ZooKeeper's jute.maxbuffer is 1 MiB
inline constexpr int kAnyVersion = -1;

struct Node {
  std::string data;
  int version = 0;
  bool ephemeral = false;
  int64_t session = 0;  // ephemeral: whose
};

enum class CreateMode { kPersistent, kEphemeral, kPersistentSequential, kEphemeralSequential };

// One step of a Multi.
struct Op {
  enum class Kind { kCreate, kSet, kDelete, kCheck };
  Kind kind = Kind::kCheck;
  std::string path;
  std::string data;
  int version = kAnyVersion;  // set, delete, check
  CreateMode mode = CreateMode::kPersistent;

  static Op Create(std::string path, std::string data, CreateMode mode = CreateMode::kPersistent);
  static Op Set(std::string path, std::string data, int version);
  static Op Delete(std::string path, int version);
  static Op Check(std::string path, int version);
};

struct MultiResult {
  // Per op: the created path (its number appended when sequential), else empty; the new version after a Set, else 0.
  struct Item {
    std::string path;
    int version = 0;
  };
  std::vector<Item> items;
};

// Why a Multi failed: the first op that did, and how. failed_op is -1 when it was none of them (connection, size).
struct MultiError {
  Status status;
  int failed_op = -1;
  bool node_exists = false;  // status is CONDITION_FAILED: a create met an existing node
};

enum class SessionState {
  kConnecting,  // no session yet, or the connection is down and may come back before the session ends
  kConnected,   // calls are executed
  kExpired,     // the session is gone with its ephemeral nodes; a new one is being made (kConnected follows)
};

template <class T>
using Callback = std::move_only_function<void(T)>;

class Coordinator {
 public:
  virtual ~Coordinator() = default;

  // A watch given to a read fires once, at the node's next change of data (Get, Exists), of existence (Exists, or Get's
  // deletion) or of its set of children (Children, which the node's deletion wakes too), or when the session expires.
  // It carries nothing: read again. A read that fails leaves no watch; Exists that answers false does.
  using Watch = Task;

  virtual void Get(std::string path, Callback<Result<Node>> done, Watch watch = nullptr) = 0;
  virtual void Exists(std::string path, Callback<Result<bool>> done, Watch watch = nullptr) = 0;
  // Names (not paths), sorted.
  virtual void Children(std::string path, Callback<Result<std::vector<std::string>>> done, Watch watch = nullptr) = 0;
  virtual void Multi(std::vector<Op> ops, Callback<std::expected<MultiResult, MultiError>> done) = 0;

  // The present session, 0 when there is none. Changes only after kExpired.
  virtual int64_t session() const = 0;
  virtual SessionState state() const = 0;
  // Called at each change of state, and once soon after registration with the present one. `Forget` ends that; when
  // called on the executor, the listener does not run again.
  virtual uint64_t Listen(std::function<void(SessionState)> listener) = 0;
  virtual void Forget(uint64_t listener) = 0;

  // Gives every node the access list of this process's new nodes; returns the number of changed nodes. UNAVAILABLE if
  // the connection is lost meanwhile. The leading master calls it. A coordinator that only this process reaches has
  // nothing to do.
  virtual void Guard(Callback<Result<size_t>> done) { done(size_t{0}); }
  // Why the nodes do not admit this process, and what to do; empty: they do, or it is not known. From any thread.
  virtual std::string Refusal() const { return {}; }
};

// Creates `path` and its missing parents with empty data; a node that is there already is fine.
void EnsurePath(Coordinator& coordinator, std::string path, Callback<Status> done);

}  // namespace ebla::coordination
