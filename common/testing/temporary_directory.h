// common/testing/temporary_directory.h
// A directory that a test fills and deletes at its end: in memory if there is plenty, because tests with many fsyncs
// share one disk. A process that is killed loses no less there than on a disk.
#pragma once

#include <glog/logging.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace ebla::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::error_code error;
    const auto shared = std::filesystem::space("/dev/shm", error);
    const bool in_memory = !error && shared.available != static_cast<uintmax_t>(-1) && shared.available > (2ull << 30);
    path_ = (in_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) + "/ebla-test-XXXXXX";
    CHECK(::mkdtemp(path_.data()) != nullptr) << path_;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace ebla::testing
