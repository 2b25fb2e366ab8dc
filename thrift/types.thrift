// thrift/types.thrift: what every Ebla service shares.
// Times are milliseconds, sizes bytes. Keys and values are bytes. An absent optional field means "not said".
// Compatibility: fields are only ever added, as optional; a number is never used twice. protocolVersion counts
// changes that an older peer must not misread; a server refuses a version above its own with INVALID_ARGUMENT.
// How to write a client with these files: docs/design/client-protocol.md.
namespace cpp ebla.idl
namespace go ebla.types
namespace java ebla.idl
namespace js ebla
namespace netstd Ebla.Idl
namespace py ebla.types
namespace rs ebla

const i16 PROTOCOL_VERSION = 1

// The outcome of an operation. 100 and above are for the client's core, never for its caller. "Not executed" applies to
// this attempt alone, because an earlier attempt of the same write may have been executed. If retryAfterMs is absent,
// the client waits by its own backoff, 4 ms doubling to 500 ms, less a random part of up to half.
enum Code {
  OK = 0,
  NOT_FOUND = 1,          // no such key, server, tablet or procedure, as the message shows. Final. Never the answer
                          // to a write, because DELETE of an absent key is OK
  CONDITION_FAILED = 2,   // a condition of the write did not hold; nothing was written. Final
  INVALID_ARGUMENT = 3,   // the request can never succeed in this form; the message has the cause. Nothing was written.
                          // Final
  NO_SUCH_TABLE = 4,      // the master's answer: the id is gone. Describe the table by its name, once, for its new id
  OVERLOADED = 5,         // refused before execution, because memory, disk or a queue is full; retry after retryAfterMs
  UNAVAILABLE = 6,        // not executed; no replica could serve it in time. Look up, and retry
  LOST_WRITE = 7,         // a read at SESSION: the token names a write that a failover rolled back; the session
                          // continues at `applied`. Final
  DEADLINE_EXCEEDED = 8,  // not executed, because its deadline had passed
  TABLE_EXISTS = 9,       // the master's answer; after a lost reply an earlier attempt may have created the table
  UNKNOWN_OUTCOME = 10,   // whether the write took effect is not known. With retryAfterMs, it was being committed when
                          // its deadline or its primary's epoch ended, and a retry of the same sequence learns it.
                          // Without, at any level but ANY, this attempt was not executed, because its tabletTimeMs is
                          // older than the tablet's memory of writes. If no earlier attempt can have been executed,
                          // send it again with the answer's tabletTimeMs; else it is final
  INTERNAL = 11,          // the server's own fault; a write so answered may or may not have taken effect. Final
  PERMISSION_DENIED = 12, // the caller lacks a permission, which the message names. Not executed. Final
  WRONG_TABLET = 100,     // this server does not serve the key; hint names the server, when known. Not executed
  NOT_PRIMARY = 101,      // another replica is the primary; hint names it, when known. Not executed. To a read below
                          // STRONG: this replica cannot serve the level now, and the primary will
  STALE_EPOCH = 102,      // an order believes in an older epoch or term than the receiver's. Not the answer to a get,
                          // write or scan today, because those are served by key
  COME_AGAIN = 103,       // not now, and not executed; retry here after retryAfterMs (0 is at once). To a write without
                          // tabletTimeMs: send it again with the answer's
}

struct Status {
  1: Code code = Code.OK
  2: string message        // for people; empty when OK
}

struct Endpoint {
  1: string host
  2: i32 port              // 1 to 65535
}

// The epoch and log position of the entry that wrote a record. Grows along a key's life. Opaque to users.
struct Version {
  1: i64 epoch             // from 1; 0 with lsn 0 means "none"
  2: i64 lsn
}

// A place in a tablet's log.
struct LogPosition {
  1: i64 epoch             // 0 with lsn 0: before the first entry
  2: i64 lsn
}

// [startKey, endKey), bytewise; an empty endKey means no upper bound.
struct KeyRange {
  1: binary startKey
  2: binary endKey
}

// DEFAULT: the table's. MAJORITY: durable at most voters, and applied at the primary. ALL: durable at every voter.
// PRIMARY: durable at the primary; a failover may undo it. All three go to the primary. ANY: durable at whichever
// replica takes it (last_write_wins tables; unconditional puts and deletes alone); any voter is asked.
enum WriteLevel { DEFAULT = 0, MAJORITY = 1, ALL = 2, PRIMARY = 3, ANY = 4 }
// DEFAULT: the table's. STRONG: the latest, which only the primary serves; other replicas answer NOT_PRIMARY. SESSION:
// no older than the header's token. BOUNDED: at most boundedMs old. EVENTUAL: whatever is there. Any voter may be asked
// at the last three levels. A voter that lags behind answers NOT_PRIMARY; the client then asks the primary, which waits
// if it must, and decides. Learners are never asked.
enum ReadLevel { DEFAULT = 0, STRONG = 1, SESSION = 2, BOUNDED = 3, EVENTUAL = 4 }
enum Compression { NONE = 0, SNAPPY = 1, ZLIB = 2 }
enum Durability { SYNC = 0, INTERVAL = 1 }

// The position of a session in one range: every applied entry up to `applied` and, per epoch, its own last PRIMARY
// version not yet known to be applied. The client makes it from replies. For each reply with `applied`, the range that
// answered (ReplyHeader.range, else the looked-up tablet's) takes the greater of the two positions. If a write's
// `version` has an lsn above the reply's `applied`, the version joins pendingPrimary. An OK read at SESSION removes the
// pending versions that its token named there; LOST_WRITE sets `applied` back.
struct TokenRange {
  1: KeyRange range
  2: Version applied
  3: optional list<Version> pendingPrimary
}

// A session's position in one table: ranges in order of keys, disjoint. At most 64 are sent, those that the request
// touches; a session that would need more reads at STRONG instead. Kept per range of keys, not per tablet, as tablets
// come and go.
struct SessionToken {
  1: i64 tableId
  2: list<TokenRange> ranges
}

// A key group is the part of a key that no split cuts. It is either the first `prefixBytes` bytes, or everything up to
// and including the first `delimiter`, or nothing: then the whole table is one group. One of the three at most is set;
// if none is, every key is a separate group.
struct KeyGroup {
  1: optional i32 prefixBytes   // 1 to 256
  2: optional binary delimiter  // one byte
  3: optional bool all          // true
}

// Options of a table. Unset fields take the server's defaults.
struct TableOptions {
  1: optional i32 replicas                   // 1 to 7
  2: optional Compression compression        // for life
  3: optional Durability durability
  4: optional i32 intervalMs                 // fsync period of INTERVAL durability; 10 to 60000, default 1000. All
                                             // tables of a server share the shortest, and at most its --interval_ms
  5: optional KeyGroup keyGroup              // for life
  6: optional bool lastWriteWins             // for life
  7: optional WriteLevel defaultWriteLevel
  8: optional ReadLevel defaultReadLevel
  9: optional i64 defaultBoundedMs           // BOUNDED's t where DEFAULT means BOUNDED
  10: optional i64 defaultTtlMs              // 0: records live until deleted
  11: optional i64 splitBytes                // a tablet above this is split
  12: optional i64 splitOpsPerSecond
  13: optional i64 mergeBytes
  14: optional bool memory                   // for life: records and logs live in memory only
  15: optional string eviction               // of a memory table that is full, what it forgets first: "lru", "lfu",
                                             // "ttl"; "none": it refuses writes
  16: optional i64 memoryLimit               // bytes, on each server that has replicas; 0: the server's limit alone
}

// A table as every server knows it. schemaVersion grows with each alter.
struct TableSchema {
  1: i64 tableId
  2: string name
  3: i64 schemaVersion
  4: TableOptions options                    // every field set; 14 to 16 in memory tables alone
}

enum TabletState {
  CREATING = 0,   // in the catalog, its primary not yet told
  SERVING = 1,
  DROPPING = 2,
}

// One tablet as the catalog knows it.
struct TabletInfo {
  1: i64 tabletId
  2: i64 tableId
  3: KeyRange range
  4: i64 epoch
  5: string primary                          // server name; empty while there is none
  6: list<string> voters
  7: list<string> learners
  8: TabletState state
}

// An applied SPLIT: the child's primary and epoch, as in its log entry (PROTOCOL 12).
struct AppliedSplit {
  1: i64 childId
  2: binary key                              // the child begins here
  3: LogPosition position
  4: string primary
  5: list<string> voters
}

// One of the two that a merge joins, frozen through `freeze`: an entry of the epoch that its znode had when it was
// replaced.
struct MergedTablet {
  1: i64 tabletId
  2: KeyRange range
  3: LogPosition freeze
}
// The start of a merged tablet (PROTOCOL 14): all entries of both are applied at `position`, which is above both
// freezes, and its log continues from there. A voter that lacks the tablet makes it of these two. tabletTimeMs: the
// later time of the two, as their primaries reported it when they were frozen; the first primary continues from it
// (PROTOCOL 21). 0: not known.
struct Merged {
  1: MergedTablet left
  2: MergedTablet right
  3: LogPosition position
  4: i64 tabletTimeMs
}

struct Replica {
  1: string server
  2: Endpoint endpoint
  3: bool voter
  4: optional string rack
}

// The servers of a tablet, as a client's routing cache holds them.
struct TabletLocation {
  1: i64 tabletId
  2: KeyRange range
  3: i64 epoch
  4: string primary                          // server name; empty: none at present, ask again
  5: list<Replica> replicas                  // the primary among them
  6: optional i64 tabletTimeMs               // of this very tablet, a few seconds old at most; absent: its primary has
                                             // not reported it to this master lately
}
