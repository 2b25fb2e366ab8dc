// common/base/ids.h
// Strong types for the numbers that must not be mixed up: ids, epochs, log positions, versions.
// Threads: values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace ebla {

// A number that only compares with its own kind. Zero means "none": real ids, epochs and positions start at 1.
template <class Tag>
struct StrongId {
  uint64_t value = 0;

  constexpr explicit operator bool() const { return value != 0; }
  constexpr StrongId Next() const { return StrongId{value + 1}; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << id.value; }
};

using TableId = StrongId<struct TableIdTag>;          // never used again after a drop
using TabletId = StrongId<struct TabletIdTag>;        // never used again; drawn from the same counter as table ids
using Epoch = StrongId<struct EpochTag>;              // one primary per epoch of a tablet
using Lsn = StrongId<struct LsnTag>;                  // position in a tablet's log; grows by one
using ClientId = StrongId<struct ClientIdTag>;        // random for each client process
using Sequence = StrongId<struct SequenceTag>;        // a client's writes, numbered from 1
using Incarnation = StrongId<struct IncarnationTag>;  // how many times a server's data directory has been started

// A server's name in its cluster, such as "ts-3": what the catalog and the operator call it.
using ServerName = std::string;

// Milliseconds of tablet time (PROTOCOL 21): judges expiry and windows; near the time of day, never runs back.
using TabletTime = StrongId<struct TabletTimeTag>;

// The version of a record: the epoch and log position of the entry that wrote it. Grows along a key's life; opaque to
// users.
struct Version {
  Epoch epoch;
  Lsn lsn;

  constexpr explicit operator bool() const { return static_cast<bool>(lsn); }
  std::string ToString() const { return std::to_string(epoch.value) + "." + std::to_string(lsn.value); }
  friend constexpr auto operator<=>(const Version&, const Version&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Version& version) { return out << version.ToString(); }
};

}  // namespace ebla

template <class Tag>
struct std::hash<ebla::StrongId<Tag>> {
  size_t operator()(ebla::StrongId<Tag> id) const noexcept {
    return std::hash<uint64_t>{}(id.value * 0x9E3779B97F4A7C15u);
  }
};
