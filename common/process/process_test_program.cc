// A process that does nothing but what process.h does: process_test.cc starts it.
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <unistd.h>

#include <fstream>

#include "common/process/process.h"

DEFINE_string(data_dir, "", "Where the test looks for files.");
DEFINE_uint64(needs_files, 0, "How many files it may come to open.");
DEFINE_double(share, 0.1, "A number that no double holds exactly.");
DEFINE_bool(linger, false, "Do not end on the first signal.");

int main(int argc, char** argv) {
  using namespace ebla::process;
  const DirectoryLock lock =
      InitProcess({.role = "test", .usage = "A program for tests.", .data_dir = &FLAGS_data_dir}, argc, argv);
  CheckOpenFiles(FLAGS_needs_files, "max_connections");
  LOG(INFO) << "a line for the log";
  if (!FLAGS_data_dir.empty()) {
    const ebla::Status written = WriteAddressFile(FLAGS_data_dir, {"127.0.0.1", 1}, {"127.0.0.1", 2});
    if (!written.ok()) LOG(FATAL) << written;
  }
  const auto ready = [] {
    std::string why;
    std::getline(std::ifstream(FLAGS_data_dir + "/why"), why);
    return why.empty() ? ebla::Status() : ebla::Status(ebla::Code::kUnavailable, why);
  };
  const int signal = WaitForTermination(ready, "--linger=" + std::string(FLAGS_linger ? "true" : "false"));
  if (FLAGS_linger) {
    std::ofstream(FLAGS_data_dir + "/lingering") << signal;
    while (true) pause();
  }
  return 0;
}
