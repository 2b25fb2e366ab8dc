// common/items/item_codec.h
// How a cache's item lies in a record of Ebla.
//
// A value with flags 0 and nothing else to remember, which does not begin with a byte of 0, is the record's value as it
// is: the shell and the SDK see it, and the servers' own Increment works on it. Everything else is framed:
//
//   offset  bytes  meaning
//   0       1      0x00
//   1       1      kind: 0x01, an item
//   2       4      flags, the most significant byte first
//   6       1      state: 1 stale, 2 its win was given away, 4 an expiry follows; other bits are 0
//   7       8      only with state 4: when it expires, in milliseconds since 1970
//   then           the value
//
// Why an expiry: a change that keeps it reads the record, and puts it back with the time that is left. Over many changes
// the difference of two clocks would add up; from the time that is written here it does not.
// Errors:  INTERNAL for a record of another kind: of that key alone.
// Threads: functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla {

struct Item {
  std::string value;
  uint32_t flags = 0;
  bool stale = false;
  bool won = false;                   // a client was told to make it anew
  std::optional<int64_t> expires_ms;  // as remembered across changes; the record's own expiry is what counts

  friend bool operator==(const Item&, const Item&) = default;
};

inline constexpr size_t kItemFrameBytesMax = 15;
// The longest life that gateways give an item; servers take a little more.
inline constexpr int64_t kItemLifeMsMax = int64_t{10} * 365 * 24 * 3600 * 1000;
// No clock shows a later time, and no sum with what a record or a command has to say overflows.
inline constexpr int64_t kClockMsMax = int64_t{1} << 53;

std::string EncodeItem(Item item);
Result<Item> DecodeItem(std::string record);

// A version as one number that grows with it, and back: 24 bits of its epoch, 40 of its lsn. None beyond these.
std::optional<uint64_t> CasOf(const Version& version);
// None: no record has it.
std::optional<Version> VersionOf(uint64_t cas);

}  // namespace ebla
