#include "tabletserver/storage/in_memory/in_memory_arenas.h"

#include <glog/logging.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>

// jemalloc's (jemalloc.h, 5.x); null where another malloc is linked.
extern "C" {
void* mallocx(size_t bytes, int flags) __attribute__((weak));
void dallocx(void* block, int flags) __attribute__((weak));
size_t nallocx(size_t bytes, int flags) __attribute__((weak));
int mallctl(const char* name, void* old, size_t* old_bytes, void* next, size_t next_bytes) __attribute__((weak));
}

namespace ebla::tabletserver {
namespace {

// The sparseness of a table of a few pages does not predict that of a large one.
constexpr size_t kJudgedFrom = size_t{16} << 20;
// Pages that threads leave empty are given back after so long instead of ten seconds, because large requests leave
// many.
constexpr ssize_t kEmptyTimeMs = 1000;
// Empty pages are given back at once if they are more than this and more than a part of those in use, because each
// costs a fault when it is needed again.
constexpr size_t kEmptyMax = size_t{8} << 20;
constexpr size_t kEmptyPart = 128, kEmptyPartOfSmall = 32;
constexpr unsigned kAllArenas = 4'096;  // MALLCTL_ARENAS_ALL

template <class T>
T ReadStat(const std::string& name) {
  T value{};
  size_t bytes = sizeof value;
  return mallctl(name.c_str(), &value, &bytes, nullptr, 0) == 0 ? value : T{};
}

bool MuchEmpty(size_t empty, size_t used) {
  return empty > std::max(used / kEmptyPart, std::min(kEmptyMax, used / kEmptyPartOfSmall));
}

void GiveBack(unsigned arena) {
  mallctl(("arena." + std::to_string(arena) + ".purge").c_str(), nullptr, nullptr, nullptr, 0);
}

// Pages of records and indexes count as theirs, because a small table has few.
bool MuchEmptyOf(size_t active, size_t empty) { return empty > std::max(size_t{256} << 10, active / kEmptyPart); }

struct ArenaUse {
  size_t given = 0;     // bytes of blocks
  size_t active = 0;    // of the pages that have some
  size_t empty = 0;     // of pages that have none and are not given back
  size_t resident = 0;  // with empty pages, and what the allocator keeps for itself
};

class Arena {
 public:
  Arena() {
    if (mallocx == nullptr || dallocx == nullptr || mallctl == nullptr) return;
    size_t bytes = sizeof index_;
    if (mallctl("arenas.create", &index_, &bytes, nullptr, 0) != 0) return;
    constexpr int kNoThreadCache = 1 << 8;  // MALLOCX_TCACHE_NONE: else records would come out of any arena
    flags_ = static_cast<int>((index_ + 1) << 20) | kNoThreadCache;
  }

  int flags() const { return flags_; }  // 0: there is none
  // Gives back its empty pages where they are many.
  bool Tidy() const {
    const ArenaUse use = Use();
    if (!MuchEmptyOf(use.active, use.empty)) return false;
    GiveBack(index_);
    return true;
  }
  ArenaUse Use() const {
    const std::string stats = "stats.arenas." + std::to_string(index_) + ".";
    return {.given = ReadStat<size_t>(stats + "small.allocated") + ReadStat<size_t>(stats + "large.allocated"),
            .active = ReadStat<size_t>(stats + "pactive") * ReadStat<size_t>("arenas.page"),
            .empty = ReadStat<size_t>(stats + "pdirty") * ReadStat<size_t>("arenas.page"),
            .resident = ReadStat<size_t>(stats + "resident")};
  }

 private:
  unsigned index_ = 0;
  int flags_ = 0;
};

// Covers all arenas, present and future.
void ShortenEmptyTime() {
  ssize_t ms = kEmptyTimeMs;
  mallctl("arenas.dirty_decay_ms", nullptr, nullptr, &ms, sizeof ms);
  const auto arenas = ReadStat<unsigned>("arenas.narenas");
  for (unsigned i = 0; i < arenas; ++i)
    mallctl(("arena." + std::to_string(i) + ".dirty_decay_ms").c_str(), nullptr, nullptr, &ms, sizeof ms);
}

const Arena& ArenaFor(InMemoryArenas::For what) {
  static const Arena records, indexes;
  return what == InMemoryArenas::For::kRecords ? records : indexes;
}

void Refresh() {
  uint64_t epoch = 1;
  size_t bytes = sizeof epoch;
  mallctl("epoch", &epoch, &bytes, &epoch, sizeof epoch);  // else the figures are of the last time
}

double TakenPerByte(size_t taken, size_t given) {
  return given < kJudgedFrom ? 1 : std::max(1.0, static_cast<double>(taken) / static_cast<double>(given));
}

std::atomic<double> ram_overhead{1};
// The bytes given and resident at the latest Look(); zero: unknown.
std::atomic<int64_t> ram_given{0}, ram_resident{0};
// Counts blocks since then. Changes during the look may be in both.
std::atomic<int64_t> ram_allocated_since{0}, ram_freed_since{0};
std::atomic<double> ram_sparseness{1};
std::atomic<int64_t> ram_looked_at{0};
std::atomic<int64_t> ram_kept_elsewhere{0};
constexpr int64_t kLookIsOldMs = 150;

// Rises at once, and halves in some two seconds of looks. The least is forgotten over hours, because its figures are
// not of one moment and may have been odd.
void NoteKeptElsewhere(int64_t kept) {
  static std::atomic<int64_t> ever_least{INT64_MAX};
  kept = std::max<int64_t>(kept, 0);
  int64_t least = ever_least.load(std::memory_order_relaxed);
  least = least == INT64_MAX ? kept : std::min(kept, least + ((kept - least) >> 17) + 1);
  ever_least.store(least, std::memory_order_relaxed);
  const int64_t before = ram_kept_elsewhere.load(std::memory_order_relaxed);
  ram_kept_elsewhere.store(std::max(kept - least, before - before / 64), std::memory_order_relaxed);
}

int64_t MillisNow() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

void* InMemoryArenas::Allocate(size_t bytes, For what) {
  const int flags = ArenaFor(what).flags();
  void* const block = flags != 0 ? mallocx(bytes, flags) : std::malloc(bytes);
  CHECK(block != nullptr) << "no memory for " << bytes << " bytes of a record or an index";
  if (flags != 0) ram_allocated_since.fetch_add(BytesOf(block), std::memory_order_relaxed);
  return block;
}

void InMemoryArenas::Free(void* block) {
  // Of any arena: the block knows. No thread's cache keeps it.
  if (const int flags = ArenaFor(For::kRecords).flags(); flags != 0) {
    ram_freed_since.fetch_add(BytesOf(block), std::memory_order_relaxed);
    return dallocx(block, flags);
  }
  std::free(block);
}

int64_t InMemoryArenas::BytesOf(const void* block) {
  return static_cast<int64_t>(malloc_usable_size(const_cast<void*>(block)));
}

bool InMemoryArenas::IsBlockFor(const void* block, size_t held, size_t wanted) {
  // The block's contents are in no processor's cache. They are not read if jemalloc's sizes suffice.
  if (nallocx != nullptr && wanted <= nallocx(held, 0) && nallocx(held, 0) == nallocx(wanted, 0)) return true;
  const auto given = static_cast<size_t>(BytesOf(block));
  return wanted <= given && wanted >= given - given / 4;
}

double InMemoryArenas::Overhead() { return ram_overhead.load(std::memory_order_relaxed); }

double InMemoryArenas::OverheadAtWorst() {
  const int64_t given = ram_given.load(std::memory_order_relaxed);
  if (given == 0) return 1;
  const int64_t more = ram_allocated_since.load(std::memory_order_relaxed);
  const int64_t freed = ram_freed_since.load(std::memory_order_relaxed);
  const bool late = MillisNow() - ram_looked_at.load(std::memory_order_relaxed) > kLookIsOldMs;
  const int64_t now = given + more - freed;
  const int64_t resident =
      ram_resident.load(std::memory_order_relaxed) + (late ? more : std::max(more - freed / 2, more / 2));
  return now <= 0 ? Overhead() : std::max(Overhead(), static_cast<double>(resident) / static_cast<double>(now));
}

int64_t InMemoryArenas::KeptElsewhere() { return ram_kept_elsewhere.load(std::memory_order_relaxed); }

double InMemoryArenas::Sparseness() { return ram_sparseness.load(std::memory_order_relaxed); }

void InMemoryArenas::Look() {
  const Arena &records = ArenaFor(For::kRecords), &indexes = ArenaFor(For::kIndexes);
  if (records.flags() == 0 || indexes.flags() == 0) return;
  static const bool shortened = (ShortenEmptyTime(), true);
  (void)shortened;
  ram_looked_at.store(MillisNow(), std::memory_order_relaxed);
  ram_allocated_since.store(0, std::memory_order_relaxed);
  ram_freed_since.store(0, std::memory_order_relaxed);
  Refresh();
  const size_t used = ReadStat<size_t>("stats.active") + ReadStat<size_t>("stats.metadata");
  const size_t resident = ReadStat<size_t>("stats.resident");
  if (MuchEmpty(resident - std::min(resident, used), used)) {
    GiveBack(kAllArenas);
    Refresh();
  } else {
    const bool tidied = records.Tidy();
    if (indexes.Tidy() || tidied) Refresh();
  }
  const ArenaUse of_records = records.Use(), of_indexes = indexes.Use();
  const size_t given = of_records.given + of_indexes.given;
  ram_given.store(given < kJudgedFrom ? 0 : static_cast<int64_t>(given), std::memory_order_relaxed);
  ram_resident.store(static_cast<int64_t>(of_records.resident + of_indexes.resident), std::memory_order_relaxed);
  ram_overhead.store(TakenPerByte(of_records.resident + of_indexes.resident, given), std::memory_order_relaxed);
  ram_sparseness.store(TakenPerByte(of_records.active, of_records.given), std::memory_order_relaxed);
  const auto kept = static_cast<int64_t>(ReadStat<size_t>("stats.resident") - ReadStat<size_t>("stats.allocated"));
  const auto kept_here = static_cast<int64_t>(of_records.resident + of_indexes.resident - given);
  NoteKeptElsewhere(kept - kept_here);
}

}  // namespace ebla::tabletserver
