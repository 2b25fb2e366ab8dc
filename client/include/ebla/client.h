// client/include/ebla/client.h
// The entry to a cluster: opens tables, starts sessions, administers. It owns the threads and connections of all Tables
// made by it. The destruction of the last handle ends operations under way (reads as UNAVAILABLE, writes sent as
// UNKNOWN_OUTCOME) and closes the connections.
// Threads: all members from any thread. Blocking calls must not be made from callbacks.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "ebla/access.h"
#include "ebla/admin.h"
#include "ebla/options.h"
#include "ebla/session.h"
#include "ebla/table.h"

namespace ebla {

namespace client {
class Runtime;
class ClientAccess;
}  // namespace client

struct ClientOptions {
  std::vector<std::string> masters;            // host:port each; one that answers is enough
  std::chrono::milliseconds deadline{10'000};  // of calls that set none
  std::string rack;                            // as the servers' --rack: reads below STRONG prefer replicas in it
  int io_threads = 1;                          // 1 to 64; more pays only above some 300,000 operations/s
  // 1 to 64, spread over the threads. A server's event loops share out its connections, and it has two by default.
  int connections_per_server = 2;
  // How long Connect waits for a master to answer, at most the deadline; zero: it does not ask, and the first call
  // finds out.
  std::chrono::milliseconds connect_timeout{2'000};
  // The directory of ca.crt, client.crt and client.key, as `ebla cert create-client` makes it. Replaced files are read
  // again for new connections. Empty: in the clear, to a cluster without certificates.
  std::string tls_dir;
  // Logs in by name and password instead of by a certificate. It takes a tls_dir, of which ca.crt is enough. Empty:
  // neither.
  std::string user;
  std::string password;
};

class Client {
 public:
  // Checks the options, starts the threads, and waits until a master answers. INVALID_ARGUMENT: an option is wrong,
  // such as a malformed address. UNAVAILABLE: no master answered in time; the message names each with its error.
  // PERMISSION_DENIED: all rejected the name and password.
  static Result<Client> Connect(ClientOptions options);

  Client(const Client&) = default;  // copies share everything
  Client(Client&&) noexcept = default;
  Client& operator=(const Client&) = default;
  Client& operator=(Client&&) noexcept = default;
  ~Client();

  // NO_SUCH_TABLE when there is none.
  Result<Table> OpenTable(std::string_view name) const;

  Session NewSession() const;
  // Continues the session of Session::Token(). INVALID_ARGUMENT for a text that is no token.
  Result<Session> NewSession(std::string_view token) const;

  // Returns when every tablet serves. TABLE_EXISTS when there is one of that name.
  Result<TableInfo> CreateTable(std::string_view name, CreateTableOptions options = {}) const;
  // Changes what is set. INVALID_ARGUMENT for what is fixed for life.
  Result<TableInfo> AlterTable(std::string_view name, TableOptions changes) const;
  Status DropTable(std::string_view name) const;
  Result<std::vector<TableInfo>> ListTables() const;
  Result<TableInfo> DescribeTable(std::string_view name) const;

  Result<std::vector<ServerSummary>> ListServers() const;
  // The tablets of one table and one server, or of all if these are empty.
  Result<std::vector<TabletSummary>> ListTablets(std::string_view table = {}, std::string_view server = {}) const;
  // The same with the report of every replica's server.
  Result<std::vector<TabletSummary>> ListReplicas(std::string_view table = {}) const;
  // Asks one server for one page of its replica of the tablet, from a key on (empty: from its start). NOT_FOUND: it has
  // none; UNAVAILABLE: the replica is being copied, or the server does not answer.
  Result<ChecksumPage> Checksum(const ServerSummary& server, const TabletSummary& tablet,
                                std::string_view from = {}) const;
  // The next page of a snapshot of the tablet, which its primary `server` reads; 0 begins one. UNAVAILABLE: it reads
  // another, or is not sure that it leads. NOT_FOUND: it was not continued in time; begin again.
  Result<SnapshotPage> ReadSnapshot(const ServerSummary& server, const TabletSummary& tablet, uint64_t snapshot) const;
  // Ends a snapshot before its last page, so that the server may read another at once, not in a minute.
  void EndSnapshot(const ServerSummary& server, const TabletSummary& tablet, uint64_t snapshot) const;
  // The committed entries of all tablets in the server's log, from a place on. The server retains later entries, or
  // those from `keep_from` on, for ten minutes. UNAVAILABLE: another client is reading at this moment.
  Result<LogPage> FollowLog(const ServerSummary& server, const FollowLogOptions& options) const;
  // Transfers the leadership of the key's tablet to another of its voters; no data moves. INVALID_ARGUMENT: the server
  // has no vote in it.
  Status TransferTablet(std::string_view table, std::string_view key, std::string_view to) const;
  // Splits the tablet that holds the key there; no data moves. OK with what was done where an earlier call has split it
  // there.
  // INVALID_ARGUMENT: another tablet begins there, or the key lies within a key group. UNKNOWN_OUTCOME: it is under
  // way.
  Result<TabletSplit> SplitTablet(std::string_view table, std::string_view key) const;
  // Makes one tablet of the one that begins at the key and the one before it. If they lie on different servers, the
  // smaller one's replicas are moved first, by copying while they serve. INVALID_ARGUMENT: no tablet but the first
  // begins there. UNKNOWN_OUTCOME: it is under way, and continues by itself.
  Result<TabletMerge> MergeTablets(std::string_view table, std::string_view key) const;
  // Brings one of the tablet's replicas to another server, by copying while it serves. OK once the new replica votes
  // and the old one is removed; UNKNOWN_OUTCOME at the deadline: it continues by itself. INVALID_ARGUMENT: `from` has
  // no vote in it, or `to` has.
  Status MoveTablet(std::string_view table, std::string_view key, TabletMove move) const;
  // Gives a tablet that has lost the majority of its voters for good to one replica that is left; repair makes the
  // missing replicas again. Without `accept_data_loss` nothing is changed, and the answer shows the remaining replicas
  // and the possible loss.
  // CONDITION_FAILED: a majority lives, or no complete replica does; NOT_FOUND: no such tablet.
  Result<TabletRecovery> RecoverTablet(TabletId tablet, RecoverTabletOptions options = {}) const;
  // Takes into the catalog what tablet servers report beyond it, after the coordinator was restored from an older
  // state.
  // CONDITION_FAILED: the first of the problems.
  Result<ClusterAdoption> Adopt(AdoptOptions options = {}) const;
  // Forgets a server that is gone for good. NOT_FOUND; CONDITION_FAILED: it lives, or still has replicas.
  Status RemoveServer(std::string_view server) const;
  // Drains a server, puts it into maintenance, or ends these. The replicas that it still has. CONDITION_FAILED: the
  // other servers cannot take its replicas, with the reason.
  Result<size_t> SetServer(std::string_view server, ServerChange change) const;
  // Changes permissions, all of the changes or none. Servers learn of them within a second. NOT_FOUND, CONDITION_FAILED
  // and INVALID_ARGUMENT name what cannot be.
  Status ChangeAccess(std::vector<AccessChange> changes) const;
  // `secrets`: for a backup; a reader of it can guess passwords.
  Result<AccessInfo> ListAccess(bool secrets = false) const;
  // The running procedures of the leading master.
  Result<Procedures> ListProcedures() const;
  // Ends one of these, so that everything is as before; the answer describes the effect. NOT_FOUND: none has that id;
  // CONDITION_FAILED: it cannot be ended, or not any more, and why.
  Result<std::string> CancelProcedure(std::string_view id) const;
  // Makes the servers of a table free the room of its deleted records, in the background; or reports the progress.
  Result<std::vector<CompactionInfo>> CompactTable(std::string_view table, CompactTableOptions options = {}) const;
  // Has a server, or with no name every live one, search its files and replicas for damage now. NOT_FOUND.
  Result<std::vector<ScrubBegun>> Scrub(std::string_view server = {}) const;
  // One tablet, with all that its replicas' servers say of it. NOT_FOUND.
  Result<TabletSummary> DescribeTablet(TabletId tablet) const;
  // The planner's actions and refusals; switches it on or off on request.
  Result<PlannerState> Planner(PlannerRequest request = {}) const;
  // The leading master's counts; if it is silent a standby answers, without counts.
  Result<ClusterInfo> DescribeCluster() const;
  // The version of every process of the cluster, and the cluster's feature level.
  Result<ClusterVersions> ListVersions() const;
  // Has the cluster's feature level stay where it is, so that builds of before may come back, or rise by itself again.
  Status HoldLevel(bool hold) const;
  // The table's acknowledged writes that servers keep outside of it; asks every server. PERMISSION_DENIED: it takes an
  // operator.
  Result<UnresolvedWrites> ListUnresolved(std::string_view table) const;
  // Has its server forget it for good. NOT_FOUND: it is not kept there (any more).
  Status DiscardUnresolved(std::string_view table, const UnresolvedWrite& write) const;
  // The present servers of a key's tablet, asked of the master.
  Result<TabletPlace> Locate(std::string_view table, std::string_view key) const;

 private:
  friend class client::ClientAccess;
  explicit Client(std::shared_ptr<client::Runtime> runtime);

  std::shared_ptr<client::Runtime> runtime_;
};

// Client::OpenTable without waiting. The callback is as table.h says.
void AsyncOpenTable(const Client& client, std::string_view name, Callback<Result<Table>> done);

}  // namespace ebla
