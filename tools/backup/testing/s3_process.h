// tools/backup/testing/s3_process.h
// An S3-compatible store for a test: s3_server.py in a process and a directory of its own, which go with it.
// Threads: thread-compatible; the thread that makes it must outlive it, as the process dies with that thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/testing/temporary_directory.h"
#include "tools/backup/s3_settings.h"
#include "tools/cluster/child_process.h"

namespace ebla::testing {

class S3Process {
 public:
  static Result<std::unique_ptr<S3Process>> Start();
  ~S3Process();

  // The settings for everything below "nightly" in its bucket.
  backup::S3Settings Settings() const;
  std::string endpoint() const { return "http://127.0.0.1:" + port_; }
  // Before a command: its keys and region. After it: where backups are.
  std::string Environment() const;
  std::string Place() const { return "s3://backups/nightly --s3-endpoint " + endpoint(); }

  // The faults of its next requests, one by one: "503", "drop", "lose", "ok".
  void Fail(const std::vector<std::string>& faults) const;
  size_t requests() const;  // so far
  // The file of an object, by its name below "nightly".
  std::string FileOf(const std::string& object) const;

 private:
  S3Process() = default;

  TemporaryDirectory directory_;
  cluster::ProcessId process_;
  std::string port_;
};

}  // namespace ebla::testing
