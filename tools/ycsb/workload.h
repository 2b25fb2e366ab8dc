// tools/ycsb/workload.h
// YCSB's core workload: chooses the next operation, its record and its fields, and checks that a read returns what was
// written.
// Place:   runner.h calls Load() or Run() in each worker thread, as often as there are operations.
// Errors:  options are checked once, in WorkloadOptions::Parse; the recorder has the outcomes of operations.
// Threads: Workload is shared by all threads; a Worker belongs to one, which may have many operations under way.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/ycsb/database.h"
#include "tools/ycsb/generators.h"
#include "tools/ycsb/insert_counter.h"
#include "tools/ycsb/keys.h"
#include "tools/ycsb/measurements.h"
#include "tools/ycsb/properties.h"
#include "tools/ycsb/random.h"

namespace ebla::ycsb {

enum class LengthDistribution { kConstant, kUniform, kZipfian, kHistogram };
enum class RequestDistribution { kUniform, kZipfian, kLatest, kHotspot, kSequential, kExponential };

struct WorkloadOptions {
  std::string table = "usertable";
  uint64_t record_count = 0;
  uint64_t operation_count = 0;
  uint64_t insert_start = 0;
  uint64_t insert_count = 0;
  KeyOptions keys;

  std::vector<std::string> field_names;
  uint64_t field_length = 100;
  uint64_t field_length_min = 1;
  LengthDistribution field_lengths = LengthDistribution::kConstant;
  std::string field_length_histogram;  // a file, for kHistogram
  bool read_all_fields = true;
  bool write_all_fields = false;
  bool data_integrity = false;

  // In the order of Operation below; they need not add up to 1.
  double proportions[5] = {0.95, 0.05, 0, 0, 0};
  RequestDistribution requests = RequestDistribution::kUniform;
  double hotspot_data_fraction = 0.2;
  double hotspot_operation_fraction = 0.8;
  double jump_seconds = 0;  // of hotspot and zipfian: after so long what is hot lies elsewhere; 0: it stays
  double exponential_percentile = 95;
  double exponential_fraction = 0.8571428571;
  uint64_t scan_length_min = 1;
  uint64_t scan_length_max = 1000;
  bool scan_lengths_zipfian = false;

  uint64_t insert_retries_max = 0;
  double insert_retry_seconds = 3;

  // `load`: checks what loading needs; else what running needs.
  static Result<WorkloadOptions> Parse(const Properties& properties, bool load);
};

enum class Operation { kRead, kUpdate, kInsert, kScan, kReadModifyWrite };

// YCSB's value for a field that it wants to recognise: made of the key, the field's name and hashes of itself.
std::string VerifiableValue(std::string_view key, std::string_view field, uint64_t length);
// Any printable ASCII, blanks included.
std::string RandomValue(uint64_t length, Random& random);

class Workload {
 public:
  // INVALID_ARGUMENT when the file of a length histogram cannot be read.
  static Result<std::unique_ptr<Workload>> Make(WorkloadOptions options, bool load);

  const WorkloadOptions& options() const { return options_; }

 private:
  friend class Worker;
  Workload(WorkloadOptions options, bool load);

  const WorkloadOptions options_;
  const bool load_;
  InsertCounter inserts_;  // of the records that a run adds beyond those loaded
  std::atomic<uint64_t> load_next_;
  const std::shared_ptr<std::atomic<uint64_t>> sequential_;  // where a sequential walk has come to
  const SteadyTime begun_;                                   // when what is hot began to lie where it lay first
};

// One thread's part of the workload.
class Worker {
 public:
  // All references outlive it.
  Worker(Workload& workload, Database& database, Recorder& recorder, load::TaskLoop& loop, uint64_t seed);

  // One insert of the load, retried as the options say. False when it failed for good.
  load::Task<bool> Load(SteadyTime intended);
  // One operation of the mix. False when any part of it failed.
  load::Task<bool> Run(SteadyTime intended);
  // The last failure, for the operator; OK when there was none.
  const Status& last_failure() const { return last_failure_; }

 private:
  Operation NextOperation();
  uint64_t NextRecord();
  std::string Value(std::string_view key, std::string_view field);
  Fields AllValues(std::string_view key);
  Fields ChangedValues(std::string_view key);
  std::vector<std::string> NamesToRead();

  load::Task<bool> DoRead(SteadyTime intended);
  load::Task<bool> DoUpdate(SteadyTime intended);
  load::Task<bool> DoInsert(SteadyTime intended);
  load::Task<bool> DoScan(SteadyTime intended);
  load::Task<bool> DoReadModifyWrite(SteadyTime intended);
  load::Task<bool> InsertWithRetries(std::string_view key, const Fields& fields, SteadyTime intended);
  bool Verify(std::string_view key, const Fields& fields);
  // Times one call of the database and records it under `metric`.
  load::Task<bool> Measure(Metric metric, SteadyTime intended, load::Task<Status> call);

  const WorkloadOptions& options_;
  Workload& workload_;
  Database& database_;
  Recorder& recorder_;
  load::TaskLoop& loop_;
  Random random_;
  std::unique_ptr<NumberGenerator> records_;
  std::unique_ptr<NumberGenerator> field_lengths_;
  std::unique_ptr<NumberGenerator> scan_lengths_;
  Status last_failure_;
};

}  // namespace ebla::ycsb
