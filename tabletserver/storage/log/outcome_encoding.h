// tabletserver/storage/log/outcome_encoding.h
// The parts that a log entry and a dedup window row have in common. The bytes are documented in log_entry.cc.
// Threads: functions of their arguments.
#pragma once

#include "common/base/encoding.h"
#include "tabletserver/storage/log/log_entry.h"

namespace ebla::tabletserver {

void WriteOutcome(const Outcome& outcome, ByteWriter& out);
// Malformed input: in.ok() becomes false.
Outcome ReadOutcome(ByteReader& in);
AckLevel ReadAckLevel(ByteReader& in);

}  // namespace ebla::tabletserver
