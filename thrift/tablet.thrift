// thrift/tablet.thrift: requests of clients to tablet servers. Framed transport; the first byte of a connection tells
// the strict binary from the compact protocol. A frame has at most 16 MiB (--max_frame_mb); a larger one ends the
// connection. Replies arrive in any order, matched by the message's sequence id; calls with the same id are answered in
// their order. A connection may have 1,024 calls under way; the server reads further ones later. A server answers by
// key for every tablet of which it is the primary; tabletId and epoch are the client's belief and only make refusals
// exact.
// docs/design/client-protocol.md describes how to write a client.
include "types.thrift"
namespace cpp ebla.idl
namespace go ebla.tablet
namespace java ebla.idl
namespace js ebla
namespace netstd Ebla.Idl
namespace py ebla.tablet
namespace rs ebla

struct RequestHeader {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: i64 tableId
  3: i64 tabletId                     // 0: unknown
  4: i64 epoch                        // 0: unknown
  5: i32 deadlineMs                   // what is left of the caller's deadline; 0: the server's default (10 s);
                                      // above 60,000 counts as 60,000: a client with more time asks again
  6: optional types.SessionToken token  // SESSION reads. Servers look at no write's token
  // For every write but a delivered one: a time of the same tablet, learnt before the first attempt that may have been
  // executed, and the same from then on (PROTOCOL 20). Its source is TabletLocation.tabletTimeMs or any reply of the
  // tablet. A client without one sends none. The answer is then COME_AGAIN with retryAfterMs 0, nothing was executed,
  // and that answer's tabletTimeMs may be used. A time of another tablet may be refused, because tablets have separate
  // clocks.
  7: optional i64 tabletTimeMs
}

// The place to ask instead, if the answering server knows it.
struct Hint {
  1: i64 tabletId
  2: types.KeyRange range
  3: i64 epoch
  4: string primary                   // server name, may be empty
  5: optional types.Endpoint endpoint // absent today: a look-up's replicas say where the server named is
}

struct ReplyHeader {
  1: types.Code code = types.Code.OK
  2: optional string message
  3: optional types.Version applied   // the tablet's applied position, for session tokens
  4: optional i64 tabletTimeMs        // of the tablet that answers, wherever it knows it; for later writes to it
  5: optional Hint hint               // with WRONG_TABLET, NOT_PRIMARY, STALE_EPOCH; absent: look up
  6: optional i32 retryAfterMs        // with OVERLOADED, COME_AGAIN, UNKNOWN_OUTCOME (see there)
  7: optional i64 tabletId            // who answered
  8: optional i64 epoch
  9: optional types.KeyRange range    // the answering tablet's range, if the request's belief was wrong, or the tablet
                                      // was split lately; an OK to a write or at STRONG is the primary's
  10: optional bool full              // with OVERLOADED: a table in memory is full, and forgets nothing by itself. Ask
                                      // for a second or so, as others may delete, and no longer
}

struct ReadOptions {
  1: types.ReadLevel level = types.ReadLevel.DEFAULT
  2: optional i64 boundedMs           // BOUNDED's t; 1 to 3600000
}

struct Record {
  1: binary value
  2: types.Version version
  3: optional i64 expiresAtMs         // tablet time; absent: never
}

struct GetRequest {
  1: RequestHeader header
  2: binary key                       // 1 to 4096 bytes
  3: optional ReadOptions options
}
// code NOT_FOUND when there is no live record.
struct GetReply {
  1: ReplyHeader header
  2: optional Record record
}

// Keys of one tablet as the client sees it; those of another get WRONG_TABLET each.
struct MultiGetRequest {
  1: RequestHeader header
  2: list<binary> keys                // at most 1000
  3: optional ReadOptions options
}
struct MultiGetResult {
  1: types.Code code                  // OK, NOT_FOUND, INVALID_ARGUMENT, WRONG_TABLET, OVERLOADED (the reply would be
                                      // too large, or wait: ask again)
  2: optional Record record
}
struct MultiGetReply {
  1: ReplyHeader header               // code OK when results are there
  2: list<MultiGetResult> results     // as many as keys, in their order
}

// A function of the server reads records of the key's group, in one snapshot, and changes nothing. It takes the
// permission to read all of the group. INVALID_ARGUMENT: there is no such function, or it refuses. Servers without this
// method answer with an exception, UNKNOWN_METHOD.
struct CallRequest {
  1: RequestHeader header
  2: binary key
  3: string functionName
  4: binary arguments
  5: optional ReadOptions options
}
struct CallReply {
  1: ReplyHeader header
  2: binary answer                    // at most 1 MiB
}

// DELETE of an absent key is OK and has a version, like any write; with the condition EXISTS it is CONDITION_FAILED.
// CHECK writes nothing: it is a condition alone.
// APPLY asks the server for one of its functions, which makes a new record and an answer from the record that is there,
// or from none. It reads and writes, and needs the permission for both. INVALID_ARGUMENT: there is no such function, or
// it does not apply here; a read and a conditional write can then do the same. If a retry is answered so without
// failedIndex, an earlier attempt may still have been executed, because older servers refuse this kind unseen, and so
// do servers of a cluster in which some process does not know it.
enum WriteKind { PUT = 0, DELETE = 1, INCREMENT = 2, CHECK = 3, APPLY = 4 }
enum ConditionKind { ABSENT = 0, EXISTS = 1, VERSION_IS = 2 }

struct Condition {
  1: ConditionKind kind
  2: optional types.Version version   // VERSION_IS
}

// One write of a batch. A batch names a key at most once.
struct Write {
  1: WriteKind kind
  2: binary key
  3: optional binary value            // PUT; of APPLY the function's arguments: at most 1 MiB
  4: optional i64 delta               // INCREMENT: added to the decimal int64 text; an absent record counts as 0
  5: optional i64 ttlMs               // PUT, INCREMENT: 1 to 2^52; 0: none, whatever the table's default
                                      // absent: PUT takes the table's default, INCREMENT keeps what the record has
  6: optional Condition condition
  // For a write on its way to the primary (PROTOCOL 22): the time and the server of its acceptance. All writes of a
  // request carry both or none does. Then they are unconditional PUTs and DELETEs for one last_write_wins table, at
  // MAJORITY or ALL, and clientId, sequence and firstIncomplete are 0, because the same write twice has the same
  // effect. Answered with CONDITION_FAILED when it is older than the time for which deletes are remembered.
  7: optional i64 writeTimeMs         // 1 or more
  8: optional string writer           // not empty
  9: optional i64 expiresAtMs         // PUT, in place of ttlMs: when, in tablet time, 1 to 2^53; it may have passed
  10: optional i64 newTtlMs           // INCREMENT without ttlMs, where there was no record: as ttlMs; absent: the
                                      // table's default
  11: optional string functionName    // APPLY: its name, as common/base/record_functions.h has it
}

// An atomic batch: all conditions hold and all writes happen, or none. 1 to 1000 writes, at most 4 MiB, one tablet.
// A tablet remembers the outcome of each (clientId, sequence) for ten minutes, and answers a retry with it
// (PROTOCOL 18-20).
struct WriteRequest {
  1: RequestHeader header
  // Drawn at random by each process when it starts, not 0, for all tables; it need not outlive the process, and must
  // not be used by another one. A tablet forgets it ten minutes after its last write there.
  2: i64 clientId
  // From 1, counted up over all tables and tablets; the same for every attempt at this write, and never used for
  // another write. A sequence of 1,024 or more above firstIncomplete is refused with COME_AGAIN, so a client with more
  // writes under way uses a second clientId.
  3: i64 sequence
  // The client's lowest sequence without a final answer, as of this attempt: what lies below is forgotten at once, and
  // refused with INVALID_ARGUMENT. Given up counts as answered.
  4: i64 firstIncomplete
  5: types.WriteLevel level = types.WriteLevel.DEFAULT
  6: list<Write> writes
}
struct WriteReply {
  1: ReplyHeader header               // CONDITION_FAILED, INVALID_ARGUMENT (not a number, overflow, spans tablets) are
                                      // final
  2: optional types.Version version   // what the batch's puts, increments and functions' changes carry; absent where
                                      // the batch wrote nothing
  3: optional list<i64> counters      // results of the INCREMENTs, in their order
  4: optional i32 failedIndex         // which write's condition failed or was refused
  5: optional list<binary> answers    // of the APPLYs, in their order: at most 16 KiB each
}

// One page of a scan: within one tablet, one snapshot.
struct ScanRequest {
  1: RequestHeader header
  2: types.KeyRange range             // what is wanted in all; the page covers its part of one tablet
  // From the end down. The request is for the tablet that holds the place just below range.endKey. No tablet's first
  // key has more than 256 bytes, so the first 256 bytes of a longer endKey find that tablet. For a shorter endKey,
  // remove its last byte if that is 0, else lower it by one and append 257 bytes of 0xff. For an empty endKey use those
  // 257 bytes.
  3: bool reverse = false
  4: i32 limit = 0                    // records at most; 0: no limit but the page's
  5: bool keysOnly = false
  6: optional ReadOptions options
  7: i32 pageBytes = 0                // 0: 1 MiB; at most 8 MiB
}
struct ScanRecord {
  1: binary key
  2: Record record                    // value empty with keysOnly
}
struct ScanReply {
  1: ReplyHeader header
  2: list<ScanRecord> records
  3: types.KeyRange remaining         // what of request.range is still to be scanned (same direction); start == end:
                                      // nothing
  4: bool done                        // nothing remains
}

// Writes of a table that were acknowledged and that this server holds, but its tablets do not: writes of level ANY, and
// writes of level PRIMARY that a failover rolled back (PROTOCOL 22). Listed by tablet, then version.
struct KeptEffect {
  1: binary key
  2: bool isDelete
  3: optional binary value            // of a put
  4: optional i64 expiresAtMs
}
struct KeptWrite {
  1: i64 tabletId                     // 0: written at ANY, and `version` is this server's own count
  2: types.Version version
  3: i64 tabletTimeMs                 // when it was accepted
  4: list<KeptEffect> effects
  5: bool waiting                     // it is being delivered, and then removed; else it is a conflict record
  6: bool repeated                    // the client's retry of it has another version here: it may have done the same
  7: i64 clientId                     // with `sequence`: of the client's write; 0: not known
  8: i64 sequence
}
struct ListKeptRequest {
  1: RequestHeader header
  2: i64 afterTabletId                // continues after this place
  3: types.Version afterVersion
  4: i32 limit = 0                    // 0: 100; at most 1000
}
struct ListKeptReply { 1: ReplyHeader header, 2: list<KeptWrite> writes, 3: bool more }
// Forgets one for good; NOT_FOUND when it is not kept here.
struct ForgetKeptRequest { 1: RequestHeader header, 2: i64 tabletId, 3: types.Version version }
struct ForgetKeptReply { 1: ReplyHeader header }

// One page of this server's replica of header.tabletId, as numbers. Two replicas that have applied the same entries
// give the same answer for the same page. Any replica answers for itself, primary or not; records that have expired and
// are not purged yet count. Servers ask each other, too. COME_AGAIN: it is being copied; WRONG_TABLET: it is not here.
struct ChecksumRequest {
  1: RequestHeader header
  2: binary fromKey                   // continues here; empty: at the start of the tablet
}
struct ChecksumReply {
  1: ReplyHeader header
  2: types.KeyRange range             // of the replica
  3: i64 appliedLsn                   // what exactly this page shows
  4: i64 records
  5: i64 bytes                        // of keys and values
  6: i64 checksum                     // CRC-32 over keys, values, versions, expiries, remembered deletes
  7: binary nextKey                   // where the next page begins
  8: bool done                        // there is none
}

// One page of a tablet's records at one moment, for a backup. It includes every write acknowledged before the snapshot
// began. The tablet's primary answers, and reads one tablet at a time. COME_AGAIN: it reads another tablet. NOT_FOUND:
// the snapshot has ended, for example because no next page was asked for in a minute; begin again.
struct SnapshotRequest {
  1: RequestHeader header
  2: i64 snapshotId = 0               // 0: begins one
  3: bool endNow = false              // the rest is not needed; answered without records
}
struct SnapshotRecord {
  1: binary key
  2: binary value
  3: types.Version version
  4: optional i64 expiresAtMs         // in tablet time; it may have passed
}
struct SnapshotReply {
  1: ReplyHeader header
  2: i64 snapshotId
  3: types.KeyRange range             // of the tablet at that moment
  4: i64 appliedLsn                   // that moment: everything through here, and nothing after
  5: list<SnapshotRecord> records     // by growing key; about a mebibyte
  6: bool done                        // these were the last
}

// The committed entries in a server's log, of all its tablets, for an archive from which any moment can be restored
// (docs/design/archive.md). A request without a place begins at about the newest entries. The server retains entries
// after the last requested place, or after keepFrom, for ten minutes and up to --log_followed_mb.
struct LogPlace {
  1: i64 logId = 0                    // of this log; another one: the directory was made anew. 0: no place
  2: i64 segment = 0
  3: i64 offset = 0
  4: i64 sequence = 0
}
struct FollowLogRequest {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: LogPlace place                   // as the last reply's upTo
  // An entry that is not known to be committed holds the reader up, as waitsFor in the reply shows. For these tablets
  // it is passed over.
  4: list<i64> passOver
  5: LogPlace keepFrom                // the reader may come back to this place
}
// An entry. Between two listed entries of a tablet none is missing, unless some were passed over or lost.
struct LoggedEntry {
  1: i64 tabletId
  2: i64 tableId
  3: types.Version version
  4: i64 tabletTimeMs
  5: list<KeptEffect> effects         // expiry in tablet time; none: it changes no record
}
// A merged tablet continues from these tablets' entries through these places, and its own log begins after `lsn`.
struct LoggedOrigin { 1: i64 tabletId, 2: i64 lsn }
struct LoggedStart {
  1: i64 tabletId
  2: i64 tableId
  3: list<LoggedOrigin> origins       // one: split off it; two: merged of them
  4: i64 lsn
}
// A tablet that this server leads for certain, at one moment of this reply, before its entries were read.
struct LedTablet {
  1: i64 tabletId
  2: i64 tableId
  3: i64 appliedLsn
  4: i64 tabletTimeMs                 // rounded up
  5: i64 timeOfDayMs                  // at the same moment, rounded down
  6: i64 epoch                        // in which it leads
}
struct FollowLogReply {
  1: ReplyHeader header
  2: LogPlace upTo                    // hand it back
  3: bool lost = false                // the log at the place is gone; this continues with the oldest entry
  4: bool atEnd = false               // there was nothing more
  9: list<i64> waitsFor               // tablets: what upTo leads to is not known to be committed yet
  6: list<LedTablet> led
  7: list<LoggedStart> starts         // each before its tablet's first entry, perhaps in an earlier reply
  8: list<LoggedEntry> entries
}

struct EchoRequest { 1: binary payload, 2: i32 replyBytes = -1 }  // replyBytes >= 0: answer that many bytes instead
struct EchoReply { 1: ReplyHeader header, 2: binary payload }

service TabletService {
  GetReply get(1: GetRequest request)
  MultiGetReply multiGet(1: MultiGetRequest request)
  CallReply call(1: CallRequest request)
  WriteReply write(1: WriteRequest request)
  ScanReply scan(1: ScanRequest request)
  ListKeptReply listKept(1: ListKeptRequest request)
  ForgetKeptReply forgetKept(1: ForgetKeptRequest request)
  ChecksumReply checksum(1: ChecksumRequest request)
  SnapshotReply snapshot(1: SnapshotRequest request)
  FollowLogReply followLog(1: FollowLogRequest request)
  EchoReply echo(1: EchoRequest request)   // does nothing but answer: health checks and benchmarks
}
