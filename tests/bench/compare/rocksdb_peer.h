// tests/bench/compare/rocksdb_peer.h
// RocksDB, the usual store for data far beyond memory, driven by its own db_bench (Debian's rocksdb-tools) in a process
// for each measurement. Its settings are its own defaults, except these: no compression and filters of 10 bits a key,
// as in Ebla; a block cache of the size asked for; buffers of a quarter of that, as in Ebla. Its log is written without
// a sync for each put, and it reads through the page cache, as Ebla does. Filters and indexes are beside its cache.
// Limits:  Debian builds it with assertions on, which db_bench warns of in its output.
// Threads: thread-compatible; a process dies with the thread that starts it.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/compare/figures.h"
#include "tests/bench/compare/large_load.h"

namespace ebla::bench {

class RocksDbPeer {
 public:
  struct Shape {
    int64_t records = 0;
    size_t key_bytes = 0;
    int64_t cache_mb = 0;
    int threads = 0;  // of gets and of scans; a load has one
  };
  // Its files are to be below `directory`. UNAVAILABLE, saying what to install, where db_bench is not there.
  static Result<RocksDbPeer> Find(const std::string& directory, const Shape& shape);

  // All records, each once, in random order. Returns when merges are at rest, too.
  Result<Pace> Load() const;
  // Gets of records that a load has made. Zipfian ranks have density 1/x, thus theta is 1: the nearest that it has to
  // 0.99.
  enum class Keys { kUniform, kZipfian };
  Result<Figure> Gets(Keys keys, Duration duration) const;
  // Scans of so many rows from random places; the rate is of scans.
  Result<Figure> Scans(int rows, Duration duration) const;

  // No process that lasts, so only what they write can be measured.
  Servers servers() const { return {.pids = {}, .directory = directory_}; }

 private:
  RocksDbPeer(std::string directory, const Shape& shape) : directory_(std::move(directory)), shape_(shape) {}
  // Returns what it printed.
  Result<std::string> Run(const std::string& benchmarks, const std::vector<std::string>& flags,
                          std::chrono::milliseconds patience) const;
  Result<Figure> Read(const std::string& benchmark, std::vector<std::string> flags, Duration duration) const;
  std::string OutputFile() const { return directory_ + "/output.log"; }  // of the last process
  Error Useless() const;                                                 // with its last lines

  const std::string directory_;
  const Shape shape_;
};

}  // namespace ebla::bench
