// thrift/replication.thrift: what tablet servers ask of each other. One heartbeat per pair of servers; appends of many
// tablets in one message. Log entries travel in the encoding of tabletserver/storage/log/log_entry.h.
include "types.thrift"
namespace cpp ebla.idl
namespace go ebla.replication
namespace java ebla.idl
namespace js ebla
namespace netstd Ebla.Idl
namespace py ebla.replication
namespace rs ebla

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
  3: types.LogPosition previous       // the entry before entries[0]; the receiver must hold it. None: the log's
                                      // beginning
  4: list<binary> entries             // consecutive; empty: a probe or a commit notice
  5: i64 committedLsn
  6: i64 tabletTimeMs
  7: i64 retainLsn                    // some replica may still need the log from here on
  8: i64 acknowledgedLsn              // the receiver has said that its disk has this entry of this very epoch; 0: not
                                      // known
}
enum AppendResult { STORED = 0, MISMATCH = 1, STALE_EPOCH = 2, UNKNOWN_TABLET = 3, INCOMPLETE = 4, BUSY = 5 }
struct TabletAppendReply {
  1: i64 tabletId
  2: i64 epoch                        // that of the request
  3: AppendResult result
  4: i64 flushedLsn                   // STORED: durable up to here
  5: types.LogPosition conflict       // MISMATCH: where the sender should look next
  6: i64 promisedEpoch
  7: bool granted                     // the follower promises no higher epoch until a lease after receiving the request
  8: i64 clockNs                      // the follower's clock when it received the request, echoed for BOUNDED reads
  9: bool incomplete                  // STORED, but not to be counted (PROTOCOL 5)
  10: i64 receivingCopy               // the copy that it waits for; 0: none
  11: bool synced                     // STORED on the disk: a crash of the machine does not take it
}
struct AppendRequest { 1: PeerHeader header, 2: list<TabletAppend> appends }
// replies in order
struct AppendReply { 1: types.Status status, 2: list<TabletAppendReply> replies, 3: i64 incarnation }

struct HeartbeatTablet {
  1: i64 tabletId
  2: i64 epoch
  3: i64 committedLsn
  4: i64 tabletTimeMs
  5: i64 echoClockNs                  // the receiver's own clock, from an earlier answer of its; 0: none
  6: i64 echoLsn                      // what was committed then, under a lease
  7: i64 retainLsn
  8: i64 round                        // of confirmation: the latest begun
  9: i64 acknowledgedLsn              // as in an append
  10: i64 flushedLsn                  // the sender's own disk has this entry of this very epoch; 0: not known
}
struct PeerHeartbeatRequest { 1: PeerHeader header, 2: list<HeartbeatTablet> tablets }
struct HeartbeatTabletReply {
  1: i64 tabletId
  2: i64 epoch
  3: bool granted
  4: i64 promisedEpoch
  5: i64 clockNs
  6: i64 round
  7: bool known
  8: types.LogPosition last           // of its log
}
// A table in memory that takes more than its share at the answering server.
struct MemoryPressure {
  1: i64 tableId
  2: double excess                    // the primaries of its tablets must evict this part of the table
  3: bool full                        // no write that takes memory is to be admitted
}
struct PeerHeartbeatReply {
  1: types.Status status
  2: i64 incarnation
  3: list<HeartbeatTabletReply> tablets  // in order
  4: list<MemoryPressure> memory      // all that there is at present
}

// A copy (PROTOCOL 9). It begins, sends chunks of data in key order, and ends by its arrival; the log arrives by
// appends meanwhile.
struct CopyStart {
  1: types.LogPosition start          // applied at the source when the copy began
  2: types.LogPosition line           // who holds this entry refuses, and is sent the log
  3: binary applied                   // the source's applied state at `start`, encoded as on disk
  4: list<binary> windowRows          // each key and row as on disk, the key's 24 bytes first; the window of `start`
  5: types.TableSchema schema
  6: i32 windowRowsBefore             // a large window takes several requests: so many rows were sent before these,
  7: bool windowRowsFollow            // and there are more; the copy begins with the last
}
struct CopyRecord { 1: binary key, 2: binary row }  // row: encoded as on disk
struct CopyChunk {
  1: types.KeyRange interval          // replaced whole by the chunk's records
  2: list<CopyRecord> records
  3: i64 checksum                     // CRC-32 over keys and rows
}
struct CopyRequest {
  1: PeerHeader header
  2: i64 tabletId
  3: i64 epoch
  4: i64 copyId
  5: optional CopyStart first         // one of the three
  6: optional CopyChunk chunk
  7: optional i64 arrivedUpto         // every chunk was sent, read at or before this lsn
  8: i64 deadlineMs                   // the sender waits so long for the answer
}
// CONDITION_FAILED: it holds the line. Any other failure ends the copy; the source begins another.
struct CopyReply { 1: types.Status status, 2: i64 incarnation }

service ReplicationService {
  AppendReply append(1: AppendRequest request)
  PeerHeartbeatReply peerHeartbeat(1: PeerHeartbeatRequest request)
  CopyReply copy(1: CopyRequest request)
}
