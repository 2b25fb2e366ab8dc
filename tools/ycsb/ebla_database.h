// tools/ycsb/ebla_database.h
// Runs the workload against an Ebla cluster through its SDK. A YCSB record is one value (record_codec.h): an update of
// some fields reads it, merges, and writes under the condition that the version is still the one it read, again and
// again until that succeeds or the operation's deadline is spent. At ebla.write=any it writes without a condition.
// Place:   main.cc makes the driver.
// Errors:  as the SDK's; retries of what may pass happen in there.
// Threads: all databases share the driver's client; each belongs to one worker.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tools/ycsb/database.h"
#include "tools/ycsb/properties.h"
#include "tools/ycsb/workload.h"

namespace ebla::ycsb {

struct EblaOptions {
  std::string table;
  ClientOptions client;
  Read read;
  Ack ack = Ack::kDefault;
  // Options of the table that load creates.
  TableOptions create;
  std::vector<std::string> split_points;

  static Result<EblaOptions> Parse(const Properties& properties, const WorkloadOptions& workload);
};

class EblaDriver : public Driver {
 public:
  explicit EblaDriver(EblaOptions options) : options_(std::move(options)) {}

  Status Prepare(bool load) override;
  Result<std::unique_ptr<Database>> Open(load::TaskLoop& loop) override;

 private:
  const EblaOptions options_;
  std::optional<Client> client_;  // set by Prepare
  std::optional<Table> table_;
};

}  // namespace ebla::ycsb
