// thrift/control.thrift: what the master tells tablet servers. Every request names the master's term; a server refuses
// a term below the greatest it has seen (STALE_EPOCH), so that a deposed master's orders die. All are idempotent.
// Method names are unique over all services, so that one port can serve any of them.
include "types.thrift"
namespace cpp ebla.idl
namespace go ebla.control
namespace java ebla.idl
namespace js ebla
namespace netstd Ebla.Idl
namespace py ebla.control
namespace rs ebla

struct ControlHeader {
  1: i16 protocolVersion = types.PROTOCOL_VERSION
  2: string clusterId
  3: i64 masterTerm
  4: string toServer
  5: i64 toIncarnation                // the incarnation the master means; another refuses with COME_AGAIN
  6: i64 timeOfDayMs                  // by the master's clock, when it asked; 0: not said
  7: string boot                      // of the master's machine: a server of the same boot has the same clock
}

// A split that the catalog has, but the log of a memory tablet's future primary lacks.
struct LostSplit { 1: i64 childId, 2: binary key }

// Tells a server its part in a tablet's epoch. Creates the replica where it is to exist (PROTOCOL 6); its log is empty
// then, and complete if `born`.
struct ConfigureTablet {
  1: i64 tabletId
  2: i64 epoch
  3: types.KeyRange range
  4: string primary
  5: list<string> voters
  6: list<string> learners
  7: types.TableSchema schema
  8: bool fenced = false              // epoch was fenced at a majority; else it is a membership change (PROTOCOL 1)
  9: bool born = false                // a tablet created empty: a server that lacks it starts it complete and empty
  10: optional types.LogPosition presumed  // the log the master believes the primary has; a shorter one refuses
  11: map<string, types.Endpoint> endpoints  // of voters and learners
  13: bool transfer = false           // not fenced: the former primary has released the epoch to `primary` (PROTOCOL 1)
  12: optional i64 tabletTimeMs       // the greatest tablet time of the fence's answers (PROTOCOL 21); absent: none
                                      // knew one
  14: optional i64 timeOfDayMs        // then: the median of their clocks; absent: none was fenced, the primary's counts
  16: bool anew = false               // a memory table's: no voter has its data any more, and the primary, which is
                                      // incomplete, begins it anew, empty, with `range` (PROTOCOL 5)
  17: bool soleLog = false            // a memory table's: no majority of its voters has a log, and the primary's is the
                                      // longest, so all of it is committed
  18: list<LostSplit> lostSplits      // the primary logs these before its Barrier, because no other replica has them
                                      // (PROTOCOL 5)
  15: optional types.Merged merged    // who does not know it merges these two, which it has (PROTOCOL 14). COME_AGAIN:
                                      // not applied yet
  19: bool lossAccepted = false       // an operator accepts what its voters' disks lost: a primary that is `lost` leads
                                      // (PROTOCOL 5)
}
struct ConfigureRequest { 1: ControlHeader header, 2: list<ConfigureTablet> tablets }
struct ConfigureResult { 1: i64 tabletId, 2: types.Status status, 3: i64 promisedEpoch }
struct ConfigureReply { 1: types.Status status, 2: list<ConfigureResult> results }

// leapFrom: the epoch that the replica has promised, if `epoch` exceeds it by more than masters count up. A server that
// has promised exactly this epoch accepts the leap, because the sender knows of it.
// `had`: other servers remember that the disk there had the log through this entry; unset: none does.
struct FenceTablet { 1: i64 tabletId, 2: i64 epoch, 3: optional i64 leapFrom, 4: optional types.LogPosition had }
struct FenceRequest { 1: ControlHeader header, 2: list<FenceTablet> tablets }
struct FenceResult {
  1: i64 tabletId
  2: types.Status status
  3: types.LogPosition lastAppended
  4: i64 promisedEpoch
  5: bool known                       // false: the server has no such replica (the promise is kept all the same)
  6: bool incomplete
  7: bool forgetful                   // may have lost what it acknowledged (PROTOCOL 5)
  8: i64 tabletTimeMs                 // 0: restarted since, knows none
  9: i64 timeOfDayMs                  // when it answered: by the server's clock, or the last that was sure of it
  10: optional binary endKey          // a memory table's, complete: where its log leaves it to end, whether or not a
                                      // SPLIT in it is applied
  12: bool lost                       // its disk lost a part of the log: entries and promises may lack (PROTOCOL 5)
  11: map<string, types.LogPosition> vouched  // other servers' disks had this entry, as they told this server in its
                                      // epoch
}
struct FenceReply { 1: types.Status status, 2: list<FenceResult> results }

// Removes replicas; epoch is that of the configuration that removed them. A server that has promised a higher epoch
// ignores it. `splits`: tablets of the catalog that were split off this one. A server that holds such a SPLIT unapplied
// applies it first and answers COME_AGAIN until it has (PROTOCOL 9), because the child may exist nowhere else.
struct DropTablet { 1: i64 tabletId, 2: i64 epoch, 3: list<i64> splits }
struct DropRequest { 1: ControlHeader header, 2: list<DropTablet> tablets }
struct DropReply { 1: types.Status status, 2: list<ConfigureResult> results }

// Transfers the leadership to `target`: the primary stops admitting writes, brings the target level, releases the
// lease, then answers. Its answer gives the end of the released log: `presumed` and the tablet time of the Configure
// that follows.
struct TransferTablet { 1: i64 tabletId, 2: i64 epoch, 3: string target, 4: i64 patienceMs }
struct TransferRequest { 1: ControlHeader header, 2: list<TransferTablet> tablets }
struct TransferReply { 1: types.Status status, 2: list<FenceResult> results }

// Orders the tablet's primary in `epoch` to split it at `key`, with `childId` as the child (PROTOCOL 11 to 13). Other
// replicas refuse; a repeated order has no effect. Answered once SPLIT is applied.
struct SplitTablet { 1: i64 tabletId, 2: i64 epoch, 3: binary key, 4: i64 childId }
struct SplitRequest { 1: ControlHeader header, 2: list<SplitTablet> tablets }
struct SplitResult { 1: i64 tabletId, 2: types.Status status, 3: optional types.AppliedSplit split }
struct SplitReply { 1: types.Status status, 2: list<SplitResult> results }

// Orders the tablet's primary in `epoch` to freeze it, so that it can be merged into `intoId` (PROTOCOL 14). Other
// replicas refuse; a repeated order has no effect. Answered once FREEZE is applied, and durable at every voter: every
// entry of that epoch can then be applied at each of them. Only a later epoch ends the freeze.
struct FreezeTablet { 1: i64 tabletId, 2: i64 epoch, 3: i64 intoId }
struct FreezeRequest { 1: ControlHeader header, 2: list<FreezeTablet> tablets }
struct FreezeResult { 1: i64 tabletId, 2: types.Status status, 3: optional types.LogPosition freeze,
    4: i64 tabletTimeMs }
struct FreezeReply { 1: types.Status status, 2: list<FreezeResult> results }

// New schema of a table whose replicas the server holds; older schemaVersions are ignored.
struct AlterRequest { 1: ControlHeader header, 2: types.TableSchema schema }
struct AlterReply { 1: types.Status status }

// The catalog dropped the table: the server deletes its data file after it has dropped its last replica.
struct DropTableRequest { 1: ControlHeader header, 2: i64 tableId }
struct DropTableReply { 1: types.Status status }

// Returns the space of deleted records in the table's file to the file system, in the background and for at most limitS
// seconds. `start` begins a compaction if none runs. The answer describes the running compaction, or the latest one of
// this table since the server started.
struct CompactRequest { 1: ControlHeader header, 2: i64 tableId, 3: bool start, 4: i32 limitS }
struct CompactReply {
  1: types.Status status
  2: bool running
  3: i64 ageMs                        // since it was begun; -1: never was
  4: i64 bytesBefore                  // of the file
  5: i64 bytesAfter                   // or now, while it runs
  6: optional types.Status outcome    // of one that is over
}

// Begins a pass of the search for damage now. CONDITION_FAILED: one is under way, or nothing is scrubbed here.
struct ScrubRequest { 1: ControlHeader header }
struct ScrubReply { 1: types.Status status }

// An operator says that the server's clock is right: a doubt of it ends (PROTOCOL 21). OK where there is none, too.
struct AcceptClockRequest { 1: ControlHeader header }
struct AcceptClockReply { 1: types.Status status }

service ControlService {
  ConfigureReply configure(1: ConfigureRequest request)
  FenceReply fence(1: FenceRequest request)
  DropReply drop(1: DropRequest request)
  TransferReply transfer(1: TransferRequest request)
  SplitReply split(1: SplitRequest request)
  FreezeReply freeze(1: FreezeRequest request)
  AlterReply alter(1: AlterRequest request)
  DropTableReply dropTableData(1: DropTableRequest request)
  CompactReply compactTableData(1: CompactRequest request)
  ScrubReply scrub(1: ScrubRequest request)
  AcceptClockReply acceptClock(1: AcceptClockRequest request)
}
