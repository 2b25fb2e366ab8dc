// A process that does nothing but what process.h does: process_test.cc starts it.
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <unistd.h>

#include <fstream>

#include "common/process/bounded_flag.h"
#include "common/process/process.h"

DEFINE_string(data_dir, "", "Directory in which the test looks for files.");
DEFINE_BOUNDED(uint64, needs_files, 0, 0, 1'000'000, "files", "How many files the process must be able to open.");
DEFINE_BOUNDED(int32, flood, 0, 0, 1'000'000, "lines", "How many lines it logs at one place.");
DEFINE_BOUNDED(double, part, 0.7, 0, 1, "", "A part of something.");
DEFINE_BOUNDED(double, share, 0.1, 0, 1, "", "A number that no double holds exactly.");
DEFINE_bool(contradiction, false, "A flag that excludes all others.");
DEFINE_bool(linger, false, "Do not end on the first signal.");

int main(int argc, char** argv) {
  using namespace ebla::process;
  const DirectoryLock lock =
      InitProcess({.role = "test",
                   .usage = "A program for tests.",
                   .data_dir = &FLAGS_data_dir,
                   .check = []() -> ebla::Status {
                     CheckOpenFiles(FLAGS_needs_files, "max_connections");
                     if (!FLAGS_contradiction) return {};
                     return {ebla::Code::kInvalidArgument, "--contradiction excludes all others"};
                   }},
                  argc, argv);
  LOG(INFO) << "a line for the log";
  for (int i = 0; i < FLAGS_flood; ++i) LOG(WARNING) << "a line of a flood";
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
