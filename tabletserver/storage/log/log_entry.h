// tabletserver/storage/log/log_entry.h
// One entry of a tablet's log, and its encoding, the same on disk and between peers.
// An entry holds effects (absolute puts and deletes), never commands: replaying it is idempotent, and no replica ever
// evaluates a condition again. A refusal that depended on state is an entry without effects (PROTOCOL 18).
// Format:  log_entry.cc documents it byte by byte. The first byte is the format version (1), the second is the kind. An
//          unknown kind is fatal for the tablet, because Decode returns INTERNAL and skips nothing.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

enum class EntryKind : uint8_t {
  kWrite = 1,    // a client's write: effects, or none for a refusal
  kPurge = 2,    // expired records go; also carries tablet time forward when nothing is to be purged
  kBarrier = 3,  // the first entry of an epoch; committing it commits all before it
  kSplit = 4,    // `detail` is a SplitDetail; applied, it shrinks the range and makes the child
  kFreeze = 5,   // `detail` is a FreezeDetail; the last entry of its epoch, on the way to a merge
  kFloor = 6,    // the dedup window forgets everything of `floor_time` and before
};

// Also the number on disk: only ever add.
enum class AckLevel : uint8_t { kDefault = 0, kMajority = 1, kAll = 2, kPrimary = 3, kAny = 4 };

struct Effect {
  std::string key;
  bool is_delete = false;
  std::string value;          // puts
  TabletTime expires_at;      // puts; none: never
  int64_t write_time_ms = 0;  // last_write_wins tables: when and at which server it was accepted
  std::string writer;

  // Only what removes a record for good has none there: a purge.
  bool timed() const { return write_time_ms != 0 || !writer.empty(); }
};

// The answer to the client. It is logged, kept in the dedup window, and repeated to a retry.
struct Outcome {
  Code code = Code::kOk;  // OK, CONDITION_FAILED, INVALID_ARGUMENT
  std::string message;    // why it was refused; of an OK the functions' answers, each as ByteWriter::Bytes has it
  bool wrote = false;     // the version of the entry is the answer's version
  std::vector<int64_t> counters;  // results of increments, in order
  int32_t failed_index = -1;
};

struct LogEntry {
  EntryKind kind = EntryKind::kWrite;
  Version version;  // (epoch, lsn) of this entry
  TabletTime time;  // tablet time when it was appended; never less than its predecessor's
  ClientId client;  // kWrite; none for writes without a window (deliveries)
  Sequence sequence;
  Sequence first_incomplete;
  uint64_t request_digest = 0;
  AckLevel level = AckLevel::kMajority;
  bool conditional = false;  // kWrite: with conditions or increments, so that it means nothing beside another state
  Outcome outcome;
  std::vector<Effect> effects;
  TabletTime floor_time;  // kFloor
  std::string detail;     // kSplit, kFreeze

  size_t ApproximateBytes() const;  // in memory
};

// The detail of a kSplit entry. The child takes the keys from `key` on, led by the primary of the entry's epoch
// (docs/design/split-and-merge.md).
struct SplitDetail {
  TabletId child;
  std::string key;
  ServerName primary;
  std::vector<ServerName> voters;
};

std::string EncodeSplitDetail(const SplitDetail& detail);
Result<SplitDetail> DecodeSplitDetail(std::string_view bytes);

// The detail of a kFreeze entry. The tablet waits to become part of this one (PROTOCOL 14).
struct FreezeDetail {
  TabletId into;
};

std::string EncodeFreezeDetail(const FreezeDetail& detail);
Result<FreezeDetail> DecodeFreezeDetail(std::string_view bytes);

std::string EncodeLogEntry(const LogEntry& entry);
void EncodeLogEntry(const LogEntry& entry, ByteWriter& out);  // behind what is there
Result<LogEntry> DecodeLogEntry(std::string_view bytes);

// Entries to be stored at the end of a tablet's log.
struct AppendBatch {
  TabletId tablet;
  std::vector<const LogEntry*> entries;  // consecutive lsns after the last one stored; borrowed for the call
  bool admitted = false;                 // by the tablet's leader, which is here: it has seen room for its writes
};

// An acknowledged write that is in no tablet's log here, kept until a client or hint delivery settles it (PROTOCOL 22).
// It is a PRIMARY write that was discarded from the log, or an ANY write, under no tablet and a version made of this
// server's start and a count within it.
struct UnresolvedLogEntry {
  TabletId tablet;
  TableId table;
  LogEntry entry;
};

// The place at which a list of unresolved entries continues. They are listed by tablet, then version.
struct UnresolvedPosition {
  TabletId tablet;
  Version version;
};

}  // namespace ebla::tabletserver
