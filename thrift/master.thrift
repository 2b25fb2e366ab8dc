// thrift/master.thrift: requests of clients, the shell and tablet servers to the master. Framed, as in tablet.thrift;
// frames have at most 16 MiB. A standby answers everything but clusterInfo with NOT_PRIMARY and the leader's endpoint,
// if it knows it, because it reads no catalog. Its knowledge of the leader may be out of date for as long as the
// coordinator takes to notice a death. Also the nodes of the catalog in the coordinator.
include "access.thrift"
include "types.thrift"
namespace cpp ebla.idl
namespace go ebla.master
namespace java ebla.idl
namespace js ebla
namespace netstd Ebla.Idl
namespace py ebla.master
namespace rs ebla

struct MasterReplyHeader {
  1: types.Code code = types.Code.OK
  2: optional string message
  3: optional types.Endpoint leader   // with NOT_PRIMARY; absent: not known, so ask the next master
  4: optional i32 retryAfterMs        // with NOT_PRIMARY, COME_AGAIN, OVERLOADED
}

struct CreateTableRequest {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: string name                      // 1 to 128 of A-Z a-z 0-9 _ - .
  3: types.TableOptions options
  4: list<binary> splitPoints         // ascending, distinct, 1 to 256 bytes each; at most 10000
  5: i32 deadlineMs = 0               // 0: 10 s. Answered when every tablet serves; else at the deadline, with progress
}
struct CreateTableReply { 1: MasterReplyHeader header, 2: optional types.TableSchema schema, 3: i32 tablets }

// Options that are set replace the table's; options that cannot be changed must keep their value. Answered when every
// live server that holds the table has the new schema, or at the deadline (the master continues to notify servers).
struct AlterTableRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string name,
    3: types.TableOptions options, 4: i32 deadlineMs = 0 }
struct AlterTableReply { 1: MasterReplyHeader header, 2: optional types.TableSchema schema }

struct DropTableByNameRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string name, 3: i32 deadlineMs = 0 }
struct DropTableByNameReply { 1: MasterReplyHeader header }

// The memory of a memory table on one server: replicas, records and logs.
struct MemoryTableUse {
  1: i64 tableId
  2: string server                    // in heartbeats empty: the sender
  3: i64 bytes
  4: i64 records
  5: i64 limitBytes                   // that counts there: the table's or the server's; 0: none
  6: i64 evicted                      // records, since the server's start
  7: i64 refused                      // writes, for want of room, since then
}

struct ListTablesRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION }
// replicasLeast: of the tablet with the fewest. memory: of a memory table, by server. timesEmptied: how often a tablet
// of it has begun anew, as no server had its data any more; emptiedAgeMs: since the latest; -1: never.
struct TableSummary { 1: types.TableSchema schema, 2: i32 tablets, 3: i64 sizeBytes, 4: i64 records,
    5: double readsPerSecond, 6: double writesPerSecond, 7: i32 tabletsServing, 8: i32 replicasLeast,
    9: list<MemoryTableUse> memory, 10: i64 timesEmptied, 11: i64 emptiedAgeMs = -1 }
struct ListTablesReply { 1: MasterReplyHeader header, 2: list<TableSummary> tables }

// One table by name, or by id when the name is empty.
struct DescribeTableRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string name, 3: i64 tableId = 0 }
struct DescribeTableReply { 1: MasterReplyHeader header, 2: optional TableSummary table }

// The tablets that overlap `range`, in key order, at most `limit`. The answer may be out of date at once. A client may
// keep it until a tablet server refuses a call, because servers refuse calls for tablets that they do not serve.
struct LocateRequest {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: i64 tableId
  3: types.KeyRange range
  4: i32 limit = 0                    // 0: 100; at most 1000
}
struct LocateReply {
  1: MasterReplyHeader header         // NO_SUCH_TABLE when it is gone
  2: list<types.TabletLocation> tablets
  3: bool more                        // there are further tablets in the range
  // The least of the tablets' times. For clients of before TabletLocation.tabletTimeMs: use that instead, and never
  // this one for a tablet without, as tablets' clocks may lie further apart than the ten minutes that they remember
  // writes.
  4: optional i64 tabletTimeMs
}

// How a primary sees one of the other replicas.
struct ReplicaProgress {
  1: string server
  2: bool voter
  3: bool copying
  4: bool incomplete                  // not to be promoted, not counted
  5: i64 flushedLsn                   // durable there, as far as is known in this epoch
  6: i64 silentMs                     // since its latest answer; -1: none in this epoch
  7: i64 acknowledgedLsn              // its disk had this entry of the very epoch led, as it said; unlike flushedLsn it
                                      // outlives restarts of that server
}

// Details of a replica that the catalog lacks.
struct ReplicaDetail { 1: i64 tableId, 2: types.KeyRange range }

// The key at which a tablet's primary would cut its load in two; empty if it knows no such key. KEY: the loads left and
// right of it differ by less than a quarter. POPULAR_KEY: most of the load is for `key` alone. ONE_DIRECTION: keys are
// written in order; `key` is at the end.
enum SplitFindingKind { NO_KEY = 0, KEY = 1, POPULAR_KEY = 2, ONE_DIRECTION = 3 }
// middleKey: halves the data; empty: not known. part: of the sampled operations, those on the most popular key.
struct SplitFinding { 1: SplitFindingKind kind, 2: binary key, 3: binary middleKey, 4: double part,
    5: binary popularKey }
// The highest rates of the last coveredMs: of as long as the master asks for, or less.
struct LoadPeaks { 1: double operationsPerSecond, 2: double cpuMicrosPerSecond, 3: i64 coveredMs }

struct TabletLoad {
  1: i64 tabletId
  2: i64 epoch
  3: bool leading
  4: i64 sizeBytes
  5: i64 records                      // an estimate
  6: double readsPerSecond
  7: double writesPerSecond
  8: double readBytesPerSecond
  9: double writeBytesPerSecond
  10: double cpuMicrosPerSecond
  11: double cacheMissesPerSecond     // pages read from files for its reads, estimated from one read in 64
  12: i64 tabletTimeMs                // 0 where it does not lead
  13: bool barrierApplied             // serves STRONG reads
  14: i64 appliedLsn
  15: i64 lastLsn
  16: i64 schemaVersion
  17: i64 promisedEpoch
  18: bool barrierCommitted           // leads, and may change its membership (the next change only then)
  19: i64 refusedForEpoch             // leads, but a replica has promised this higher epoch; 0: none has
  20: i64 releasedEpoch               // handed this epoch over to `releasedTo`; 0: none
  21: string releasedTo
  22: bool incomplete                 // follows, but has no log to offer
  23: bool primarySilent              // follows, and has received nothing from its primary for too long
  24: string primary                  // whom it takes for the primary
  25: list<ReplicaProgress> peers     // of a primary: the other replicas
  26: bool forgetful                  // may have lost what it acknowledged (PROTOCOL 5)
  27: i64 lastEpoch                   // of the entry at lastLsn
  28: optional ReplicaDetail detail   // where the master has asked for it
  29: optional types.AppliedSplit lastSplit  // the latest that this replica has applied
  30: bool failed                     // for good, though its store continues: it obeys nothing but a drop
  31: optional SplitFinding splitFinding  // leads; absent: nothing is known yet
  32: optional LoadPeaks peaks        // leads
  33: optional i64 frozenInto         // FREEZE is applied: it waits to become part of that tablet
  34: bool damaged                    // its files are damaged, or it differs from all others, which agree: it lives,
                                      // and wants to be made anew from them
  35: list<string> differsFrom        // servers whose replicas differ, when no majority shows which are right
  36: optional binary endKey          // a memory table's, complete: where what it has applied ends
  37: optional types.Merged merged    // the two of which it was made, up to its first epoch; tabletTimeMs is not known
  38: bool lost                       // its disk lost a part of the log; it does not vote until it is made anew
                                      // (PROTOCOL 5)
}

// The disk of a server, and its clock, as an operator needs to know them.
struct DiskReport {
  1: string failure                   // why the store has failed; empty: it has not. Only a restart brings it back
  2: i64 slowestSyncMs                // of the log, of those that ended in the last 30 s
  3: i64 syncUnderWayMs               // for how long the present one has lasted; 0: none is under way
  4: string loss                      // the part of the log that a start found missing, for people; empty: nothing
  5: i32 lostReplicas                 // replicas that do not vote for it
  6: i64 timeOfDayMs                  // by the server's clock
  7: i64 clockDoubtMs                 // by how much its clock is ahead of the last time that was sure (PROTOCOL 21);
                                      // below 0: behind; 0: it is not doubted
  8: i32 clockWaits                   // tablets led there whose time began in the doubt
  9: string catalogDamage             // of the coordinator's database, which ebla-standalone has in its own process;
                                      // empty: none was found since its start
}

// The progress of a server's scrub: of its files, and of its replicas against other replicas.
struct ScrubReport {
  1: i64 periodMs                     // from one pass to the next; 0: none by itself
  2: i64 ageMs                        // since the last finished pass began; before one: since the start
  3: i64 damageAgeMs = -1             // since damage was found last; -1: none since the start
}

struct HeartbeatRequest {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: string clusterId
  3: string server
  4: i64 incarnation
  5: list<TabletLoad> tablets         // every replica it holds
  6: i64 diskFreeBytes
  7: i64 diskTotalBytes
  8: i64 cacheUsedBytes
  9: double cpuFraction               // of one core, over the last second
  10: bool writesRefused              // disk reserve reached, or the store has failed: `disk` tells which
  11: string version                  // of the build
  12: list<i64> tables                // tables whose data it holds, with or without replicas: dropped ones are cleared
  13: i64 serversTerm                 // of the latest answer that brought servers, as below; 0: none yet
  14: i64 serversVersion
  15: i64 seenTerm                    // the greatest master's term seen: orders of an older one are refused
  16: bool described                  // details are in, and the schemas of their tables
  17: list<types.TableSchema> schemas
  18: i32 storeFormat                 // of files, the greatest that it reads
  19: bool insecure = false           // others reach an address of it that nothing guards (--insecure)
  20: i32 featureLevel                // that it speaks (common/base/features.h); 0: not said, which is 1
  21: optional ScrubReport scrub      // absent: it searches for none
  22: list<MemoryTableUse> memoryTables
  23: optional DiskReport disk
}
struct ServerAddress { 1: types.Endpoint endpoint, 2: i64 incarnation, 3: bool live, 4: optional string rack }
struct HeartbeatReply {
  1: MasterReplyHeader header
  2: i64 masterTerm
  3: map<string, ServerAddress> servers  // by name: addresses of peers that joined, left or moved since serversVersion
  4: i64 serversVersion               // in this master's term
  5: bool describe                    // the next heartbeats shall bring details: the catalog knows less than the
                                      // servers
  6: optional i64 peaksMs             // over how long the next heartbeats shall have the peaks of load; five minutes at
                                      // most, and where absent
  7: i32 clusterLevel                 // the cluster's feature level; 0: not said
  8: i64 timeOfDayMs                  // by the master's clock; 0: not said
  9: string boot                      // of the master's machine: a server of the same boot has the same clock
  10: optional i64 nextId             // the catalog has drawn no id from this one on, nor does a server hold one. 0 or
                                      // unset: that is not sure, as a server has not reported, or holds one
}

struct ListServersRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION }
// SILENT: its node in the coordinator exists, but it does not report: it was killed lately, or does not reach this
// master.
enum ServerState { LIVE = 0, LOST = 1, SILENT = 2 }
struct ServerSummary {
  1: string name
  2: string uuid
  3: types.Endpoint endpoint
  4: types.Endpoint http
  5: i64 incarnation
  6: ServerState state
  7: optional string rack
  8: i32 tablets
  9: i32 leading
  10: i64 sinceHeartbeatMs            // -1: none yet
  11: i64 diskFreeBytes
  12: i64 diskTotalBytes
  13: double readsPerSecond
  14: double writesPerSecond
  15: i64 sizeBytes
  16: string version
  17: bool writesRefused              // as HeartbeatRequest has it
  18: bool draining
  19: bool maintenance
  20: string note                     // what holds its draining up, for people; empty: nothing
  21: double cpuFraction              // of one core
  22: i64 cacheUsedBytes
  23: list<i64> strays                // tablets whose replica it has and the catalog does not give it; at most 100
  24: bool insecure = false           // others reach an address of it that nothing guards (--insecure)
  25: optional ScrubReport scrub      // as it last said
  26: optional DiskReport disk
  27: i64 clockAheadMs                // of its clock before the master's, as its last heartbeat showed; below 0: behind
}
struct ListServersReply { 1: MasterReplyHeader header, 2: list<ServerSummary> servers }

// replicas: the answer includes the reports of every voter and learner.
struct ListTabletsRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string table, 3: string server,
    4: i64 afterTabletId = 0, 5: i32 limit = 0, 6: bool replicas }
// A live server's last report of its replica. load is absent if it has none; reported is false if nothing is known.
struct ReplicaReport { 1: string server, 2: bool reported, 3: optional TabletLoad load }
struct TabletSummary { 1: types.TabletInfo info, 2: string table, 3: optional TabletLoad load,
    6: list<ReplicaReport> replicas }
struct ListTabletsReply { 1: MasterReplyHeader header, 2: list<TabletSummary> tablets, 3: bool more }

// Transfers the tablet that holds `key` to another of its voters as primary; no data moves. Answered when that one
// leads, or at the deadline with the reason why it does not (UNAVAILABLE: nothing has changed).
struct TransferTabletRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string table, 3: binary key,
    4: string toServer, 5: i32 deadlineMs = 0 }
struct TransferTabletReply { 1: MasterReplyHeader header, 2: optional types.TabletInfo tablet }

// Splits the tablet that holds `key` there. No data moves, and no client sees an error. If the tablet at the key was
// split off before, the answer is OK, with the two tablets as they are now. INVALID_ARGUMENT: another tablet begins at
// the key, or the split would cut a key group. UNKNOWN_OUTCOME at the deadline: it is under way.
struct SplitTabletRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string table, 3: binary key,
    4: i32 deadlineMs = 0 }
struct SplitTabletReply { 1: MasterReplyHeader header, 2: optional types.TabletInfo tablet,
    3: optional types.TabletInfo child }
// Merges the tablet that begins at `key` with the one before it, as the inverse of a split. If they are on different
// servers, the replicas of the smaller tablet are moved first, which copies data. INVALID_ARGUMENT: no tablet but the
// first begins at the key. UNKNOWN_OUTCOME at the deadline: it is under way.
struct MergeTabletsRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string table, 3: binary key,
    4: i32 deadlineMs = 0 }
struct MergeTabletsReply { 1: MasterReplyHeader header, 2: optional types.TabletInfo tablet }
// Moves the replica of the tablet that holds `key` from one server to another. A learner is copied there, becomes a
// voter, becomes primary if the old replica was, and the old replica is dropped. Answered when that is done;
// UNKNOWN_OUTCOME at the deadline, after which the move continues by itself, also under another master. `cancel` stops
// the move and drops the new copy.
struct MoveTabletRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string table, 3: binary key,
    4: string fromServer, 5: string toServer, 6: i32 deadlineMs = 0, 7: bool cancel }
struct MoveTabletReply { 1: MasterReplyHeader header, 2: optional types.TabletInfo tablet }

// Gives a tablet that has lost the majority of its voters for good to one remaining replica. Writes that the other
// replicas had acknowledged beyond its log are lost. Refused (CONDITION_FAILED) while a majority lives. Without
// acceptDataLoss nothing changes: the answer describes the replicas and the effect.
struct RecoverTabletRequest {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: i64 tabletId
  3: string server                    // whose replica it shall be; empty: the longest complete log
  4: bool acceptDataLoss
  5: i32 deadlineMs = 0
}
// A voter or learner as it last reported.
struct ReplicaState {
  1: string server
  2: bool voter
  3: bool live
  4: bool reported                    // what follows is known; of one that does not live, as it was then
  5: bool known                       // it has the replica
  6: types.LogPosition last
  7: i64 appliedLsn
  8: bool incomplete
  9: bool forgetful
  10: bool lost                       // its disk lost a part of its log
}
struct RecoverTabletReply {
  1: MasterReplyHeader header
  2: list<ReplicaState> replicas
  3: string refusal                   // why it cannot be; empty: it can, or has been
  4: string chosen                    // who leads it then
  5: string loss                      // what may be lost, for people
  6: optional types.TabletInfo tablet
}

// Adds to the catalog what servers report beyond it, after the coordinator was restored from an older state (PROTOCOL
// 24). Without confirm nothing changes: the answer describes the effect.
struct AdoptRequest {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: bool confirm
  3: list<string> without             // servers that are gone for good: what they alone have is given up
  4: i32 deadlineMs = 0
}
// known: the catalog has an older schema
struct AdoptedTable { 1: types.TableSchema schema, 2: bool known, 3: i32 tablets }
struct AdoptedTablet {
  1: types.TabletInfo tablet          // as it shall stand
  2: string table
  3: bool known                       // the catalog has it, at an older epoch
  4: bool led                         // it has a primary, and continues. Else its longest log becomes the only replica
  5: list<string> holders             // who report it
}
struct AdoptReply {
  1: MasterReplyHeader header
  2: string reason                    // what is beyond the catalog; empty: nothing, and there is nothing to do
  3: list<string> problems            // what must be put right first; with any, nothing is changed
  4: list<string> notes               // what is given up, or left over
  5: i64 nextId                       // as it is
  6: i64 nextIdThen
  7: list<AdoptedTable> tables
  8: list<AdoptedTablet> tablets
}

// Forgets a server that is gone for good. CONDITION_FAILED while it lives, or while the catalog gives it a replica.
struct RemoveServerRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string name }
struct RemoveServerReply { 1: MasterReplyHeader header }

// Fields that are set change. draining: the master moves the server's replicas to other servers, and gives it no new
// ones; CONDITION_FAILED, with the reason, if the other servers have no room for them. maintenance: it receives nothing
// new, and keeps its replicas. Both outlive masters and restarts.
// acceptClock: the server believes its clock, whatever the last sure time was (PROTOCOL 21). Nothing else may be set
// with it, and it must be live.
struct SetServerRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string name, 3: optional bool draining,
    4: optional bool maintenance, 5: bool acceptClock }
// replicas: that it still has. clockAccepted: a master of before passes acceptClock over.
struct SetServerReply { 1: MasterReplyHeader header, 2: i32 replicas, 3: bool clockAccepted }

// The elastic planner. `enabled` switches it on or off for every master from now on; `now` makes a pass at once instead
// of at the next interval. The answer lists actions under way, recent actions (newest first), and refused actions with
// their cause, as of the latest pass. A planner that is off continues to plan and does nothing; its plan is in
// `planned`. A view too large for one answer is paged. The first answer names the view, and further requests ask for it
// from an offset on. CONDITION_FAILED: the view is gone; start again.
struct BalanceRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: optional bool enabled, 3: bool now,
    4: bool view, 14: i64 viewId, 15: i64 viewOffset }
struct PlannedAction {
  1: string rule
  2: string what                      // "split tablet 7 at \"m\""
  3: string reason                    // in numbers
  4: i64 tabletId                     // 0: of a server
  5: i64 ageMs                        // since it was begun
  6: string outcome                   // empty: under way
}
struct RefusedAction { 1: string rule, 2: string cause, 3: i64 tabletId, 4: string server, 5: string detail }
struct BalanceReply {
  1: MasterReplyHeader header
  2: bool enabled
  3: i64 passAgeMs                    // since the latest pass; -1: none yet
  4: list<PlannedAction> planned      // by the latest pass
  5: list<PlannedAction> underWay
  6: list<PlannedAction> done         // or failed; the latest 100
  7: list<RefusedAction> refused      // the first 1,000 of the latest pass
  8: string view                      // as `ebla balance explain --view` reads it; where asked for; from viewOffset on
  18: i64 viewId                      // of what `view` is a part of
  19: i64 viewBytes                   // of the whole
}

// Procedures of the leading master. `id` names the same work under every master by its kind and object ("move-7",
// "drain-ts-3"), so that cancelProcedure accepts it after a change of master, too.
// MASTER: by itself, to keep its promises
enum AskedBy { UNKNOWN = 0, OPERATOR = 1, PLANNER = 2, DRAIN = 3, MASTER = 4 }
struct ProcedureSummary {
  1: string id
  2: string kind                      // move, split, transfer, drain, repair, recover, create, drop, schema, ...
  3: i64 tabletId                     // 0: of none
  4: string table                     // its name; empty: of none
  5: string server                    // the one drained, moved to or handed to; empty: none
  6: string fromServer                // where it is moved from
  7: AskedBy askedBy
  8: string reason                    // the planner's or the master's, in numbers; empty: none
  9: i64 ageMs                        // since it was asked for; -1: not known
  10: bool ageOfTerm                  // since this master took it up, that is: it is older
  11: string step                     // where it is
  12: string waitsFor                 // empty: nothing but its turn
  13: bool cancellable
  14: string cancelNote               // what cancelling does, or why it cannot be any more
  15: i64 doneUnits                   // progress, where it is known: doneUnits of allUnits of `unit`
  16: i64 allUnits                    // 0: not known
  17: string unit
  18: optional types.KeyRange range   // of the tablet
}
struct ListProceduresRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION }
// the first 1,000
struct ListProceduresReply { 1: MasterReplyHeader header, 2: list<ProcedureSummary> procedures, 3: i64 total }
// NOT_FOUND: nothing of that id is under way; CONDITION_FAILED: it cannot be cancelled, or not any more, and why.
struct CancelProcedureRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string id, 3: i32 deadlineMs = 0 }
struct CancelProcedureReply { 1: MasterReplyHeader header, 2: string outcome }

// Has servers give the room of deleted records back to their file system, in the background. `start`: begins where none
// of this table runs; else it only tells. One answer for each server that holds the table, or for `server` alone.
struct CompactTableRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string table, 3: string server,
    4: bool start, 5: i32 limitS, 6: i32 deadlineMs = 0 }
struct Compaction {
  1: string server
  2: types.Code code = types.Code.OK  // how it ended, or why it was not begun
  3: string message
  4: bool running
  5: i64 ageMs                        // since it was begun; -1: never was
  6: i64 bytesBefore                  // of the file
  7: i64 bytesAfter                   // or now, while it runs
}
struct CompactTableReply { 1: MasterReplyHeader header, 2: list<Compaction> servers }

// Has servers begin a pass of their search for damage now: `server`, or all that live. One answer for each.
// CONDITION_FAILED: one is under way, or the server scrubs nothing.
struct ScrubServersRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string server, 3: i32 deadlineMs = 0 }
struct ScrubAnswer {
  1: string server
  2: types.Code code = types.Code.OK  // begun, or why not
  3: string message
}
struct ScrubServersReply { 1: MasterReplyHeader header, 2: list<ScrubAnswer> servers }

struct ClusterInfoRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION }
struct MasterSummary { 1: string name, 2: types.Endpoint endpoint, 3: bool leader }
// Answered by standbys too, who count nothing and name the leader. safeMode: why the master repairs nothing at present;
// empty: it does. copies: replicas that are being made. coordinatorAwayMs: how long the master that answers has reached
// no coordinator (ZooKeeper); absent: it reaches it.
struct ClusterInfoReply { 1: MasterReplyHeader header, 2: string clusterId, 3: i64 term, 4: list<MasterSummary> masters,
    5: i32 liveServers, 6: i32 tables, 7: i32 tablets, 8: string version, 9: i32 knownServers, 10: string safeMode,
    11: i32 copies, 12: bool leading, 13: optional i64 coordinatorAwayMs }

// The version of every process of the cluster, as it reports itself: masters, then tablet servers, in order of name.
// For processes that do not live, their last report.
struct ClusterVersionRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION }
enum ProcessRole { MASTER = 0, TABLET_SERVER = 1 }
struct ProcessVersion {
  1: ProcessRole role
  2: string name
  3: types.Endpoint endpoint
  4: bool live
  5: bool leader                      // of the masters
  6: string version                   // of the build; empty: not said
  7: i32 protocol                     // the greatest protocolVersion that it speaks; 0: not said
  8: i32 storeFormat                  // of its files, the greatest that it reads; 0: it has none, or has not said
  9: i32 featureLevel                 // that it speaks; 0: not said, which is 1
}
// A feature of the leading master's build. It is on where the cluster's level is not below its own.
struct FeatureInfo { 1: string name, 2: i32 level, 3: string what }
// level: the cluster's feature level; 0: not said. held: an operator has it stay there.
struct ClusterVersionReply { 1: MasterReplyHeader header, 2: list<ProcessVersion> processes, 3: i32 level, 4: bool held,
    5: list<FeatureInfo> features }
// Has the cluster's level stay where it is, or rise by itself again.
struct HoldLevelRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: bool hold }
struct HoldLevelReply { 1: MasterReplyHeader header }

// Changes permissions, all of them or none. INVALID_ARGUMENT: an impossible change; NOT_FOUND: a user, role or table
// that does not exist; CONDITION_FAILED: one that exists already. Servers learn of it as soon as the coordinator has
// told them: within a second, unless they cannot reach it.
enum AccessChangeKind {
  CREATE_USER = 1, DROP_USER = 2, CREATE_ROLE = 3, DROP_ROLE = 4, SET_SECRET = 5, SET_LIMITS = 6, GRANT = 7, REVOKE = 8,
  GRANT_ROLE = 9, REVOKE_ROLE = 10, SET_TABLE_LIMITS = 11
}
struct AccessChange {
  1: AccessChangeKind kind
  2: string name                      // of the user or role; of GRANT and REVOKE: of either
  3: string role                      // GRANT_ROLE, REVOKE_ROLE
  4: access.Permission permission     // GRANT, REVOKE
  5: string table                     // GRANT, REVOKE; empty: every table
  6: binary prefix                    // GRANT, REVOKE
  7: optional access.Secret secret    // CREATE_USER, SET_SECRET; absent: it cannot log in by a password
  8: optional access.Limits limits    // SET_LIMITS, also of "everybody": AccessNode.everyUser; SET_TABLE_LIMITS
}
struct ChangeAccessRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: list<AccessChange> changes }
struct ChangeAccessReply { 1: MasterReplyHeader header }

// Secrets are left out but for their number of iterations, unless `secrets` asks for them: for a backup. tables: the
// names of the tables that grants and limits name.
struct ListAccessRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: bool secrets }
struct ListAccessReply { 1: MasterReplyHeader header, 2: access.AccessNode access, 3: map<i64, string> tables }

service MasterService {
  CreateTableReply createTable(1: CreateTableRequest request)
  AlterTableReply alterTable(1: AlterTableRequest request)
  DropTableByNameReply dropTable(1: DropTableByNameRequest request)
  ListTablesReply listTables(1: ListTablesRequest request)
  DescribeTableReply describeTable(1: DescribeTableRequest request)
  LocateReply locate(1: LocateRequest request)
  HeartbeatReply heartbeat(1: HeartbeatRequest request)
  ListServersReply listServers(1: ListServersRequest request)
  ListTabletsReply listTablets(1: ListTabletsRequest request)
  TransferTabletReply transferTablet(1: TransferTabletRequest request)
  SplitTabletReply splitTablet(1: SplitTabletRequest request)
  MergeTabletsReply mergeTablets(1: MergeTabletsRequest request)
  MoveTabletReply moveTablet(1: MoveTabletRequest request)
  RecoverTabletReply recoverTablet(1: RecoverTabletRequest request)
  AdoptReply adopt(1: AdoptRequest request)
  RemoveServerReply removeServer(1: RemoveServerRequest request)
  SetServerReply setServer(1: SetServerRequest request)
  BalanceReply balance(1: BalanceRequest request)
  ListProceduresReply listProcedures(1: ListProceduresRequest request)
  CancelProcedureReply cancelProcedure(1: CancelProcedureRequest request)
  CompactTableReply compactTable(1: CompactTableRequest request)
  ScrubServersReply scrubServers(1: ScrubServersRequest request)
  ClusterInfoReply clusterInfo(1: ClusterInfoRequest request)
  ClusterVersionReply clusterVersion(1: ClusterVersionRequest request)
  HoldLevelReply holdLevel(1: HoldLevelRequest request)
  ChangeAccessReply changeAccess(1: ChangeAccessRequest request)
  ListAccessReply listAccess(1: ListAccessRequest request)
}

// ---- What the coordinator holds. Each node's data is one format byte (1), then the struct in compact protocol. ----

// /cluster: made once, by the first master. featureLevel: what every process of the cluster speaks; raised by the
// leader; absent: 1. levelHeld: not to be raised.
struct ClusterNode { 1: string clusterId, 2: i64 createdMs, 3: optional i32 featureLevel, 4: bool levelHeld }
// /masters/term: raised by each new leader.
struct TermNode { 1: i64 term, 2: string leader, 3: types.Endpoint endpoint }
// /masters/election/<guid>-<number>: ephemeral, one for each master that runs.
struct CandidateNode { 1: string name, 2: types.Endpoint endpoint, 3: optional string version, 4: optional i32 protocol,
    5: optional i32 featureLevel }
// /next_id: the next table or tablet id.
struct NextIdNode { 1: i64 nextId }
// /planner is absent while the planner is on.
struct PlannerNode { 1: bool enabled }
// /servers/<name>: persistent, one for each server that ever joined.
// startNonce is drawn at each start, and tells a server's own start from that of a copy of its data directory.
// surplus: it drains because autoscale has one server too many, and is to be released once it is empty; drainSinceMs:
// time of day. featureLevel: what its latest start speaks; absent: 1.
struct ServerNode { 1: string name, 2: string uuid, 3: i64 startCounter, 4: bool maintenance, 5: string rack,
    6: i64 startNonce, 7: optional i64 lifeMark, 8: bool draining, 18: bool surplus, 19: i64 drainSinceMs,
    20: string drainReason, 21: optional i32 featureLevel }
// /live/<name> is ephemeral: it exists while the server lives.
// lockMark names the lock on its data directory that the process holds, as machine boot, device and inode.
struct LiveNode { 1: string name, 2: i64 incarnation, 3: types.Endpoint endpoint, 4: types.Endpoint http,
    5: string rack, 6: i64 startNonce, 7: optional string lockMark }
// /tables/<name>
enum TableState { CREATING = 0, SERVING = 1, DROPPING = 2 }
struct TableNode { 1: types.TableSchema schema, 2: TableState state, 3: list<binary> pendingSplitPoints,
    4: i64 firstTabletId }
// /tablets/<shard>/<tablet id>. shard is the tablet id modulo 256, two hex digits; the id has 16 hex digits.
// split: the tablet is to be split, only by its primary in that epoch. parentId: it was split off that tablet, so that
// a server that lacks it does not take it for empty.
// askedBy, reason, sinceMs (time of day): for people alone.
struct SplitIntent { 1: binary key, 2: i64 childId, 3: i64 epoch, 13: AskedBy askedBy, 14: string reason,
    15: i64 sinceMs }
// move: a replica is being brought from one server to another; gone with the old replica.
struct MoveIntent { 1: string fromServer, 2: string toServer, 12: AskedBy askedBy, 13: string reason, 14: i64 sinceMs }
// merge, on both tablets: it is to be merged with its neighbour, under a new id. epoch: its own, in which it freezes.
// givenUp: the merge is cancelled, and a later epoch thaws the tablet.
// term, intoEpoch: of the master that wrote the intent, and the first epoch of the tablet that the two become; absent
// below the feature merges_without_coordinator. With them servers may be ahead of the catalog. They have the merged
// tablet once both are frozen; or the tablet leads the epoch after `epoch`, with the same members, where that master
// has given the merge up.
struct MergeIntent { 1: i64 neighbourId, 2: i64 intoId, 3: i64 epoch, 4: bool givenUp, 5: AskedBy askedBy,
    6: string reason, 7: i64 sinceMs, 8: optional i64 term, 9: optional i64 intoEpoch }
// transfer: `info` names the target as primary in toEpoch. fromPrimary leads fromEpoch until it releases the tablet to
// the target; no server is told of toEpoch before. The intent is void once info.epoch differs from toEpoch.
struct TransferIntent { 1: string fromPrimary, 2: i64 fromEpoch, 3: i64 toEpoch }
// merged: a voter may not have merged the two yet, and they are no orphans where they lie. Gone when no voter needs it.
// timesEmptied, emptiedMs: how often it has begun anew, as no voter had its data any more, and when last (time of day).
struct TabletNode { 1: types.TabletInfo info, 2: optional binary intent, 3: optional SplitIntent split,
    4: optional i64 parentId, 5: optional MoveIntent move, 6: optional MergeIntent merge,
    7: optional types.Merged merged, 8: i32 timesEmptied, 9: i64 emptiedMs,
    10: optional TransferIntent transfer }
