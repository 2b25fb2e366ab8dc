// gateway/store/table_store.h
// The store over a table of a cluster.
// Errors:  as store.h says; what of the SDK's messages does not fit one line is made to.
// Threads: any. Callbacks run on the client's own threads.
#pragma once

#include <string>

#include "ebla/ebla.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

struct TableStoreOptions {
  Read read;  // of Freshness::kAsConfigured
  Ack ack = Ack::kDefault;
};

class TableStore final : public ManyStore {
 public:
  TableStore(Table table, TableStoreOptions options) : table_(std::move(table)), options_(options) {}

  void Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) override;
  void MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                Callback<std::vector<Result<Record>>> done) override;
  void Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
           Callback<Result<Version>> done) override;
  void Delete(std::string key, Condition condition, Until until, Callback<Status> done) override;
  void Increment(std::string key, int64_t delta, IfNone if_none, Until until, Callback<Result<int64_t>> done) override;
  void Apply(std::string key, std::string_view function, std::string arguments, Until until,
             Callback<Result<PartResult>> done) override;
  void Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) override;
  void GetEach(std::vector<std::string> keys, Freshness freshness, Until until,
               EachCallback<Result<Record>> each) override;
  void WriteEach(std::vector<Batch::Part> parts, Until until, EachCallback<Result<PartResult>> each) override;
  void ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) override;
  int64_t NowMs() const override;

 private:
  const Table table_;
  const TableStoreOptions options_;
};

// For probes: reads a key that no client writes.
Status TableIsReadable(const Table& table);

// "default", "strong", "eventual", "bounded=500ms" or "bounded=2s"; and "default", "majority", "all" or "primary". A
// level without conditions cannot serve a cache's commands. INVALID_ARGUMENT lists the levels.
Result<Read> ParseReadLevel(std::string_view text);
Result<Ack> ParseAckLevel(std::string_view text);

}  // namespace ebla::gateway
