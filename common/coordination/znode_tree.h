// common/coordination/znode_tree.h
// The tree of versioned nodes that the embedded and the simulated coordinator share: what ZooKeeper's server keeps, as
// plain data. Pure: no clock, thread, disk or network.
// Place:      embedded_coordinator.cc makes it durable, sim_coordinator.cc puts links before it.
// Invariants: 1. A Multi changes everything or nothing; Undo takes back the last one.
//             2. Sequential numbers of one parent only grow, ephemeral children's included.
//             3. An ephemeral node has no children and is deleted with its session.
// Threads:    thread-compatible; the owner guards it.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/coordination/coordinator.h"

namespace ebla::coordination {

// A change of a node, and so the event of a watch.
struct TreeEvent {
  enum class Kind : uint8_t {
    kCreated,   // Exists of a node that is not there waits for this
    kChanged,   // set or deleted: Get, and Exists of a node that is there
    kChildren,  // a child was created or deleted, or the node itself was deleted: Children
  };
  std::string path;
  Kind kind;
  friend auto operator<=>(const TreeEvent&, const TreeEvent&) = default;
};

class ZnodeTree {
 public:
  struct Entry {
    std::string data;
    int version = 0;
    int64_t session = 0;      // not 0: ephemeral, this session's
    int64_t next_number = 0;  // of the next sequential child
  };
  using Nodes = std::map<std::string, Entry, std::less<>>;
  using Snapshot = Nodes;  // persistent nodes only

  // The changes of an Apply or EndSession.
  struct Change {
    MultiResult result;
    std::vector<TreeEvent> events;                                     // sorted, each once
    std::vector<std::pair<std::string, std::optional<Entry>>> before;  // each touched path as it was, oldest first
  };

  ZnodeTree();
  explicit ZnodeTree(Snapshot snapshot);

  Result<Node> Get(const std::string& path) const;
  Result<bool> Exists(const std::string& path) const;
  Result<std::vector<std::string>> Children(const std::string& path) const;

  std::expected<Change, MultiError> Apply(const std::vector<Op>& ops, int64_t session);
  // Takes back a Change, the latest one.
  void Undo(const Change& change);
  // Removes the session's ephemeral nodes.
  Change EndSession(int64_t session);

  Snapshot TakeSnapshot() const;
  const Nodes& nodes() const { return nodes_; }

 private:
  MultiError ApplyOp(const Op& op, int64_t session, Change& change);  // status OK: done
  MultiError Create(const Op& op, int64_t session, Change& change);
  MultiError CheckVersion(const Op& op) const;
  void Remove(const std::string& path, Change& change);
  bool HasChildren(const std::string& path) const;
  void Touch(const std::string& path, Change& change);

  Nodes nodes_;  // "/" is always there
  std::map<int64_t, std::set<std::string>> ephemerals_;
};

// One-shot watches by client.
class WatchTable {
 public:
  using Client = uint64_t;
  struct Woken {
    Client client;
    Task watch;
  };

  void Add(TreeEvent awaited, Client client, Task watch);
  std::vector<Woken> Wake(const std::vector<TreeEvent>& events);  // in the order in which they were added
  std::vector<Task> TakeAll(Client client);
  bool Empty() const { return watches_.empty(); }

 private:
  struct Entry {
    uint64_t order;
    Client client;
    Task task;
  };
  std::multimap<TreeEvent, Entry> watches_;
  uint64_t next_order_ = 1;
};

// INVALID_ARGUMENT unless `path` is absolute and well formed: "/" or "/a/b", no empty, "." or ".." part, no NUL.
Status CheckPath(std::string_view path);
// "/a/b" -> "/a", "/a" -> "/"
std::string ParentPath(std::string_view path);
// INVALID_ARGUMENT when a Multi is empty, too large, or has a bad path.
MultiError CheckMulti(const std::vector<Op>& ops);
// Ephemeral or sequential?
bool IsEphemeral(CreateMode mode);
bool IsSequential(CreateMode mode);

}  // namespace ebla::coordination
