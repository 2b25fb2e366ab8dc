// client/include/ebla/admin.h
// Tables, tablets, servers and the cluster as the master describes them.
// Threads: values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"
#include "ebla/options.h"

namespace ebla {

enum class TableCompression : uint8_t { kNone = 0, kSnappy = 1, kZlib = 2 };
enum class TableDurability : uint8_t {
  kSync = 0,      // fsync before acknowledging
  kInterval = 1,  // handed to the operating system before acknowledging, fsynced every interval
};

// The part of a key that no split cuts: a number of bytes, or everything through the first delimiter, or nothing, so
// that the table is one tablet for ever; one of the three.
struct TableKeyGroup {
  std::optional<uint32_t> prefix_bytes;  // 1 to 256
  std::optional<char> delimiter;
  bool all = false;
};

// The records that a full table in memory evicts first. kNone: none; it refuses writes that take memory.
enum class TableEviction : uint8_t { kNone = 0, kLru = 1, kLfu = 2, kTtl = 3 };

// Options of a new table, or changes by an alter. Empty: the server's default, or unchanged.
struct TableOptions {
  std::optional<int> replicas;                  // default: 3, with as many as there are servers to begin with
  std::optional<TableCompression> compression;  // for life
  std::optional<TableDurability> durability;
  std::optional<std::chrono::milliseconds> interval;  // of kInterval: fsynced at least this often
  std::optional<TableKeyGroup> key_group;             // for life
  std::optional<bool> last_write_wins;                // for life
  std::optional<Ack> default_ack;
  std::optional<Read> default_read;
  std::optional<std::chrono::milliseconds> default_ttl;  // zero: none
  std::optional<uint64_t> split_bytes;
  std::optional<uint64_t> split_ops_per_second;
  std::optional<uint64_t> merge_bytes;
  // Records live in memory alone, for the table's life: a server that restarts copies them from others, and where all
  // that had them have restarted the table begins empty.
  std::optional<bool> memory;
  std::optional<TableEviction> eviction;  // of a table in memory
  std::optional<uint64_t> memory_limit;   // bytes on each server; zero: the server's own limit alone
};

// The memory of a table in memory on one server.
struct TableMemory {
  std::string server;
  int64_t bytes = 0;
  int64_t records = 0;
  int64_t limit_bytes = 0;  // that counts there: the table's or the server's; 0: none
  int64_t evicted = 0;      // records, since the server's start
  int64_t refused = 0;      // writes, for want of room, since then
};

struct CreateTableOptions {
  TableOptions table;
  std::vector<std::string> split_points;  // ascending and distinct, 1 to 256 bytes each
  std::chrono::milliseconds deadline{0};  // zero: 10 s
};

struct TableInfo {
  std::string name;
  TableId id;
  uint64_t schema_version = 0;
  TableOptions options;  // every field set
  int tablets = 0;
  int tablets_serving = 0;
  int replicas_least = 0;  // of the tablet with the fewest: below what the options say while servers are missing
  int64_t size_bytes = 0;
  int64_t records = 0;  // an estimate
  double reads_per_second = 0;
  double writes_per_second = 0;
  std::vector<TableMemory> memory;  // of a table in memory
  // How often tablets of a table in memory have begun anew, as no server had their data any more; and since when.
  int64_t times_emptied = 0;
  std::optional<std::chrono::milliseconds> since_emptied;
};

enum class TabletStatus : uint8_t { kCreating = 0, kServing = 1, kDropping = 2 };

// A cut of a tablet's load. kNoKey: there is none; kKey: at split_key, in about equal parts; kPopularKey: one key makes
// most of it; kOneDirection: keys are written in order, and split_key is at the end.
enum class SplitFindingKind : uint8_t { kNoKey = 0, kKey = 1, kPopularKey = 2, kOneDirection = 3, kNotKnown = 255 };

struct TabletLoadInfo {
  int64_t size_bytes = 0;
  int64_t records = 0;
  double reads_per_second = 0;
  double writes_per_second = 0;
  double read_bytes_per_second = 0;
  double write_bytes_per_second = 0;
  double cpu_micros_per_second = 0;
  bool leading = false;  // in the epoch of the report
  // The part of recently sampled operations at its primary on the most popular key (or key group, in a table that has
  // them), from 0 to 1; an empty key: none is prominent, or too few were seen.
  std::string popular_key;
  double popular_part = 0;
  bool barrier_applied = false;  // leads, and has all that was committed before: until then it serves no strong read
  double cache_misses_per_second = 0;
  // Peaks of the last five minutes, or of the last `peaks_of` if that is less; zero: not known.
  double peak_operations_per_second = 0;
  double peak_cpu_micros_per_second = 0;
  std::chrono::milliseconds peaks_of{0};
  // Its cut of the load in two, if any; and the key that halves its data.
  SplitFindingKind split_finding = SplitFindingKind::kNotKnown;
  std::string split_key;
  std::string middle_key;  // empty: not known
};

// How a primary sees another replica.
struct ReplicaProgressInfo {
  ServerName server;
  bool voter = false;
  bool copying = false;
  bool incomplete = false;
  uint64_t flushed = 0;                             // lsn, as far as is known in this epoch
  std::optional<std::chrono::milliseconds> silent;  // since its latest answer; none: none in this epoch
};

// The latest report of a live server on its replica.
struct ReplicaReport {
  ServerName server;
  bool reported = false;  // it has spoken since it, or the leading master, started; else nothing of this is known
  bool known = false;     // it has the replica, and what follows is of that
  Epoch epoch;
  uint64_t applied = 0;  // lsn
  Version last;          // of its log
  uint64_t schema_version = 0;
  bool incomplete = false;
  bool may_have_lost_writes = false;     // may have lost what it acknowledged
  bool lost = false;                     // its disk lost a part of its log: it does not vote until it is made anew
  bool failed = false;                   // for good, though its server continues: it obeys nothing but a drop
  bool damaged = false;                  // by its files, or as all others differ from it: it is made anew from them
  std::vector<ServerName> differs_from;  // their records differ; no majority tells which are right
  Epoch promised;
  ServerName primary;                      // the primary by its knowledge
  std::vector<ReplicaProgressInfo> peers;  // if it leads: its view of its peers
  TabletLoadInfo load;
};

struct TabletSummary {
  TabletId id;
  TableId table_id;
  std::string table;
  KeyRange range;
  Epoch epoch;
  ServerName primary;  // empty: none at present
  std::vector<ServerName> voters;
  std::vector<ServerName> learners;
  TabletStatus status = TabletStatus::kCreating;
  std::optional<TabletLoadInfo> load;   // as last reported by its primary
  std::vector<ServerName> incomplete;   // replicas that its primary is filling, and counts for nothing
  std::vector<ServerName> silent;       // of these, the ones that have not answered the primary for a second
  std::vector<ReplicaReport> replicas;  // of ListReplicas: the voters, then the learners
};

// A voter or learner of a tablet as it last reported; of one that does not live, as it was then.
struct ReplicaSummary {
  ServerName server;
  bool voter = false;
  bool live = false;
  bool reported = false;  // what follows is known
  bool known = false;     // it has the replica
  Version last;           // of its log
  uint64_t applied = 0;   // lsn
  bool incomplete = false;
  bool may_have_lost_writes = false;  // may have lost what it acknowledged
  bool lost = false;                  // its disk lost a part of its log
};

struct RecoverTabletOptions {
  ServerName server;              // whose replica it shall be; empty: the longest complete log
  bool accept_data_loss = false;  // else nothing is changed
};

// The result of a split.
struct TabletSplit {
  TabletId tablet;  // keeps what lies below the key
  KeyRange range;
  TabletId child;
  KeyRange child_range;
};

// The result of a merge.
struct TabletMerge {
  TabletId tablet;
  KeyRange range;
};

struct TabletRecovery {
  std::vector<ReplicaSummary> replicas;
  std::string refusal;  // why it cannot be; empty: it can, or has been
  ServerName chosen;    // who leads it then
  std::string loss;     // what may be lost
};

struct AdoptOptions {
  bool confirm = false;             // else nothing is changed
  std::vector<ServerName> without;  // servers that are gone for good: what they alone have is given up
};

// The entries that the catalog adopts, or would, from the servers' reports.
struct ClusterAdoption {
  struct Table {
    std::string name;
    TableId id;
    uint64_t schema_version = 0;
    bool known = false;  // with an older schema
    int tablets = 0;
  };
  struct Tablet {
    TabletSummary tablet;  // as adopted
    bool known = false;    // at an older epoch
    bool led = false;      // continues; else it begins with the longest log, alone
    std::vector<ServerName> holders;
  };
  std::string reason;                 // what is beyond the catalog; empty: nothing, and there is nothing to do
  std::vector<std::string> problems;  // what must be put right first; with any, nothing is changed
  std::vector<std::string> notes;     // what is given up, or left over
  uint64_t next_id = 0;
  uint64_t next_id_then = 0;
  std::vector<Table> tables;
  std::vector<Tablet> tablets;
};

struct TabletMove {
  ServerName from;
  ServerName to;
  bool cancel = false;  // one that is under way: the tablet stays where it is. `from` and `to` say nothing then
};

// Only set fields change.
struct ServerChange {
  std::optional<bool> draining;     // its replicas are moved to others, and it gets no new ones
  std::optional<bool> maintenance;  // it gets nothing new, and keeps what it has
  bool accept_clock = false;        // it believes its clock; alone, and the server must be live
};

// A request to the planner.
struct PlannerRequest {
  std::optional<bool> enabled;  // switches it on or off, for every master from now on
  bool now = false;             // a pass is made at once instead of at the next interval
  bool view = false;            // the answer brings the cluster as the planner sees it
};

// Something that the planner would do, does or did.
struct PlannedAction {
  // whose idea it was: "split", "balance"; "catalog": an intent that this master's planner has not made
  std::string rule;
  std::string what;                              // split tablet 7 at "m"
  std::string reason;                            // in numbers
  TabletId tablet;                               // none: of a server
  std::optional<std::chrono::milliseconds> age;  // since it was begun, or planned
  std::string outcome;                           // of what is over: "done", or why not
};

// Something that it would do otherwise, and why it does not.
struct RefusedAction {
  std::string rule;
  std::string cause;
  TabletId tablet;    // none: a server's
  ServerName server;  // or empty
  std::string detail;
};

struct PlannerState {
  bool enabled = false;
  std::optional<std::chrono::milliseconds> since_pass;  // the latest; none: there was none under this master
  std::string waits_for;                                // why none is made at present; empty: they are
  std::vector<PlannedAction> planned;                   // by the latest pass
  std::vector<PlannedAction> under_way;
  std::vector<PlannedAction> done;     // or failed; the latest 100, the newest first
  std::vector<RefusedAction> refused;  // the first 1,000 of the latest pass
  std::string view;                    // where asked for: lines of JSON
};

// The origin of a running procedure.
enum class AskedBy : uint8_t { kUnknown = 0, kOperator = 1, kPlanner = 2, kDrain = 3, kMaster = 4 };

// Something that the leading master has under way.
struct ProcedureInfo {
  std::string id;                 // "move-7": of what it is, so the same under every master
  std::string kind;               // move, split, transfer, drain, repair, lead, create, drop, ...
  TabletId tablet;                // these as far as they apply
  std::optional<KeyRange> range;  // of the tablet
  std::string table;
  ServerName server;
  ServerName from_server;
  AskedBy asked_by = AskedBy::kUnknown;
  std::string reason;  // the planner's or the master's, in numbers
  std::optional<std::chrono::milliseconds> age;
  bool age_of_term = false;  // since this master took it up: it may be older
  std::string step;
  std::string waits_for;  // empty: nothing holds it up
  bool cancellable = false;
  std::string cancel_note;  // what cancelling does, or why it cannot be
  int64_t done_units = 0;   // of all_units, where that is above 0
  int64_t all_units = 0;
  std::string unit;  // "bytes", "tablets"
};

struct Procedures {
  std::vector<ProcedureInfo> listed;  // the first 1,000
  size_t total = 0;
};

struct CompactTableOptions {
  ServerName server;                // empty: every server that holds the table
  bool start = true;                // else it only reports the progress
  std::chrono::seconds limit{600};  // 1 s to a day, on each server
};

// The progress of the compaction of a table's file on one server.
struct CompactionInfo {
  ServerName server;
  bool running = false;
  Status outcome;                                // of one that is over, or why it was not begun
  std::optional<std::chrono::milliseconds> age;  // since it was begun; none: never since the server started
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;  // or now, while it runs
};

// The progress of a server's search for damage, in its files and by comparing its replicas.
struct ScrubInfo {
  std::chrono::milliseconds period{};                     // from one pass to the next; zero: none by itself
  std::chrono::milliseconds age{};                        // since the last finished one began, or the server started
  std::optional<std::chrono::milliseconds> since_damage;  // was found last; none: none since the server started
};

// The disk of a server, as an operator needs to know it.
struct DiskInfo {
  std::string failure;                         // why its store has failed, until it is restarted; empty: it has not
  std::chrono::milliseconds slowest_sync{};    // of its log, within the last 30 seconds
  std::chrono::milliseconds sync_under_way{};  // how long the present sync has lasted; zero: there is none
  std::string loss;       // the part of its log that its start has found missing, for people; empty: nothing
  int lost_replicas = 0;  // its replicas that do not vote because of it, until they are made anew
  // Found in the database of the coordinator, which ebla-standalone has in its own process; empty: none.
  std::string catalog_damage;
};

// Whether a server has begun such a pass when it was asked to.
struct ScrubBegun {
  ServerName server;
  Status status;  // not OK: why not
};

// A server's clock, as its last report showed it.
struct ClockInfo {
  std::chrono::milliseconds ahead_of_master{};  // below zero: behind; of a server that reports
  // Zero: the server believes its clock. Else by how much that is ahead of the last time that was sure; below zero:
  // behind. The server continues from that time until the doubt ends.
  std::chrono::milliseconds doubt{};
  int waiting = 0;  // tablets that it leads, and whose records expire late for a doubt
};

struct ServerSummary {
  ServerName name;
  std::string uuid;
  std::string address;       // host:port
  std::string http_address;  // host:port
  Incarnation incarnation;
  bool live = false;    // registered with the coordinator, and reports
  bool silent = false;  // registered, and reports no more: it was killed lately, or does not reach the master
  std::string rack;
  int tablets = 0;
  int leading = 0;
  std::optional<std::chrono::milliseconds> since_heartbeat;
  int64_t disk_free_bytes = 0;
  int64_t disk_total_bytes = 0;
  int64_t size_bytes = 0;
  double reads_per_second = 0;
  double writes_per_second = 0;
  bool writes_refused = false;  // its disk reserve is reached; deletes may pass
  bool insecure = false;        // others reach an address of it that nothing guards
  bool draining = false;
  bool maintenance = false;
  std::string note;         // what holds its draining up; empty: nothing
  double cpu_fraction = 0;  // of one core
  int64_t cache_used_bytes = 0;
  std::vector<TabletId> orphans;   // tablets whose replica it has and the catalog does not give it; 100 at most
  std::string version;             // of its build
  std::optional<ScrubInfo> scrub;  // none: it searches for no damage
  std::optional<ClockInfo> clock;  // none: its build does not tell
  DiskInfo disk;
};

struct MasterSummary {
  std::string name;
  std::string address;
  bool leader = false;
};

struct ClusterInfo {
  std::string cluster_id;
  uint64_t term = 0;
  std::vector<MasterSummary> masters;
  bool from_leader = false;  // else a standby answered, which knows the masters but not the following
  int live_servers = 0;
  int known_servers = 0;  // that ever joined
  std::string safe_mode;  // why the master repairs nothing at present; empty: it does
  int copies = 0;         // replicas that are being made
  int tables = 0;
  int tablets = 0;
  std::string version;                                        // of the master that answered
  std::optional<std::chrono::milliseconds> coordinator_away;  // none: the master that answered reaches it
};

enum class ProcessRole : uint8_t { kMaster = 0, kTabletServer = 1 };

// The version of one process of the cluster.
struct ProcessVersion {
  ProcessRole role = ProcessRole::kMaster;
  std::string name;
  std::string address;    // host:port
  bool live = false;      // else the rest is as it was last
  bool leader = false;    // of the masters
  std::string version;    // of its build; empty: not said
  int protocol = 0;       // the greatest that it speaks; 0: not said
  int store_format = 0;   // of files on disk, the greatest that it reads; 0: it has none, or has not said
  int feature_level = 0;  // that it speaks; 0: the master does not know of levels
};

// A feature, with the level that introduced it.
struct FeatureInfo {
  std::string name;
  int level = 0;
  std::string what;  // it changes
};

// The versions of a cluster's processes, and the level that they use.
struct ClusterVersions {
  std::vector<ProcessVersion> processes;  // masters, then tablet servers, in order of name
  int level = 0;                          // the cluster's feature level; 0: the master does not know of levels
  bool held = false;                      // an operator has it stay there
  std::vector<FeatureInfo> features;      // of the leading master's build
};

struct ReplicaPlace {
  ServerName server;
  std::string address;  // host:port
  std::string rack;     // empty: not said
  bool voter = true;    // else a learner, which serves no client yet
};

// An acknowledged write that a server keeps beside its tables: one of level ANY on its way to the primary, or of
// PRIMARY one that a failover rolled back.
struct UnresolvedEffect {
  std::string key;
  bool is_delete = false;
  std::string value;
  std::optional<Expiry> expires;
};
struct UnresolvedWrite {
  ServerName server;  // that keeps it
  TabletId tablet;    // none: written at ANY, and `version` is the server's own count
  Version version;
  Expiry accepted;
  std::vector<UnresolvedEffect> effects;
  bool waiting = false;   // it is being delivered, and vanishes by itself; else it is a conflict record
  bool repeated = false;  // the client's retry of it has another version: it may have done the same
};
struct UnresolvedWrites {
  std::vector<UnresolvedWrite> writes;  // by server, tablet, version
  std::vector<ServerName> unreachable;  // servers that did not answer: what they keep is not among them
};

// A place in the log of a server, to be handed back.
struct LogPlace {
  uint64_t log = 0;  // 0: none
  uint64_t segment = 0;
  int64_t offset = 0;
  uint64_t sequence = 0;
};
// A committed entry of a tablet's log. Its time, and when a record expires, are in tablet time.
struct LoggedEntry {
  TabletId tablet;
  TableId table;
  Version version;
  int64_t time_ms = 0;
  std::vector<UnresolvedEffect> effects;  // none: it changes no record
};
// The tablet continues these tablets' histories through these lsns; its own log begins after `lsn`.
struct LoggedStart {
  TabletId tablet;
  TableId table;
  std::vector<std::pair<TabletId, uint64_t>> origins;  // one: split off it; two: merged of them
  uint64_t lsn = 0;
};
// A tablet that the server led for certain at a moment: all that was acknowledged by then lies at or below `applied`.
struct LedTablet {
  TabletId tablet;
  TableId table;
  uint64_t applied = 0;        // lsn
  int64_t time_ms = 0;         // tablet time, rounded up
  int64_t time_of_day_ms = 0;  // the server's, at the same moment, rounded down
  Epoch epoch;                 // in which it leads
};
struct FollowLogOptions {
  LogPlace place;                   // as the last page's `next`; none: from about now on
  std::vector<TabletId> pass_over;  // what waits of these is left out
  LogPlace keep_from;               // the reader may come back to this place; none: to none
};
struct LogPage {
  LogPlace next;
  bool lost = false;                // the log at the requested place is gone or damaged: some entries may be missing
  bool at_end = false;              // the server has no more at present
  std::vector<TabletId> waits_for;  // at entries of these that are not known to be committed
  std::vector<LedTablet> led;       // as before the log was read
  std::vector<LoggedStart> starts;
  std::vector<LoggedEntry> entries;
};

// A page of a tablet's records at one moment.
struct SnapshotPage {
  uint64_t snapshot = 0;  // hand back for the next page
  KeyRange range;         // of the tablet at that moment
  uint64_t applied = 0;   // lsn: that moment
  std::vector<Row> rows;
  bool done = false;
};

// One page of what one replica holds, as numbers: replicas that have applied the same give the same for the same page.
struct ChecksumPage {
  KeyRange range;        // of the replica
  uint64_t applied = 0;  // lsn: what exactly the page shows
  int64_t records = 0;   // with those that have expired and are not purged yet
  int64_t bytes = 0;
  uint32_t checksum = 0;
  std::string next;  // where the next page begins
  bool done = false;
};

// A tablet's servers, as clients route by them.
struct TabletPlace {
  TabletId id;
  KeyRange range;
  Epoch epoch;
  ServerName primary;                  // empty: none at present
  std::string primary_address;         // host:port
  std::vector<ReplicaPlace> replicas;  // the primary among them
};

}  // namespace ebla
