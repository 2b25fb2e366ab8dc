// tabletserver/storage/testing/format_archive.h
// For tests: a small data directory of every format ever released, kept as tests/data/store-format-<n>.tar.gz, which
// every later build has to open. After a change of format: raise the number, then
//   storage_test write-archive tests/data/store-format-<n>.tar.gz
// Threads: one.
#pragma once

#include <string>

namespace ebla::tabletserver::testing {

// Makes the archive with this build: a store whose process died after a checkpoint and some more log.
int WriteArchive(const std::string& archive);

}  // namespace ebla::tabletserver::testing
