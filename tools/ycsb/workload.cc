#include "tools/ycsb/workload.h"

#include <algorithm>

namespace ebla::ycsb {
namespace {

constexpr int64_t kRecordsMax = int64_t{1} << 40;
constexpr int64_t kFieldBytesMax = 1 << 20;
constexpr size_t kOperations = 5;
constexpr const char* kProportionNames[kOperations] = {"readproportion", "updateproportion", "insertproportion",
                                                       "scanproportion", "readmodifywriteproportion"};

Status ParseCounts(const Properties& properties, bool load, WorkloadOptions& options) {
  EBLA_ASSIGN(const int64_t records, properties.Integer("recordcount", 0, 0, kRecordsMax));
  if (records == 0)
    return Error(Code::kInvalidArgument,
                 "recordcount is not set: name a workload file (-P conf/ycsb/workloada) or give -p recordcount=1000");
  EBLA_ASSIGN(const int64_t start, properties.Integer("insertstart", 0, 0, records));
  EBLA_ASSIGN(const int64_t count, properties.Integer("insertcount", records - start, 0, kRecordsMax));
  if (start + count > records)
    return Error(Code::kInvalidArgument, "insertstart + insertcount (" + std::to_string(start + count) +
                                             ") goes beyond recordcount (" + std::to_string(records) + ")");
  if (count == 0) return Error(Code::kInvalidArgument, "there is no record between insertstart and recordcount");
  EBLA_ASSIGN(const int64_t operations, properties.Integer("operationcount", 0, 0, kRecordsMax));
  EBLA_ASSIGN(const int64_t seconds, properties.Integer("maxexecutiontime", 0, 0, 1'000'000'000));
  if (!load && operations == 0 && seconds == 0)
    return Error(Code::kInvalidArgument,
                 "a run needs an end: -p operationcount=N operations, or -p maxexecutiontime=N seconds");
  options.record_count = static_cast<uint64_t>(records);
  options.insert_start = static_cast<uint64_t>(start);
  options.insert_count = static_cast<uint64_t>(count);
  options.operation_count = static_cast<uint64_t>(operations);
  EBLA_ASSIGN(const size_t order, properties.Choice("insertorder", "hashed", {"hashed", "ordered"}));
  EBLA_ASSIGN(const int64_t padding, properties.Integer("zeropadding", 1, 0, 256));
  options.keys = {.ordered = order == 1, .zero_padding = static_cast<int>(padding)};
  return Status::Ok();
}

Status ParseFields(const Properties& properties, WorkloadOptions& options) {
  EBLA_ASSIGN(const int64_t count, properties.Integer("fieldcount", 10, 1, 10'000));
  const std::string prefix = properties.Text("fieldnameprefix", "field");
  for (int64_t i = 0; i < count; ++i) options.field_names.push_back(prefix + std::to_string(i));
  EBLA_ASSIGN(const int64_t length, properties.Integer("fieldlength", 100, 1, kFieldBytesMax));
  EBLA_ASSIGN(const int64_t least, properties.Integer("minfieldlength", 1, 1, length));
  EBLA_ASSIGN(const size_t distribution, properties.Choice("fieldlengthdistribution", "constant",
                                                           {"constant", "uniform", "zipfian", "histogram"}));
  options.field_length = static_cast<uint64_t>(length);
  options.field_length_min = static_cast<uint64_t>(least);
  options.field_lengths = static_cast<LengthDistribution>(distribution);
  options.field_length_histogram = properties.Text("fieldlengthhistogram", "hist.txt");
  EBLA_ASSIGN(options.read_all_fields, properties.Boolean("readallfields", true));
  EBLA_ASSIGN(options.write_all_fields, properties.Boolean("writeallfields", false));
  EBLA_ASSIGN(options.data_integrity, properties.Boolean("dataintegrity", false));
  if (options.data_integrity && options.field_lengths != LengthDistribution::kConstant)
    return Error(Code::kInvalidArgument, "dataintegrity=true needs fieldlengthdistribution=constant");
  return Status::Ok();
}

Status ParseRequests(const Properties& properties, WorkloadOptions& options) {
  double sum = 0;
  for (size_t i = 0; i < kOperations; ++i) {
    EBLA_ASSIGN(options.proportions[i], properties.Number(kProportionNames[i], options.proportions[i], 0, 1e9));
    sum += options.proportions[i];
  }
  if (sum <= 0) return Error(Code::kInvalidArgument, "every proportion is 0, so the run has no operations");
  EBLA_ASSIGN(const size_t requests,
              properties.Choice("requestdistribution", "uniform",
                                {"uniform", "zipfian", "latest", "hotspot", "sequential", "exponential"}));
  options.requests = static_cast<RequestDistribution>(requests);
  EBLA_ASSIGN(options.hotspot_data_fraction, properties.Number("hotspotdatafraction", 0.2, 0, 1));
  EBLA_ASSIGN(options.hotspot_operation_fraction, properties.Number("hotspotopnfraction", 0.8, 0, 1));
  EBLA_ASSIGN(options.jump_seconds, properties.Number("ebla.hotspot.jump_s", 0, 0, 1e9));
  const bool hot =
      options.requests == RequestDistribution::kHotspot || options.requests == RequestDistribution::kZipfian;
  if (options.jump_seconds > 0 && !hot)
    return Error(Code::kInvalidArgument, "ebla.hotspot.jump_s needs requestdistribution=hotspot or zipfian");
  EBLA_ASSIGN(options.exponential_percentile, properties.Number("exponential.percentile", 95, 0.001, 99.999));
  EBLA_ASSIGN(options.exponential_fraction, properties.Number("exponential.frac", 0.8571428571, 1e-9, 1));
  EBLA_ASSIGN(const int64_t longest, properties.Integer("maxscanlength", 1000, 1, kRecordsMax));
  EBLA_ASSIGN(const int64_t shortest, properties.Integer("minscanlength", 1, 1, longest));
  options.scan_length_max = static_cast<uint64_t>(longest);
  options.scan_length_min = static_cast<uint64_t>(shortest);
  EBLA_ASSIGN(const size_t lengths, properties.Choice("scanlengthdistribution", "uniform", {"uniform", "zipfian"}));
  options.scan_lengths_zipfian = lengths == 1;
  return Status::Ok();
}

std::unique_ptr<NumberGenerator> MakeFieldLengths(const WorkloadOptions& options) {
  switch (options.field_lengths) {
    case LengthDistribution::kConstant: return std::make_unique<ConstantGenerator>(options.field_length);
    case LengthDistribution::kUniform:
      return std::make_unique<UniformGenerator>(options.field_length_min, options.field_length);
    case LengthDistribution::kZipfian:
      return std::make_unique<ZipfianGenerator>(options.field_length_min, options.field_length);
    case LengthDistribution::kHistogram: {
      auto histogram = HistogramGenerator::FromFile(options.field_length_histogram);
      if (histogram) return std::move(*histogram);
      return std::make_unique<ConstantGenerator>(
          options.field_length);  // Workload::Make has read it: it vanished since
    }
  }
  return nullptr;
}

std::unique_ptr<NumberGenerator> MakeRecords(const WorkloadOptions& options, const InsertCounter& inserts,
                                             std::shared_ptr<std::atomic<uint64_t>> sequential) {
  const uint64_t first = options.insert_start;
  const uint64_t last = options.insert_start + options.insert_count - 1;
  switch (options.requests) {
    case RequestDistribution::kUniform: return std::make_unique<UniformGenerator>(first, last);
    case RequestDistribution::kZipfian: {
      // Room for what the run inserts, so that popularity need not be dealt anew: what is not there yet is drawn again.
      const double inserted = static_cast<double>(options.operation_count) * options.proportions[2] * 2;
      return std::make_unique<ScrambledZipfianGenerator>(first, last + 1 + static_cast<uint64_t>(inserted));
    }
    case RequestDistribution::kLatest: return std::make_unique<SkewedLatestGenerator>(inserts);
    case RequestDistribution::kHotspot:
      return std::make_unique<HotspotGenerator>(first, last, options.hotspot_data_fraction,
                                                options.hotspot_operation_fraction);
    case RequestDistribution::kSequential:
      return std::make_unique<SequentialGenerator>(first, last, std::move(sequential));
    case RequestDistribution::kExponential:
      return std::make_unique<ExponentialGenerator>(
          options.exponential_percentile, static_cast<double>(options.record_count) * options.exponential_fraction);
  }
  return nullptr;
}

std::unique_ptr<NumberGenerator> Jumping(std::unique_ptr<NumberGenerator> records, const WorkloadOptions& options,
                                         SteadyTime begun) {
  if (options.jump_seconds <= 0) return records;
  const auto jumps = [begun, seconds = options.jump_seconds] {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
    return static_cast<uint64_t>(passed.count() / seconds);
  };
  return std::make_unique<JumpingGenerator>(std::move(records), options.insert_start,
                                            options.insert_start + options.insert_count - 1, jumps);
}

}  // namespace

Result<WorkloadOptions> WorkloadOptions::Parse(const Properties& properties, bool load) {
  WorkloadOptions options;
  options.table = properties.Text("table", "usertable");
  EBLA_TRY(ParseCounts(properties, load, options));
  EBLA_TRY(ParseFields(properties, options));
  EBLA_TRY(ParseRequests(properties, options));
  EBLA_ASSIGN(const int64_t retries, properties.Integer("core_workload_insertion_retry_limit", 0, 0, 1'000'000));
  options.insert_retries_max = static_cast<uint64_t>(retries);
  EBLA_ASSIGN(options.insert_retry_seconds,
              properties.Number("core_workload_insertion_retry_interval", 3, 0, 1'000'000));
  return options;
}

std::string VerifiableValue(std::string_view key, std::string_view field, uint64_t length) {
  std::string value(key);
  value += ':';
  value += field;
  while (value.size() < length) {
    value += ':';
    value += std::to_string(JavaHash(value));
  }
  value.resize(length);
  return value;
}

std::string RandomValue(uint64_t length, Random& random) {
  constexpr unsigned kPrintable = '~' - ' ' + 1;
  std::string value(length, ' ');
  for (uint64_t i = 0; i < length;) {
    uint64_t bits = random.Next();
    for (int byte = 0; byte < 8 && i < length; ++byte, bits >>= 8)
      value[i++] = static_cast<char>(' ' + ((bits & 0xff) * kPrintable >> 8));
  }
  return value;
}

Result<std::unique_ptr<Workload>> Workload::Make(WorkloadOptions options, bool load) {
  if (options.field_lengths == LengthDistribution::kHistogram) {
    EBLA_ASSIGN([[maybe_unused]] const auto histogram, HistogramGenerator::FromFile(options.field_length_histogram));
  }
  return std::unique_ptr<Workload>(new Workload(std::move(options), load));
}

Workload::Workload(WorkloadOptions options, bool load)
    : options_(std::move(options)),
      load_(load),
      inserts_(options_.record_count),
      load_next_(options_.insert_start),
      sequential_(std::make_shared<std::atomic<uint64_t>>(0)),
      begun_(std::chrono::steady_clock::now()) {}

Worker::Worker(Workload& workload, Database& database, Recorder& recorder, load::TaskLoop& loop, uint64_t seed)
    : options_(workload.options()),
      workload_(workload),
      database_(database),
      recorder_(recorder),
      loop_(loop),
      random_(seed),
      field_lengths_(MakeFieldLengths(options_)) {
  if (workload.load_) return;
  records_ = Jumping(MakeRecords(options_, workload.inserts_, workload.sequential_), options_, workload.begun_);
  if (options_.scan_lengths_zipfian)
    scan_lengths_ = std::make_unique<ZipfianGenerator>(options_.scan_length_min, options_.scan_length_max);
  else
    scan_lengths_ = std::make_unique<UniformGenerator>(options_.scan_length_min, options_.scan_length_max);
}

load::Task<bool> Worker::Measure(Metric metric, SteadyTime intended, load::Task<Status> call) {
  const SteadyTime start = std::chrono::steady_clock::now();
  Status status = co_await call;
  const SteadyTime end = std::chrono::steady_clock::now();
  recorder_.Record(metric, {intended == SteadyTime{} ? start : intended, start, end}, status.ok(),
                   CodeName(status.code()));
  if (status.ok()) co_return true;
  last_failure_ = std::move(status);
  co_return false;
}

load::Task<bool> Worker::Load(SteadyTime intended) {
  const uint64_t number = workload_.load_next_.fetch_add(1, std::memory_order_relaxed);
  const std::string key = KeyName(options_.keys, number);
  const Fields fields = AllValues(key);
  co_return co_await InsertWithRetries(key, fields, intended);
}

load::Task<bool> Worker::Run(SteadyTime intended) {
  switch (NextOperation()) {
    case Operation::kRead: return DoRead(intended);
    case Operation::kUpdate: return DoUpdate(intended);
    case Operation::kInsert: return DoInsert(intended);
    case Operation::kScan: return DoScan(intended);
    case Operation::kReadModifyWrite: break;
  }
  return DoReadModifyWrite(intended);
}

Operation Worker::NextOperation() {
  double sum = 0;
  for (const double proportion : options_.proportions) sum += proportion;
  double at = random_.Unit() * sum;
  size_t chosen = 0;
  for (size_t i = 0; i < kOperations; ++i) {
    if (options_.proportions[i] <= 0) continue;
    chosen = i;  // rounding may leave `at` just beyond the last one
    if (at < options_.proportions[i]) break;
    at -= options_.proportions[i];
  }
  return static_cast<Operation>(chosen);
}

uint64_t Worker::NextRecord() {
  for (;;) {
    const uint64_t count = workload_.inserts_.Count();
    const uint64_t drawn = records_->Next(random_);
    if (drawn >= count) continue;  // not inserted yet, or before the first record
    return options_.requests == RequestDistribution::kExponential ? count - 1 - drawn : drawn;
  }
}

std::string Worker::Value(std::string_view key, std::string_view field) {
  const uint64_t length = field_lengths_->Next(random_);
  return options_.data_integrity ? VerifiableValue(key, field, length) : RandomValue(length, random_);
}

Fields Worker::AllValues(std::string_view key) {
  Fields fields;
  fields.reserve(options_.field_names.size());
  for (const std::string& name : options_.field_names) fields.push_back({name, Value(key, name)});
  return fields;
}

Fields Worker::ChangedValues(std::string_view key) {
  if (options_.write_all_fields) return AllValues(key);
  const std::string& name = options_.field_names[random_.Below(options_.field_names.size())];
  return {{name, Value(key, name)}};
}

std::vector<std::string> Worker::NamesToRead() {
  if (options_.read_all_fields) return {};
  return {options_.field_names[random_.Below(options_.field_names.size())]};
}

load::Task<bool> Worker::DoRead(SteadyTime intended) {
  const std::string key = KeyName(options_.keys, NextRecord());
  const std::vector<std::string> names = NamesToRead();
  Fields fields;
  const bool read = co_await Measure(Metric::kRead, intended, database_.Read(key, names, fields));
  co_return read && (!options_.data_integrity || Verify(key, fields));
}

load::Task<bool> Worker::DoUpdate(SteadyTime intended) {
  const std::string key = KeyName(options_.keys, NextRecord());
  const Fields changes = ChangedValues(key);
  co_return co_await Measure(Metric::kUpdate, intended, database_.Update(key, changes, options_.write_all_fields));
}

load::Task<bool> Worker::DoInsert(SteadyTime intended) {
  const uint64_t number = workload_.inserts_.Next();
  const std::string key = KeyName(options_.keys, number);
  const Fields fields = AllValues(key);
  const bool ok = co_await InsertWithRetries(key, fields, intended);
  workload_.inserts_.Acknowledge(number);  // even when it failed: readers would wait behind it for ever
  co_return ok;
}

load::Task<bool> Worker::InsertWithRetries(std::string_view key, const Fields& fields, SteadyTime intended) {
  for (uint64_t attempt = 0;; ++attempt) {
    const bool inserted = co_await Measure(Metric::kInsert, intended, database_.Insert(key, fields));
    if (inserted || attempt == options_.insert_retries_max) co_return inserted;
    const std::chrono::duration<double> delay(options_.insert_retry_seconds * (0.8 + 0.4 * random_.Unit()));
    const bool slept = co_await loop_.SleepFor(std::chrono::duration_cast<std::chrono::nanoseconds>(delay));
    if (!slept) co_return false;
  }
}

load::Task<bool> Worker::DoScan(SteadyTime intended) {
  const std::string key = KeyName(options_.keys, NextRecord());
  const uint64_t count = scan_lengths_->Next(random_);
  const std::vector<std::string> names = NamesToRead();
  std::vector<Fields> records;
  co_return co_await Measure(Metric::kScan, intended, database_.Scan(key, count, names, records));
}

load::Task<bool> Worker::DoReadModifyWrite(SteadyTime intended) {
  const std::string key = KeyName(options_.keys, NextRecord());
  const std::vector<std::string> names = NamesToRead();
  const Fields changes = ChangedValues(key);
  Fields fields;
  const SteadyTime start = std::chrono::steady_clock::now();
  const bool read = co_await Measure(Metric::kRead, intended, database_.Read(key, names, fields));
  const bool written =
      co_await Measure(Metric::kUpdate, intended, database_.Update(key, changes, options_.write_all_fields));
  const SteadyTime end = std::chrono::steady_clock::now();
  recorder_.Record(Metric::kReadModifyWrite, {intended == SteadyTime{} ? start : intended, start, end}, read && written,
                   {});
  const bool verified = !read || !options_.data_integrity || Verify(key, fields);
  co_return read&& written&& verified;
}

bool Worker::Verify(std::string_view key, const Fields& fields) {
  const SteadyTime start = std::chrono::steady_clock::now();
  std::string_view code = fields.empty() ? "ERROR" : "OK";
  for (const Field& field : fields) {
    if (field.value == VerifiableValue(key, field.name, options_.field_length)) continue;
    code = "UNEXPECTED_STATE";
    last_failure_ =
        Status(Code::kInternal, "record " + std::string(key) + ", " + field.name + ": not what was written");
  }
  const SteadyTime end = std::chrono::steady_clock::now();
  recorder_.Record(Metric::kVerify, {start, start, end}, code == "OK", code);
  return code == "OK";
}

}  // namespace ebla::ycsb
