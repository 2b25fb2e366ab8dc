#include "ebla/level_names.h"

#include <chrono>

#include "common/base/duration_text.h"

namespace ebla {

std::optional<Ack> AckNamed(std::string_view name) {
  for (const Ack ack : {Ack::kDefault, Ack::kMajority, Ack::kAll, Ack::kPrimary, Ack::kAny}) {
    if (name == FormatAck(ack)) return ack;
  }
  return std::nullopt;
}

std::optional<Read> ReadNamed(std::string_view name) {
  for (const Read read : {Read(), Read::Strong(), Read::InSession(), Read::Eventual()}) {
    if (name == FormatRead(read)) return read;
  }
  constexpr std::string_view kBounded = "bounded=";
  if (!name.starts_with(kBounded)) return std::nullopt;
  const auto bound = ParseDuration(name.substr(kBounded.size()));
  if (!bound || bound->count() < 1 || *bound > std::chrono::hours(1)) return std::nullopt;
  return Read::Bounded(*bound);
}

std::optional<TableEviction> EvictionNamed(std::string_view name) {
  for (const auto eviction : {TableEviction::kNone, TableEviction::kLru, TableEviction::kLfu, TableEviction::kTtl}) {
    if (name == FormatEviction(eviction)) return eviction;
  }
  return std::nullopt;
}

std::string FormatAck(Ack ack) {
  switch (ack) {
    case Ack::kDefault: return "default";
    case Ack::kMajority: return "majority";
    case Ack::kAll: return "all";
    case Ack::kPrimary: return "primary";
    case Ack::kAny: return "any";
  }
  return "?";
}

std::string FormatRead(const Read& read) {
  switch (read.level()) {
    case Read::Level::kDefault: return "default";
    case Read::Level::kStrong: return "strong";
    case Read::Level::kSession: return "session";
    case Read::Level::kBounded: return "bounded=" + FormatDuration(read.bound());
    case Read::Level::kEventual: return "eventual";
  }
  return "?";
}

std::string FormatEviction(TableEviction eviction) {
  switch (eviction) {
    case TableEviction::kNone: return "none";
    case TableEviction::kLru: return "lru";
    case TableEviction::kLfu: return "lfu";
    case TableEviction::kTtl: return "ttl";
  }
  return "?";
}

}  // namespace ebla
