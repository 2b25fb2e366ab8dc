// tabletserver/storage/row_encoding.h
// The bytes of every row but the log's (log_entry.h): keys that sort as they should, values that begin with a format
// version.
// Place:   wt_*.cc; tests/data keeps an archive of every format ever released.
//
//   where               key                               value
//   the log (log/)      1 byte 1, tablet, epoch, lsn      UnresolvedLogEntry
//                       1 byte 2, tablet                  ReplicaState
//                       1 byte 3                          HeldLog
//                       1 byte 4, tablet                  1 format (1): its ReplicaState is `lost`
//                       1 byte 5                          1 format (1); varint tablet id: unknown ids below it may have
//                                                         been here
//                       1 byte 6                          1 format (1): the log has an inventory (store_inventory.h)
//                       1 byte 7                          LogLoss
//   table applied       tablet                            AppliedState
//                       8 bytes 255                       1 format (1); varint number of the checkpoint that has it
//   table window        tablet, client, sequence          DedupRow
//   data_<table id>     the user's key                    StoredRecord
//   run_<number>        the user's key                    StoredRecord, or nothing of a deleted one
//   table runs          table, run                        wiredtiger/wt_run_rows.h
//   Up to format 2, three more tables (wiredtiger/format_conversion.h reads them):
//   oplog               tablet, lsn                       log_entry.cc; with the greatest lsn, kLogEnd: zeros, no entry
//   replica_state       tablet                            ReplicaState
//   pending             1 byte 1, tablet, epoch, lsn      UnresolvedLogEntry
//
// Other numbers in keys are 8 bytes, big-endian. The values, in order (varint, bytes: common/base/encoding.h):
//
//   ReplicaState  1 format (1); varint table, promised, led; signed varint longest lease ms; 1 flags (1 incomplete,
//                 2 tombstone); bytes incomplete range start, end; varint lineage epoch, lineage lsn; bytes schema
//                 Format 2, of a tablet that was split off another, adds varint that one
//                 Format 3, of a tablet that two were merged to, adds to 2, of each of the two, varint it, bytes range
//                 start, end, varint freeze's epoch, lsn; then varint position's epoch, lsn
//   UnresolvedLogEntry   1 format (1); varint table; the log entry (log_entry.cc), to the end
//   HeldLog   1 format (1); varint the log's id, segment
//   LogLoss   1 format (1); bytes file; varint offset, from, through, time of day in ms
//   AppliedState  1 format (1); varint epoch, lsn; bytes range start, end; varint time, window floor; varint count of
//                 epoch starts, each varint epoch, first lsn
//                 Format 2, of a tablet that was split, adds varint child, bytes key, end, varint epoch, lsn, bytes
//                 primary, varint count of voters, each bytes
//                 Format 3, of a tablet that was merged, or is frozen for that, adds 1 flags (1 the split of format 2,
//                 2 a freeze, 4 former ranges), then these, if set: the split as in format 2; varint the tablet frozen
//                 for, epoch, lsn; varint count of ranges, each bytes start, end, epoch starts as above
//   DedupRow     1 format (1); varint first incomplete, time; 8 request digest; varint epoch, lsn; 1 AckLevel; outcome
//                 (log_entry.cc)
//   StoredRecord  1 format (1); 1 flags (1 expiry follows, 2 write time and writer follow, 4 tombstone); varint epoch,
//                 lsn; [varint expiry]; [signed varint write time, bytes writer]; the value, to the end
//
// Errors:  decoding foreign bytes gives INTERNAL, never more.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

std::string TabletKey(TabletId tablet);
// The prefixes of the keys of the log's values.
inline constexpr std::string_view kUnresolvedKeys = "\1";
inline constexpr std::string_view kReplicaStateKeys = "\2";
inline constexpr std::string_view kHeldLogKey = "\3";  // the whole of it; a build that does not know it keeps it
std::string ReplicaStateKey(TabletId tablet);
Result<TabletId> ParseReplicaStateKey(std::string_view key);
// A part of a replica's state. It has a key of its own, which older builds keep, as they know no such flag of a state.
inline constexpr std::string_view kLostKeys = "\4";
std::string LostKey(TabletId tablet);
Result<TabletId> ParseLostKey(std::string_view key);
inline constexpr std::string_view kForgotKey = "\5";
inline constexpr std::string_view kInventoriedKey = "\6";
inline constexpr std::string_view kLogLossKey = "\7";
inline constexpr std::string_view kCheckpointKey =
    "\xff\xff\xff\xff\xff\xff\xff\xff";  // of `applied`; no tablet has it
std::string LogKey(TabletId tablet, Lsn lsn);
// In format 2, after every entry of a tablet's log: a row that is none.
inline constexpr Lsn kLogEnd{UINT64_MAX};
std::string DedupKey(TabletId tablet, ClientId client, Sequence sequence);
struct DedupKeyParts {
  TabletId tablet;
  ClientId client;
  Sequence sequence;
};
std::string UnresolvedKey(TabletId tablet, Version version);
Result<TabletId> ParseTabletKey(std::string_view key);
Result<std::pair<TabletId, Lsn>> ParseLogKey(std::string_view key);
Result<DedupKeyParts> ParseDedupKey(std::string_view key);
Result<UnresolvedPosition> ParseUnresolvedKey(std::string_view key);

std::string EncodeReplicaState(const ReplicaState& state);
Result<ReplicaState> DecodeReplicaState(std::string_view bytes);

std::string EncodeUnresolved(TableId table, const LogEntry& entry);
// The tablet is the key's.
Result<UnresolvedLogEntry> DecodeUnresolved(TabletId tablet, std::string_view bytes);

// The first segment of the log that is held for its readers.
struct HeldLog {
  uint64_t log = 0;
  uint64_t segment = 0;
};
std::string EncodeHeldLog(const HeldLog& held);
Result<HeldLog> DecodeHeldLog(std::string_view bytes);
std::string EncodeLost();
std::string EncodeForgotBelow(TabletId below);
Result<TabletId> DecodeForgotBelow(std::string_view bytes);
std::string EncodeInventoried();
std::string EncodeLogLoss(const LogLoss& loss);
Result<LogLoss> DecodeLogLoss(std::string_view bytes);
std::string EncodeCheckpointNumber(uint64_t number);
Result<uint64_t> DecodeCheckpointNumber(std::string_view bytes);

std::string EncodeAppliedState(const AppliedState& state);
Result<AppliedState> DecodeAppliedState(std::string_view bytes);

std::string EncodeDedupRow(const DedupRow& row);
// Client and sequence are the key's.
Result<DedupRow> DecodeDedupRow(const DedupKeyParts& key, std::string_view bytes);

// Replaces what `out` holds. The effect is a put.
void EncodeRecord(const Effect& effect, Version version, ByteWriter& out);
void EncodeRecord(const StoredRecord& record, ByteWriter& out);
// Into `record`, whose memory is used again.
Status DecodeRecord(std::string_view bytes, StoredRecord& record);
// The bytes that DecodeRecord reads.
bool IsTombstoneRow(std::string_view bytes);

}  // namespace ebla::tabletserver
