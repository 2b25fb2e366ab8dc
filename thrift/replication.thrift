// thrift/replication.thrift: what tablet servers ask of each other. One heartbeat per pair of servers; appends of many
// tablets in one message. Log entries travel in the encoding of tabletserver/storage/log_entry.h.
include "types.thrift"
namespace cpp ebla.idl
namespace py ebla.replication

struct PeerHeader {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: string clusterId
  3: string fromServer
  4: i64 fromIncarnation
  5: string toServer                  // a receiver of another name or incarnation refuses
  6: i64 toIncarnation                // 0: not yet known
}

struct TabletAppend {
  1: i64 tabletId
  2: i64 epoch
  3: types.LogPosition previous             // the entry before entries[0]; the receiver must hold it
  4: list<binary> entries             // consecutive; empty: a probe or a commit notice
  5: i64 committedLsn
  6: i64 tabletTimeMs
}
enum AppendResult { STORED = 0, MISMATCH = 1, STALE_EPOCH = 2, UNKNOWN_TABLET = 3, INCOMPLETE = 4, BUSY = 5 }
struct TabletAppendReply {
  1: i64 tabletId
  2: i64 epoch                        // that of the request
  3: AppendResult result
  4: i64 flushedLsn                   // STORED: durable up to here
  5: types.LogPosition conflict             // MISMATCH: where the sender should look next
  6: i64 promisedEpoch                // STALE_EPOCH
  7: bool granted                     // the lease was renewed
  8: i64 clockMs                      // the follower's clock, echoed for BOUNDED reads
}
struct AppendRequest { 1: PeerHeader header, 2: list<TabletAppend> appends }
struct AppendReply { 1: types.Status status, 2: list<TabletAppendReply> replies, 3: i64 incarnation }

struct HeartbeatTablet { 1: i64 tabletId, 2: i64 epoch, 3: i64 committedLsn, 4: i64 tabletTimeMs, 5: i64 echoClockMs, 6: i64 echoLsn }
struct PeerHeartbeatRequest { 1: PeerHeader header, 2: i64 number, 3: list<HeartbeatTablet> tablets, 4: list<i64> confirmTablets }
struct HeartbeatTabletReply { 1: i64 tabletId, 2: i64 epoch, 3: bool granted, 4: i64 promisedEpoch, 5: i64 clockMs }
struct PeerHeartbeatReply { 1: types.Status status, 2: i64 number, 3: i64 incarnation, 4: list<HeartbeatTabletReply> tablets }

// A copy: chunks of data in key order, then the log from the copy's start.
struct CopyChunk {
  1: i64 tabletId
  2: i64 epoch
  3: i64 copyId
  4: types.KeyRange interval          // replaced whole by the chunk's records
  5: binary records                   // encoded rows of the data table, tablet/copy's format
  6: binary windowRows
  7: types.LogPosition start                // where the log begins for this copy
  8: types.LogPosition lastTruncated        // who holds this entry refuses the copy
  9: bool last
  10: i64 checksum
}
struct CopyRequest { 1: PeerHeader header, 2: CopyChunk chunk, 3: optional types.TableSchema schema }
struct CopyReply { 1: types.Status status, 2: bool holdsLog, 3: i64 appliedLsn }

// A put or delete acknowledged at level ANY by this or another server, on its way to the primary.
struct DeliverRequest { 1: PeerHeader header, 2: i64 tableId, 3: list<binary> writes }
struct DeliverReply { 1: types.Status status, 2: list<types.Code> results }

service ReplicationService {
  AppendReply append(1: AppendRequest request)
  PeerHeartbeatReply peerHeartbeat(1: PeerHeartbeatRequest request)
  CopyReply copyChunk(1: CopyRequest request)
  DeliverReply deliver(1: DeliverRequest request)
}
