// Runs the tests; as "storage_test crash-child ..." it is the process that wt_crash_test.cc kills.
#include <glog/logging.h>
#include <gtest/gtest.h>

#include <string_view>

#include "tabletserver/storage/crash_child.h"

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  if (argc > 1 && std::string_view(argv[1]) == "crash-child") {
    return ebla::tabletserver::testing::CrashChildMain(argc, argv);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
