#include "tools/ycsb/ebla_database.h"

#include <cstdlib>

#include "common/base/split_text.h"
#include "common/security/scram.h"
#include "ebla/level_names.h"
#include "tools/ycsb/record_codec.h"

namespace ebla::ycsb {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Result<Read> ParseRead(const Properties& properties) {
  const std::string text = properties.Text("ebla.read", "default");
  if (const auto read = ReadNamed(text)) return *read;
  if (text.starts_with("bounded="))
    return Error(Code::kInvalidArgument,
                 "ebla.read=" + text + ": expected bounded=500ms or bounded=2s, at most an hour");
  // It is none of them.
  return Error(
      properties.Choice("ebla.read", "default", {"default", "strong", "session", "bounded=500ms", "eventual"}).error());
}

class EblaDatabase : public Database {
  // Each is awaited at once: it refers to its arguments. They stand first, as their types are deduced.
  auto Get(std::string_view key, ebla::Read level, milliseconds deadline) {
    return loop_.Call<Result<Record>>([this, key, level, deadline](Callback<Result<Record>> done) {
      table_.AsyncGet(key, {.read = level, .session = session(), .deadline = deadline}, std::move(done));
    });
  }
  auto Put(std::string_view key, const Fields& fields, std::optional<Version> if_version, milliseconds deadline) {
    return loop_.Call<Result<Version>>([this, key, &fields, if_version, deadline](Callback<Result<Version>> done) {
      table_.AsyncPut(key, EncodeRecord(fields),
                      {.ack = options_.ack, .if_version = if_version, .session = session(), .deadline = deadline},
                      std::move(done));
    });
  }
  auto NextPage(const ScanOptions& options) {
    return loop_.Call<Result<ScanPage>>(
        [this, &options](Callback<Result<ScanPage>> done) { table_.AsyncScanPage(options, std::move(done)); });
  }

 public:
  EblaDatabase(const EblaOptions& options, Table table, std::optional<Session> session, load::TaskLoop& loop)
      : options_(options), table_(std::move(table)), session_(std::move(session)), loop_(loop) {}

  load::Task<Status> Read(std::string_view key, const std::vector<std::string>& names, Fields& fields) override {
    Result<Record> record = co_await Get(key, options_.read, options_.client.deadline);
    co_return record ? DecodeRecord(record->value, names, fields) : record.error();
  }

  load::Task<Status> Scan(std::string_view key, uint64_t count, const std::vector<std::string>& names,
                          std::vector<Fields>& records) override {
    ScanOptions options = {.limit = count, .read = options_.read, .session = session()};
    options.range.start = key;
    for (;;) {
      Result<ScanPage> page = co_await NextPage(options);
      if (!page) co_return page.error();
      for (const Row& row : page->rows) {
        Status decoded = DecodeRecord(row.record.value, names, records.emplace_back());
        if (!decoded.ok()) co_return decoded;
      }
      if (page->done || records.size() >= count) co_return Status::Ok();
      options.limit = count - records.size();
      options.range = std::move(page->remaining);
    }
  }

  load::Task<Status> Update(std::string_view key, const Fields& fields, bool whole) override {
    if (whole) return Insert(key, fields);
    return options_.ack == Ack::kAny ? UpdateAnywhere(key, fields) : UpdateUnchanged(key, fields);
  }

  load::Task<Status> Insert(std::string_view key, const Fields& fields) override {
    Result<Version> written = co_await Put(key, fields, {}, options_.client.deadline);
    co_return written ? Status::Ok() : written.error();
  }

 private:
  // Repeats reading and writing until no other client has written in between.
  load::Task<Status> UpdateUnchanged(std::string_view key, const Fields& fields) {
    const auto deadline = steady_clock::now() + options_.client.deadline;
    Fields merged;
    for (;;) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
      if (left.count() <= 0)
        co_return Status(Code::kDeadlineExceeded, "the record changed between every read and its write");
      // A stale read would only cost another round: the condition is what counts. So the newest is asked for.
      Result<Record> record = co_await Get(key, ebla::Read::Strong(), left);
      if (!record) co_return record.error();
      Status decoded = DecodeRecord(record->value, {}, merged);
      if (!decoded.ok()) co_return decoded;
      MergeFields(fields, merged);
      const auto left_to_write = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
      Result<Version> written = co_await Put(key, merged, record->version, std::max(milliseconds(1), left_to_write));
      if (written) co_return Status::Ok();
      if (written.error().code() != Code::kConditionFailed) co_return written.error();
    }
  }
  // ANY takes no condition, nor a primary to read at: the later of two updates wins, with all its fields.
  load::Task<Status> UpdateAnywhere(std::string_view key, const Fields& fields) {
    Fields merged;
    Status read = co_await Read(key, {}, merged);
    if (!read.ok()) co_return read;
    MergeFields(fields, merged);
    co_return co_await Insert(key, merged);
  }

  Session* session() { return session_ ? &*session_ : nullptr; }

  const EblaOptions& options_;
  const Table table_;
  std::optional<Session> session_;  // for ebla.read=session: each worker is a user of its own
  load::TaskLoop& loop_;
};

}  // namespace

Result<EblaOptions> EblaOptions::Parse(const Properties& properties, const WorkloadOptions& workload) {
  EblaOptions options;
  options.table = workload.table;
  const char* environment = std::getenv("EBLA_MASTERS");
  const std::string fallback = environment == nullptr || *environment == '\0' ? "127.0.0.1:7400" : environment;
  options.client.masters = SplitText(properties.Text("ebla.masters", fallback), ',', EmptyParts::kDrop);
  EBLA_ASSIGN(const int64_t deadline, properties.Integer("ebla.deadline_ms", 10'000, 1, 3'600'000));
  options.client.deadline = milliseconds(deadline);
  const char* tls_dir = std::getenv("EBLA_TLS_DIR");
  options.client.tls_dir = properties.Text("ebla.tls_dir", tls_dir == nullptr ? "" : tls_dir);
  options.client.user = properties.Text("ebla.user", "");
  if (!options.client.user.empty()) {
    EBLA_ASSIGN(options.client.password, security::ReadPassword(properties.Text("ebla.password_file", "")));
  }
  EBLA_ASSIGN(options.read, ParseRead(properties));
  EBLA_ASSIGN(const size_t ack,
              properties.Choice("ebla.write", "default", {"default", "majority", "all", "primary", "any"}));
  options.ack = static_cast<Ack>(ack);
  options.client.rack = properties.Text("ebla.rack", "");

  if (properties.Has("ebla.replicas")) {
    EBLA_ASSIGN(const int64_t replicas, properties.Integer("ebla.replicas", 1, 1, 7));
    options.create.replicas = static_cast<int>(replicas);
  }
  EBLA_ASSIGN(const int64_t tablets, properties.Integer("ebla.splits", 1, 1, 10'000));
  options.split_points = SplitPoints(workload.keys, workload.record_count, static_cast<int>(tablets));
  if (properties.Has("ebla.durability")) {
    EBLA_ASSIGN(const size_t durability, properties.Choice("ebla.durability", "sync", {"sync", "interval"}));
    options.create.durability = static_cast<TableDurability>(durability);
  }
  if (properties.Has("ebla.interval_ms")) {
    EBLA_ASSIGN(const int64_t interval, properties.Integer("ebla.interval_ms", 1000, 10, 60'000));
    options.create.interval = milliseconds(interval);
  }
  if (properties.Has("ebla.compression")) {
    EBLA_ASSIGN(const size_t compression, properties.Choice("ebla.compression", "none", {"none", "snappy", "zlib"}));
    options.create.compression = static_cast<TableCompression>(compression);
  }
  const bool any = options.ack == Ack::kAny;
  if (any || properties.Has("ebla.last_write_wins")) {
    EBLA_ASSIGN(options.create.last_write_wins, properties.Boolean("ebla.last_write_wins", any));
    if (any && !*options.create.last_write_wins) {
      return Error(Code::kInvalidArgument, "ebla.write=any needs a table with ebla.last_write_wins=true");
    }
  }
  return options;
}

Status EblaDriver::Prepare(bool load) {
  EBLA_ASSIGN(client_, Client::Connect(options_.client));
  Result<Table> table = client_->OpenTable(options_.table);
  if (!table && table.error().code() == Code::kNoSuchTable) {
    if (!load)
      return Error(Code::kNoSuchTable, "no table \"" + options_.table + "\": load it first with ebla-ycsb load");
    const Result<TableInfo> made =
        client_->CreateTable(options_.table, {.table = options_.create, .split_points = options_.split_points});
    // Another loader may have been quicker.
    if (!made && made.error().code() != Code::kTableExists) return made.error();
    table = client_->OpenTable(options_.table);
  }
  if (!table) return table.error();
  table_ = std::move(*table);
  return Status::Ok();
}

Result<std::unique_ptr<Database>> EblaDriver::Open(load::TaskLoop& loop) {
  std::optional<Session> session;
  if (options_.read.level() == ebla::Read::Level::kSession) session = client_->NewSession();
  return std::make_unique<EblaDatabase>(options_, *table_, std::move(session), loop);
}

}  // namespace ebla::ycsb
