// functions/items/item_codec.h
// The encoding of a cache's item in a record of Ebla.
//
// A value with flags 0, without further state and without a first byte of 0 is the record's value itself. The shell and
// the SDK see it, and the servers' own Increment works on it. Every other item is framed:
//
//   offset  bytes  meaning
//   0       1      0x00
//   1       1      kind: 0x01, an item
//   2       4      flags, the most significant byte first
//   6       1      state: 1 stale, 2 its win was given away, 4 eight bytes follow; other bits are 0
//   7       8      only with state 4: earlier builds wrote them, and they mean nothing
//   then           the value
//
// Errors:  INTERNAL: a record of another kind. Other keys are unaffected.
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
  bool won = false;  // a client was told to recache it

  friend bool operator==(const Item&, const Item&) = default;
};

inline constexpr size_t kItemFrameBytesMax = 7;

std::string EncodeItem(Item item);
Result<Item> DecodeItem(std::string record);

// A version as one number that grows with it, and back: 24 bits of its epoch, 40 of its lsn. Larger ones have no
// number.
std::optional<uint64_t> CasOf(const Version& version);
// None: no record has it.
std::optional<Version> VersionOf(uint64_t cas);

}  // namespace ebla
