// common/testing/zookeeper_process.h
// A real ZooKeeper server for a test: its own process, port and data directory, all gone when it is destroyed.
// Needs:   java and the jars of Debian's zookeeper package in /usr/share/java.
// Threads: one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/status.h"

namespace ebla::testing {

class ZooKeeperProcess {
 public:
  // Chooses a free port of 127.0.0.1 and a directory, but does not start it yet.
  ZooKeeperProcess();
  ~ZooKeeperProcess();
  ZooKeeperProcess(const ZooKeeperProcess&) = delete;
  ZooKeeperProcess& operator=(const ZooKeeperProcess&) = delete;

  // Starts it on the data it has, and returns when it answers. UNAVAILABLE with the end of its log when it does not.
  Status Start();
  void Stop();    // SIGTERM, waits
  void Kill();    // SIGKILL, waits
  void Pause();   // SIGSTOP
  void Resume();  // SIGCONT

  bool running() const { return pid_ > 0; }
  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::string& directory() const { return directory_; }

 private:
  Status Spawn();
  bool Answers() const;
  void End(int signal);
  std::string LogEnd() const;

  std::string directory_;
  uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace ebla::testing
