// tests/bench/compare/ebla_standalone.h
// Ebla's own process, ebla-standalone, by the name and in the way that its users start it.
// Errors:  any ends the program.
// Threads: thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/bench/compare/measured_process.h"

namespace ebla::bench {

class EblaStandalone {
 public:
  explicit EblaStandalone(const std::string& directory, const std::vector<std::string>& flags = {});
  Client& client() { return *client_; }
  Servers servers() const { return process_->servers(); }
  // At present, by its name without "ebla_".
  double Metric(const std::string& name) const;

 private:
  // The address of its server of this kind ("thrift", "http"), once it is there.
  std::string Address(const std::string& kind) const;

  const std::string data_dir_;
  std::optional<MeasuredProcess> process_;
  std::optional<Client> client_;
};

}  // namespace ebla::bench
