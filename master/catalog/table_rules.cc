#include "master/catalog/table_rules.h"

#include <algorithm>
#include <array>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"

namespace ebla::master {
namespace {

constexpr int64_t kBoundedMsMax = 3'600'000;
constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kSplitBytesDefault = int64_t{8} << 30;
constexpr int64_t kSplitOpsDefault = 2'500;
constexpr std::array<std::string_view, 4> kEvictions = {"none", "lru", "lfu", "ttl"};

Error Invalid(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

Status CheckBetween(std::string_view what, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return Invalid(std::string(what) + " must be " + std::to_string(least) + " to " + std::to_string(most) + ", not " +
                 std::to_string(value));
}

template <class E>
Status CheckEnum(std::string_view what, E value, E last) {
  const int number = static_cast<int>(value);
  if (number >= 0 && number <= static_cast<int>(last)) return {};
  return Invalid("unknown " + std::string(what) + " " + std::to_string(number));
}

bool InMemory(const idl::TableOptions& options) { return options.__isset.memory && options.memory; }

Status CheckMemory(const idl::TableOptions& options) {
  if (!InMemory(options)) {
    if (options.__isset.eviction && !options.eviction.empty()) {
      return Invalid("eviction needs a table in memory: set memory, too");
    }
    if (options.__isset.memoryLimit && options.memoryLimit != 0) {
      return Invalid("a memory limit needs a table in memory: set memory, too");
    }
    return {};
  }
  if (options.durability == idl::Durability::INTERVAL) {
    return Invalid("a table in memory has no durability: leave it out");
  }
  if (options.compression != idl::Compression::NONE) return Invalid("a table in memory is not compressed");
  if (std::ranges::find(kEvictions, options.eviction) == kEvictions.end()) {
    return Invalid("eviction must be none, lru, lfu or ttl, not \"" + options.eviction + "\"");
  }
  if (options.lastWriteWins && options.eviction != "none") {
    return Invalid(
        "a last_write_wins table remembers what was deleted, so evicting gives no memory back: eviction must be none");
  }
  if (options.memoryLimit != 0) return CheckBetween("memory limit", options.memoryLimit, kMiB, int64_t{1} << 50);
  return {};
}

// Absent options are left out, so that older builds find only known fields in schemas.
void CompleteMemory(idl::TableOptions& options) {
  if (!InMemory(options)) {
    options.__isset.memory = options.__isset.eviction = options.__isset.memoryLimit = false;
    return;
  }
  if (options.eviction.empty()) options.__set_eviction("none");
  if (!options.__isset.memoryLimit) options.__set_memoryLimit(0);
}

Status CheckKeyGroup(const idl::KeyGroup& group) {
  const bool all = group.__isset.all && group.all;
  if (int{group.__isset.prefixBytes} + int{group.__isset.delimiter} + int{all} > 1)
    return Invalid("a key group is given by prefix length, by delimiter or as all of the table: by one of these");
  if (group.__isset.prefixBytes) {
    EBLA_TRY(CheckBetween("key group prefix bytes", group.prefixBytes, 1, kSplitKeyBytesMax));
  }
  if (group.__isset.delimiter && group.delimiter.size() != 1) {
    return Invalid("a key group's delimiter is one byte, not " + std::to_string(group.delimiter.size()));
  }
  return {};
}

Status CheckLevels(const idl::TableOptions& options) {
  EBLA_TRY(CheckEnum("write level", options.defaultWriteLevel, idl::WriteLevel::ANY));
  EBLA_TRY(CheckEnum("read level", options.defaultReadLevel, idl::ReadLevel::EVENTUAL));
  if (options.defaultWriteLevel == idl::WriteLevel::ANY && !options.lastWriteWins) {
    return Invalid("write level ANY needs a last_write_wins table; choose MAJORITY, ALL or PRIMARY");
  }
  return CheckBetween("default bounded ms", options.defaultBoundedMs, 1, kBoundedMsMax);
}

Status CheckOptions(const idl::TableOptions& options) {
  EBLA_TRY(CheckBetween("replicas", options.replicas, 1, kReplicasMax));
  EBLA_TRY(CheckMemory(options));
  EBLA_TRY(CheckEnum("compression", options.compression, idl::Compression::ZLIB));
  EBLA_TRY(CheckEnum("durability", options.durability, idl::Durability::INTERVAL));
  EBLA_TRY(CheckBetween("interval ms", options.intervalMs, 10, 60'000));
  EBLA_TRY(CheckKeyGroup(options.keyGroup));
  EBLA_TRY(CheckLevels(options));
  EBLA_TRY(CheckBetween("default ttl ms", options.defaultTtlMs, 0, limits::kTtlMsMax));
  EBLA_TRY(CheckBetween("split bytes", options.splitBytes, kMiB, int64_t{1} << 50));
  EBLA_TRY(CheckBetween("split operations per second", options.splitOpsPerSecond, 1, 1'000'000'000));
  EBLA_TRY(CheckBetween("merge bytes", options.mergeBytes, 0, int64_t{1} << 50));
  if (options.mergeBytes > options.splitBytes / 2) {
    return Invalid("merge bytes must be at most half of split bytes, or merged tablets would split again");
  }
  return {};
}

// Takes the field from `from` where it is set.
#define EBLA_TAKE(field) \
  if (from.__isset.field) into.__set_##field(from.field)
void TakeSet(const idl::TableOptions& from, idl::TableOptions& into) {
  EBLA_TAKE(replicas);
  EBLA_TAKE(compression);
  EBLA_TAKE(durability);
  EBLA_TAKE(intervalMs);
  EBLA_TAKE(keyGroup);
  EBLA_TAKE(lastWriteWins);
  EBLA_TAKE(defaultWriteLevel);
  EBLA_TAKE(defaultReadLevel);
  EBLA_TAKE(defaultBoundedMs);
  EBLA_TAKE(defaultTtlMs);
  EBLA_TAKE(splitBytes);
  EBLA_TAKE(splitOpsPerSecond);
  EBLA_TAKE(mergeBytes);
  EBLA_TAKE(memory);
  EBLA_TAKE(eviction);
  EBLA_TAKE(memoryLimit);
}
#undef EBLA_TAKE

// DEFAULT names no level of a table: here it is the house's.
void ResolveLevels(idl::TableOptions& options) {
  if (options.defaultWriteLevel == idl::WriteLevel::DEFAULT) options.defaultWriteLevel = idl::WriteLevel::MAJORITY;
  if (options.defaultReadLevel == idl::ReadLevel::DEFAULT) options.defaultReadLevel = idl::ReadLevel::STRONG;
}

idl::TableOptions Defaults(int replicas) {
  idl::TableOptions options;
  options.__set_replicas(replicas);
  options.__set_compression(idl::Compression::NONE);
  options.__set_durability(idl::Durability::SYNC);
  options.__set_intervalMs(1'000);
  options.__set_keyGroup({});
  options.__set_lastWriteWins(false);
  options.__set_defaultWriteLevel(idl::WriteLevel::MAJORITY);
  options.__set_defaultReadLevel(idl::ReadLevel::STRONG);
  options.__set_defaultBoundedMs(1'000);
  options.__set_defaultTtlMs(0);
  options.__set_splitBytes(kSplitBytesDefault);
  options.__set_splitOpsPerSecond(kSplitOpsDefault);
  return options;
}

bool SameGroup(const idl::KeyGroup& a, const idl::KeyGroup& b) { return rpc::FromIdl(a) == rpc::FromIdl(b); }

}  // namespace

Result<idl::TableOptions> CompleteOptions(idl::TableOptions asked, int replicas_default) {
  idl::TableOptions options = Defaults(replicas_default);
  TakeSet(asked, options);
  if (!options.__isset.mergeBytes) options.__set_mergeBytes(options.splitBytes / 4);
  ResolveLevels(options);
  if (InMemory(options)) CompleteMemory(options);
  EBLA_TRY(CheckOptions(options));
  CompleteMemory(options);
  return options;
}

Result<idl::TableOptions> AlterOptions(const idl::TableOptions& current, const idl::TableOptions& change) {
  const auto for_life = [](std::string_view what) {
    return Invalid(std::string(what) + " is for the table's life: make a new table and copy the data into it");
  };
  if (change.__isset.compression && change.compression != current.compression) return for_life("compression");
  if (change.__isset.keyGroup && !SameGroup(change.keyGroup, current.keyGroup)) return for_life("the key group");
  if (change.__isset.lastWriteWins && change.lastWriteWins != current.lastWriteWins) {
    return for_life("last_write_wins");
  }
  if (change.__isset.memory && change.memory != InMemory(current)) return for_life("memory");
  idl::TableOptions options = current;
  TakeSet(change, options);
  ResolveLevels(options);
  EBLA_TRY(CheckOptions(options));
  CompleteMemory(options);
  return options;
}

bool CutsKeyGroup(const std::string& point, const idl::KeyGroup& group) {
  return rpc::FromIdl(group).Start(point) != point;
}

Status CheckSplitPoints(const std::vector<std::string>& points, const idl::TableOptions& options) {
  if (points.size() > kSplitPointsMax) {
    return Invalid("at most 10000 split points, not " + std::to_string(points.size()));
  }
  size_t bytes = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    const std::string& point = points[i];
    bytes += point.size();
    if (point.empty() || point.size() > kSplitKeyBytesMax) {
      return Invalid("split point " + std::to_string(i + 1) + " has " + std::to_string(point.size()) +
                     " bytes; a split point has 1 to 256");
    }
    if (i > 0 && points[i - 1] >= point) {
      return Invalid("split points must ascend and differ: \"" + EscapeBytes(point) + "\" comes after \"" +
                     EscapeBytes(points[i - 1]) + "\"");
    }
    if (rpc::FromIdl(options.keyGroup).all)
      return Invalid("the table is one key group (--key-group all): it is one tablet, which never splits");
    if (CutsKeyGroup(point, options.keyGroup)) {
      return Invalid("split point \"" + EscapeBytes(point) + "\" cuts a key group: it must not be longer than the " +
                     "group's prefix");
    }
  }
  if (bytes > kSplitPointsBytesMax) {
    return Invalid("split points take " + std::to_string(bytes) + " bytes together; at most " +
                   std::to_string(kSplitPointsBytesMax) + ": use shorter ones");
  }
  return {};
}

}  // namespace ebla::master
