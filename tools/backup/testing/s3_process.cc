#include "tools/backup/testing/s3_process.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "common/testing/eventually.h"

namespace ebla::testing {

Result<std::unique_ptr<S3Process>> S3Process::Start() {
  std::unique_ptr<S3Process> started(new S3Process());
  const std::string& directory = started->directory_.path();
  EBLA_ASSIGN(started->process_, cluster::Spawn({.command = {EBLA_S3_SERVER, EBLA_S3_SCRIPT, directory},
                                                 .working_dir = directory,
                                                 .output_file = directory + "/output.log",
                                                 .die_with_parent = true}));
  const bool serves =
      Eventually([&] { return static_cast<bool>(std::ifstream(directory + "/port") >> started->port_); });
  if (!serves) return Error(Code::kUnavailable, "the S3 store of tests did not start");
  return started;
}

S3Process::~S3Process() {
  std::ignore = cluster::Signal(process_, SIGKILL);
  cluster::WaitForExit(process_, std::chrono::seconds(10));
}

backup::S3Settings S3Process::Settings() const {
  return {.bucket = "backups",
          .prefix = "nightly/",
          .endpoint = endpoint(),
          .region = "test-1",
          .key_id = "AKTEST",
          .secret = "secret/of+tests"};
}

std::string S3Process::Environment() const {
  return "AWS_ACCESS_KEY_ID=AKTEST AWS_SECRET_ACCESS_KEY=secret/of+tests AWS_REGION=test-1 ";
}

void S3Process::Fail(const std::vector<std::string>& faults) const {
  std::ofstream out(directory_.path() + "/faults");
  for (const std::string& fault : faults) out << fault << "\n";
}

size_t S3Process::requests() const {
  std::ifstream in(directory_.path() + "/requests");
  return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

std::string S3Process::FileOf(const std::string& object) const {
  std::string file;
  for (const char c : "nightly/" + object) file += c == '/' ? std::string("%2F") : std::string(1, c);
  return directory_.path() + "/objects/" + file;
}

}  // namespace ebla::testing
