// Runs the tests; as "storage_test crash-child ..." it is the process that a test kills (wt_crash_test.cc).
#include <glog/logging.h>
#include <gtest/gtest.h>

#include <string_view>

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
