#include "tabletserver/storage/in_memory/in_memory_index.h"

#include <glog/logging.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ebla::tabletserver {
namespace {

uint64_t NewSeed() {
  uint64_t seed = 0;
  CHECK_EQ(getrandom(&seed, sizeof seed, 0), static_cast<ssize_t>(sizeof seed));
  return seed;
}

}  // namespace

size_t InMemoryIndex::Hash::operator()(std::string_view key) const {
  static const uint64_t seed = NewSeed();
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

// A pointer and a byte of control for each place.
int64_t InMemoryIndex::BytesOf(const Part& part) {
  return static_cast<int64_t>(part.capacity() * (sizeof(InMemoryRecord) + 1));
}

const InMemoryRecord* InMemoryIndex::Find(std::string_view key) const {
  const size_t hash = Hash()(key);
  const Part& part = PartOf(hash);
  const auto found = part.find(key, hash);
  return found == part.end() ? nullptr : &*found;
}

void InMemoryIndex::Insert(InMemoryRecord record) {
  Part& part = PartOf(Hash()(record));
  bytes_ -= BytesOf(part);
  CHECK(part.insert(record).second) << "a record is there twice";
  bytes_ += BytesOf(part);
}

void InMemoryIndex::Erase(std::string_view key) {
  const size_t hash = Hash()(key);
  Part& part = PartOf(hash);
  const auto found = part.find(key, hash);
  if (found == part.end()) return;
  bytes_ -= BytesOf(part);
  part.erase(found);
  if (part.empty() || part.size() < part.capacity() / 8) part.rehash(0);
  bytes_ += BytesOf(part);
}

}  // namespace ebla::tabletserver
