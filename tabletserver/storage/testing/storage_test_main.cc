// Runs the tests. "storage_test crash-child ..." is the process that wt_crash_test.cc kills. "storage_test
// write-archive FILE" writes the archive that format_archive_test.cc reads.
#include <glog/logging.h>
#include <gtest/gtest.h>

#include <string_view>

#include "tabletserver/storage/testing/crash_child.h"
#include "tabletserver/storage/testing/format_archive.h"

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  if (argc > 1 && std::string_view(argv[1]) == "crash-child") {
    return ebla::tabletserver::testing::CrashChildMain(argc, argv);
  }
  if (argc == 3 && std::string_view(argv[1]) == "write-archive") {
    return ebla::tabletserver::testing::WriteArchive(argv[2]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
