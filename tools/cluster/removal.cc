#include "tools/cluster/removal.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "common/base/count.h"
#include "ebla/ebla.h"

namespace ebla::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPollEvery{200};
constexpr milliseconds kSayEvery{2'000};
constexpr milliseconds kDeadline{5'000};  // of one question to the master

Result<Client> Connect(const RemovalOptions& options) {
  const char* tls_dir = std::getenv("EBLA_TLS_DIR");
  return Client::Connect(
      {.masters = options.masters, .deadline = kDeadline, .tls_dir = tls_dir == nullptr ? "" : tls_dir});
}

// Replicas and writes that a server still holds.
struct Left {
  int replicas = 0;
  size_t undelivered = 0;  // writes
  size_t conflicts = 0;    // records of table `table`
  std::string table;
  std::string note;  // what holds the draining up
  bool nothing() const { return replicas == 0 && undelivered == 0; }
};

Result<Left> Look(const Client& client, const std::string& name) {
  Left left;
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  const auto server = std::ranges::find(servers, name, &ServerSummary::name);
  if (server == servers.end()) return left;
  left.replicas = server->tablets;
  left.note = server->note;
  if (left.replicas > 0 || !server->live) return left;
  EBLA_ASSIGN(const std::vector<TableInfo> tables, client.ListTables());
  for (const TableInfo& table : tables) {
    EBLA_ASSIGN(const UnresolvedWrites unresolved, client.ListUnresolved(table.name));
    if (std::ranges::find(unresolved.unreachable, name) != unresolved.unreachable.end()) {
      return Error(Code::kUnavailable, name + " does not report its unresolved writes");
    }
    for (const UnresolvedWrite& write : unresolved.writes) {
      if (write.server != name) continue;
      ++(write.waiting ? left.undelivered : left.conflicts);
      if (!write.waiting) left.table = table.name;
    }
  }
  return left;
}

std::string Progress(const std::string& name, const Left& left) {
  if (left.replicas > 0) {
    return name + " has " + Count(static_cast<size_t>(left.replicas), "replica") + " left" +
           (left.note.empty() ? "" : "; it cannot continue: " + left.note);
  }
  return name + " has " + Count(left.undelivered, "write") + " to deliver";
}

// Not the question's fault: a master that is being elected, a connection that broke.
bool Passes(const Status& status) {
  return status.code() == Code::kUnavailable || status.code() == Code::kDeadlineExceeded ||
         status.code() == Code::kOverloaded || status.code() == Code::kUnknownOutcome ||
         status.code() == Code::kNoSuchTable;
}

}  // namespace

Result<size_t> Empty(const RemovalOptions& options) {
  EBLA_ASSIGN(const Client client, Connect(options));
  const Result<size_t> had = client.SetServer(options.server, {.draining = true, .maintenance = std::nullopt});
  if (!had && had.error().code() == Code::kNotFound) return 0;  // it never joined, or is forgotten already
  if (!had) return Error(had.error());
  const auto deadline = steady_clock::now() + options.timeout;
  std::string said;
  for (auto say_at = steady_clock::now();; std::this_thread::sleep_for(kPollEvery)) {
    const Result<Left> left = Look(client, options.server);
    if (!left && !Passes(left.error())) return Error(left.error());
    if (left && left->nothing()) {
      if (left->conflicts == 0 || options.leave_conflicts) return *had;
      return Error(Code::kConditionFailed,
                   options.server + " holds " + Count(left->conflicts, "conflict record") + " of table " + left->table +
                       ", which no drain moves: resolve them (ebla conflict list " + left->table +
                       "), or leave them in its data directory with --leave-conflicts");
    }
    const std::string progress = left ? Progress(options.server, *left) : left.error().ToString();
    if (steady_clock::now() >= deadline) {
      return Error(
          Code::kDeadlineExceeded,
          progress + "; it continues to drain: run this again, or end it with ebla server undrain " + options.server);
    }
    if (!options.say || progress == said || steady_clock::now() < say_at) continue;
    options.say(progress);
    said = progress;
    say_at = steady_clock::now() + kSayEvery;
  }
}

Status Forget(const RemovalOptions& options) {
  EBLA_ASSIGN(const Client client, Connect(options));
  for (const auto deadline = steady_clock::now() + options.timeout;; std::this_thread::sleep_for(kPollEvery)) {
    Status removed = client.RemoveServer(options.server);
    if (removed.ok() || removed.code() == Code::kNotFound) return Status::Ok();
    // For as long as its session may last the master believes that it lives.
    if (removed.code() != Code::kConditionFailed && !Passes(removed)) return removed;
    if (steady_clock::now() >= deadline) return removed;
  }
}

}  // namespace ebla::cluster
