#include "common/coordination/znode_tree.h"

#include <algorithm>
#include <cstdio>

namespace ebla::coordination {
namespace {

MultiError Failed(Code code, std::string message, bool node_exists = false) {
  return {Status(code, std::move(message)), -1, node_exists};
}

Status NoNode(std::string_view path) { return Error(Code::kNotFound, "no node " + std::string(path)); }

}  // namespace

bool IsEphemeral(CreateMode mode) { return mode == CreateMode::kEphemeral || mode == CreateMode::kEphemeralSequential; }

bool IsSequential(CreateMode mode) {
  return mode == CreateMode::kPersistentSequential || mode == CreateMode::kEphemeralSequential;
}

std::string ParentPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

Status CheckPath(std::string_view path) {
  const auto bad = [&](const char* why) {
    return Error(Code::kInvalidArgument, "bad node path \"" + std::string(path) + "\": " + why);
  };
  if (path.empty() || path[0] != '/') return bad("it must begin with /");
  if (path.find('\0') != std::string_view::npos) return bad("it holds a NUL");
  if (path == "/") return Status::Ok();
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty()) return bad("it has an empty part");
    if (part == "." || part == "..") return bad("it has a part of only dots");
    at = end + 1;
  }
  return Status::Ok();
}

MultiError CheckMulti(const std::vector<Op>& ops) {
  if (ops.empty()) return Failed(Code::kInvalidArgument, "a Multi without operations");
  size_t bytes = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    Status status = CheckPath(ops[i].path);
    if (!status.ok()) return {std::move(status), static_cast<int>(i), false};
    bytes += ops[i].path.size() + ops[i].data.size() + 64;
  }
  if (bytes <= kMultiBytesMax) return {};
  return Failed(Code::kInvalidArgument,
                "a Multi of " + std::to_string(bytes) + " bytes; at most " + std::to_string(kMultiBytesMax) + " fit");
}

ZnodeTree::ZnodeTree() { nodes_["/"]; }

ZnodeTree::ZnodeTree(Snapshot snapshot) : nodes_(std::move(snapshot)) { nodes_["/"]; }

Result<Node> ZnodeTree::Get(const std::string& path) const {
  EBLA_TRY(CheckPath(path));
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return Error(NoNode(path));
  const Entry& entry = found->second;
  return Node{entry.data, entry.version, entry.session != 0, entry.session};
}

Result<bool> ZnodeTree::Exists(const std::string& path) const {
  EBLA_TRY(CheckPath(path));
  return nodes_.contains(path);
}

Result<std::vector<std::string>> ZnodeTree::Children(const std::string& path) const {
  EBLA_TRY(CheckPath(path));
  if (!nodes_.contains(path)) return Error(NoNode(path));
  const std::string prefix = path == "/" ? path : path + "/";
  std::vector<std::string> names;
  for (auto at = nodes_.upper_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix);) {
    std::string name = at->first.substr(prefix.size());
    if (const size_t slash = name.find('/'); slash != std::string::npos) {
      // Below a child: on to what follows everything below it ('0' is the character after '/').
      at = nodes_.lower_bound(prefix + name.substr(0, slash) + '0');
      continue;
    }
    names.push_back(std::move(name));
    ++at;
  }
  std::ranges::sort(names);
  return names;
}

bool ZnodeTree::HasChildren(const std::string& path) const {
  const std::string prefix = path == "/" ? path : path + "/";
  const auto next = nodes_.upper_bound(prefix);
  return next != nodes_.end() && next->first.starts_with(prefix);
}

void ZnodeTree::Touch(const std::string& path, Change& change) {
  const auto found = nodes_.find(path);
  change.before.emplace_back(path, found == nodes_.end() ? std::nullopt : std::optional(found->second));
}

MultiError ZnodeTree::Create(const Op& op, int64_t session, Change& change) {
  if (op.path == "/") return Failed(Code::kConditionFailed, "node / exists", true);
  const std::string parent_path = ParentPath(op.path);
  const auto parent = nodes_.find(parent_path);
  if (parent == nodes_.end()) return {NoNode(parent_path), -1, false};
  if (parent->second.session != 0) {
    return Failed(Code::kInvalidArgument, "node " + parent_path + " is ephemeral and can have no children");
  }
  std::string path = op.path;
  if (IsSequential(op.mode)) {
    char number[16];
    std::snprintf(number, sizeof number, "%010lld", static_cast<long long>(parent->second.next_number));
    path += number;
  }
  if (nodes_.contains(path)) return Failed(Code::kConditionFailed, "node " + path + " exists", true);
  Touch(parent_path, change);
  Touch(path, change);
  ++parent->second.next_number;
  const int64_t owner = IsEphemeral(op.mode) ? session : 0;
  nodes_[path] = {op.data, 0, owner, 0};
  if (owner != 0) ephemerals_[owner].insert(path);
  change.events.push_back({path, TreeEvent::Kind::kCreated});
  change.events.push_back({parent_path, TreeEvent::Kind::kChildren});
  change.result.items.push_back({std::move(path), 0});
  return {};
}

MultiError ZnodeTree::CheckVersion(const Op& op) const {
  const auto found = nodes_.find(op.path);
  if (found == nodes_.end()) return {NoNode(op.path), -1, false};
  if (op.version == kAnyVersion || op.version == found->second.version) return {};
  return Failed(Code::kConditionFailed, "node " + op.path + " has version " + std::to_string(found->second.version) +
                                            ", not " + std::to_string(op.version));
}

void ZnodeTree::Remove(const std::string& path, Change& change) {
  const std::string parent = ParentPath(path);
  Touch(path, change);
  const auto found = nodes_.find(path);
  if (const int64_t owner = found->second.session; owner != 0) {
    const auto mine = ephemerals_.find(owner);
    mine->second.erase(path);
    if (mine->second.empty()) ephemerals_.erase(mine);
  }
  nodes_.erase(found);
  change.events.push_back({path, TreeEvent::Kind::kChanged});
  change.events.push_back({path, TreeEvent::Kind::kChildren});
  change.events.push_back({parent, TreeEvent::Kind::kChildren});
}

MultiError ZnodeTree::ApplyOp(const Op& op, int64_t session, Change& change) {
  if (op.kind == Op::Kind::kCreate) return Create(op, session, change);
  MultiError error = CheckVersion(op);
  if (!error.status.ok()) return error;
  int version = 0;
  if (op.kind == Op::Kind::kSet) {
    Touch(op.path, change);
    Entry& entry = nodes_.find(op.path)->second;
    entry.data = op.data;
    version = ++entry.version;
    change.events.push_back({op.path, TreeEvent::Kind::kChanged});
  } else if (op.kind == Op::Kind::kDelete) {
    if (op.path == "/") return Failed(Code::kInvalidArgument, "node / cannot be deleted");
    if (HasChildren(op.path)) return Failed(Code::kConditionFailed, "node " + op.path + " has children");
    Remove(op.path, change);
  }
  change.result.items.push_back({"", version});
  return {};
}

std::expected<ZnodeTree::Change, MultiError> ZnodeTree::Apply(const std::vector<Op>& ops, int64_t session) {
  if (MultiError error = CheckMulti(ops); !error.status.ok()) return std::unexpected(std::move(error));
  Change change;
  for (size_t i = 0; i < ops.size(); ++i) {
    MultiError error = ApplyOp(ops[i], session, change);
    if (error.status.ok()) continue;
    Undo(change);
    error.failed_op = static_cast<int>(i);
    return std::unexpected(std::move(error));
  }
  std::ranges::sort(change.events);
  change.events.erase(std::ranges::unique(change.events).begin(), change.events.end());
  return change;
}

void ZnodeTree::Undo(const Change& change) {
  for (auto step = change.before.rbegin(); step != change.before.rend(); ++step) {
    const auto& [path, before] = *step;
    if (const auto now = nodes_.find(path); now != nodes_.end() && now->second.session != 0) {
      ephemerals_[now->second.session].erase(path);
    }
    if (before) {
      nodes_[path] = *before;
      if (before->session != 0) ephemerals_[before->session].insert(path);
    } else {
      nodes_.erase(path);
    }
  }
}

ZnodeTree::Change ZnodeTree::EndSession(int64_t session) {
  Change change;
  const auto mine = ephemerals_.find(session);
  if (mine == ephemerals_.end()) return change;
  for (const std::string& path : std::set(mine->second)) Remove(path, change);
  std::ranges::sort(change.events);
  change.events.erase(std::ranges::unique(change.events).begin(), change.events.end());
  return change;
}

ZnodeTree::Snapshot ZnodeTree::TakeSnapshot() const {
  Snapshot snapshot;
  for (const auto& [path, entry] : nodes_) {
    if (entry.session == 0) snapshot.emplace_hint(snapshot.end(), path, entry);
  }
  return snapshot;
}

void WatchTable::Add(TreeEvent awaited, Client client, Task watch) {
  watches_.emplace(std::move(awaited), Entry{next_order_++, client, std::move(watch)});
}

std::vector<WatchTable::Woken> WatchTable::Wake(const std::vector<TreeEvent>& events) {
  std::vector<Entry> woken;
  for (const TreeEvent& event : events) {
    const auto [begin, end] = watches_.equal_range(event);
    for (auto at = begin; at != end; ++at) woken.push_back(std::move(at->second));
    watches_.erase(begin, end);
  }
  std::ranges::sort(woken, {}, &Entry::order);
  std::vector<Woken> result;
  for (Entry& entry : woken) result.push_back({entry.client, std::move(entry.task)});
  return result;
}

std::vector<Task> WatchTable::TakeAll(Client client) {
  std::vector<Entry> mine;
  for (auto at = watches_.begin(); at != watches_.end();) {
    if (at->second.client != client) {
      ++at;
      continue;
    }
    mine.push_back(std::move(at->second));
    at = watches_.erase(at);
  }
  std::ranges::sort(mine, {}, &Entry::order);
  std::vector<Task> tasks;
  for (Entry& entry : mine) tasks.push_back(std::move(entry.task));
  return tasks;
}

}  // namespace ebla::coordination
