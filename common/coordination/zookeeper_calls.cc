#include "common/coordination/zookeeper_calls.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace ebla::coordination {

bool IsLost(int rc) {
  switch (rc) {
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZCLOSING:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZAUTHFAILED:
    case ZINVALIDSTATE: return true;
    default: return false;
  }
}

namespace {

constexpr size_t kCreatedPathBytesMax = 1024;

Status ToStatus(int rc, const std::string& what) {
  const auto status = [&](Code code) { return Status(code, what + ": " + zerror(rc)); };
  switch (rc) {
    case ZOK: return Status::Ok();
    case ZNONODE: return status(Code::kNotFound);
    case ZBADVERSION:
    case ZNODEEXISTS:
    case ZNOTEMPTY: return status(Code::kConditionFailed);
    case ZBADARGUMENTS:
    case ZMARSHALLINGERROR:
    case ZNOCHILDRENFOREPHEMERALS: return status(Code::kInvalidArgument);
    case ZNOAUTH: return status(Code::kPermissionDenied);
    case ZTHROTTLEDOP: return status(Code::kUnavailable);
    default: return status(Code::kInternal);
  }
}

int ToZooMode(CreateMode mode) {
  switch (mode) {
    case CreateMode::kPersistent: return ZOO_PERSISTENT;
    case CreateMode::kEphemeral: return ZOO_EPHEMERAL;
    case CreateMode::kPersistentSequential: return ZOO_PERSISTENT_SEQUENTIAL;
    case CreateMode::kEphemeralSequential: return ZOO_EPHEMERAL_SEQUENTIAL;
  }
  return ZOO_PERSISTENT;
}

// The context that the C client gets with an attempt, and returns once. It writes a Multi's results into it.
struct Pending {
  ZooKeeperCalls::Replied replied;
  std::vector<std::string> paths;  // of a Multi's ops, as ZooKeeper knows them
  std::vector<Op> ops;
  std::vector<zoo_op_t> zoo_ops;
  std::vector<zoo_op_result_t> results;
  std::vector<std::string> created;
  std::vector<Stat> stats;
  size_t root_bytes = 0;  // of the chroot, cut off created paths
};

std::unique_ptr<Pending> Adopt(const void* data) {
  return std::unique_ptr<Pending>(static_cast<Pending*>(const_cast<void*>(data)));
}

// Begins a read's reply; empty when the attempt was lost.
AttemptReply ReadReply(int rc) {
  AttemptReply reply;
  reply.lost = IsLost(rc);
  reply.status = ToStatus(rc, "coordinator");
  return reply;
}

void OnData(int rc, const char* value, int bytes, const Stat* stat, const void* data) {
  const auto pending = Adopt(data);
  AttemptReply reply = ReadReply(rc);
  if (rc == ZOK) {
    if (value != nullptr && bytes > 0) reply.node.data.assign(value, static_cast<size_t>(bytes));
    reply.node.version = stat->version;
    reply.node.session = stat->ephemeralOwner;
    reply.node.ephemeral = stat->ephemeralOwner != 0;
  }
  pending->replied(std::move(reply));
}

void OnStat(int rc, const Stat*, const void* data) {
  const auto pending = Adopt(data);
  AttemptReply reply = ReadReply(rc == ZNONODE ? ZOK : rc);
  reply.exists = rc == ZOK;
  pending->replied(std::move(reply));
}

void OnStrings(int rc, const String_vector* strings, const void* data) {
  const auto pending = Adopt(data);
  AttemptReply reply = ReadReply(rc);
  if (rc == ZOK && strings != nullptr) {
    reply.children.assign(strings->data, strings->data + strings->count);
    std::ranges::sort(reply.children);
  }
  pending->replied(std::move(reply));
}

MultiError FailureOf(const Pending& pending, int rc) {
  for (size_t i = 0; i < pending.results.size(); ++i) {
    const int error = pending.results[i].err;
    if (error == ZOK || error == ZRUNTIMEINCONSISTENCY) continue;  // undone, or after the one that failed
    return {ToStatus(error, "node " + pending.ops[i].path), static_cast<int>(i), error == ZNODEEXISTS};
  }
  return {ToStatus(rc, "coordinator"), -1, false};
}

void OnMulti(int rc, const void* data) {
  const auto pending = Adopt(data);
  AttemptReply reply;
  reply.lost = IsLost(rc);
  if (rc == ZOK) {
    MultiResult result;
    for (size_t i = 0; i < pending->ops.size(); ++i) {
      MultiResult::Item item;
      if (pending->ops[i].kind == Op::Kind::kCreate) {
        item.path = std::string(pending->created[i].c_str()).substr(pending->root_bytes);
      } else if (pending->ops[i].kind == Op::Kind::kSet) {
        item.version = pending->stats[i].version;
      }
      result.items.push_back(std::move(item));
    }
    reply.multi = std::move(result);
  } else if (!reply.lost) {
    reply.multi = std::unexpected(FailureOf(*pending, rc));
  }
  pending->replied(std::move(reply));
}

void OnCreated(int rc, const char*, const void* data) { Adopt(data)->replied(ReadReply(rc == ZNODEEXISTS ? ZOK : rc)); }

int SendMulti(const ZooKeeperCalls& calls, const Attempt& attempt, Pending* pending) {
  const size_t count = attempt.ops.size();
  pending->ops = attempt.ops;
  pending->zoo_ops.resize(count);
  pending->results.resize(count);
  pending->stats.resize(count);
  pending->created.resize(count);
  pending->root_bytes = calls.root.size();
  for (const Op& op : pending->ops) pending->paths.push_back(calls.root + op.path);
  for (size_t i = 0; i < count; ++i) {
    const Op& op = pending->ops[i];
    const char* path = pending->paths[i].c_str();
    zoo_op_t* zoo_op = &pending->zoo_ops[i];
    const auto bytes = static_cast<int>(op.data.size());
    switch (op.kind) {
      case Op::Kind::kCreate: {
        std::string& created = pending->created[i];
        created.resize(std::max(kCreatedPathBytesMax, pending->paths[i].size() + 16));
        zoo_create_op_init(zoo_op, path, op.data.data(), bytes, calls.access, ToZooMode(op.mode), created.data(),
                           static_cast<int>(created.size()));
        break;
      }
      case Op::Kind::kSet: zoo_set_op_init(zoo_op, path, op.data.data(), bytes, op.version, &pending->stats[i]); break;
      case Op::Kind::kDelete: zoo_delete_op_init(zoo_op, path, op.version); break;
      case Op::Kind::kCheck: zoo_check_op_init(zoo_op, path, op.version); break;
    }
  }
  return zoo_amulti(calls.zoo, static_cast<int>(count), pending->zoo_ops.data(), pending->results.data(), OnMulti,
                    pending);
}

// The C client hands `pending` back, if it was sent.
int Sent(int rc, std::unique_ptr<Pending> pending) {
  if (rc == ZOK) (void)pending.release();
  return rc;
}

}  // namespace

int ZooKeeperCalls::Send(const Attempt& attempt, watcher_fn watcher, Replied replied) const {
  auto pending = std::make_unique<Pending>();
  pending->replied = std::move(replied);
  const std::string path = !root.empty() && attempt.path == "/" ? root : root + attempt.path;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the C client hands back a pointer, and only a number is needed
  void* id = reinterpret_cast<void*>(static_cast<uintptr_t>(attempt.id));
  int rc = ZOK;
  switch (attempt.kind) {
    case Attempt::Kind::kGet: rc = zoo_awget(zoo, path.c_str(), watcher, id, OnData, pending.get()); break;
    case Attempt::Kind::kExists: rc = zoo_awexists(zoo, path.c_str(), watcher, id, OnStat, pending.get()); break;
    case Attempt::Kind::kChildren:
      rc = zoo_awget_children(zoo, path.c_str(), watcher, id, OnStrings, pending.get());
      break;
    case Attempt::Kind::kMulti: rc = SendMulti(*this, attempt, pending.get()); break;
  }
  return Sent(rc, std::move(pending));
}

int ZooKeeperCalls::Make(const std::string& path, Replied replied) const {
  auto pending = std::make_unique<Pending>();
  pending->replied = std::move(replied);
  const int rc = zoo_acreate(zoo, path.c_str(), "", 0, access, ZOO_PERSISTENT, OnCreated, pending.get());
  return Sent(rc, std::move(pending));
}

AttemptReply NotSent(int rc) {
  AttemptReply reply = ReadReply(rc);
  reply.multi = std::unexpected(MultiError{reply.status, -1, false});
  return reply;
}

}  // namespace ebla::coordination
