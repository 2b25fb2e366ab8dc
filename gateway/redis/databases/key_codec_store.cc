#include "gateway/redis/databases/key_codec_store.h"

#include <utility>

#include "gateway/redis/databases/key_codec.h"

namespace ebla::gateway::redis {

void KeyCodecStore::Get(std::string key, Freshness freshness, Until until, Callback<Result<Record>> done) {
  records_->Get(RecordKey(std::move(key)), freshness, until, std::move(done));
}

void KeyCodecStore::MultiGet(std::vector<std::string> keys, Freshness freshness, Until until,
                             Callback<std::vector<Result<Record>>> done) {
  for (std::string& key : keys) key = RecordKey(std::move(key));
  records_->MultiGet(std::move(keys), freshness, until, std::move(done));
}

void KeyCodecStore::Put(std::string key, std::string value, Lifetime lifetime, Condition condition, Until until,
                        Callback<Result<Version>> done) {
  records_->Put(RecordKey(std::move(key)), std::move(value), lifetime, condition, until, std::move(done));
}

void KeyCodecStore::Delete(std::string key, Condition condition, Until until, Callback<Status> done) {
  records_->Delete(RecordKey(std::move(key)), condition, until, std::move(done));
}

void KeyCodecStore::Increment(std::string key, int64_t delta, IfNone if_none, Until until,
                              Callback<Result<int64_t>> done) {
  records_->Increment(RecordKey(std::move(key)), delta, if_none, until, std::move(done));
}

void KeyCodecStore::Apply(std::string key, std::string_view function, std::string arguments, Until until,
                          Callback<Result<PartResult>> done) {
  records_->Apply(RecordKey(std::move(key)), function, std::move(arguments), until, std::move(done));
}

void KeyCodecStore::Commit(std::vector<Batch::Part> parts, Until until, Callback<Status> done) {
  for (Batch::Part& part : parts) part.key = RecordKey(std::move(part.key));
  records_->Commit(std::move(parts), until, std::move(done));
}

void KeyCodecStore::ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) {
  records_->ScanKeys(std::move(range), limit, until, [done = std::move(done)](Result<ScanPage> page) mutable {
    if (!page) return done(std::move(page));
    std::vector<Row> rows;
    rows.reserve(page->rows.size());
    for (Row& row : page->rows) {
      std::optional<std::string> key = KeyOfRecord(row.key);
      if (key) rows.push_back({*std::move(key), std::move(row.record)});
    }
    page->rows = std::move(rows);
    done(std::move(page));
  });
}

}  // namespace ebla::gateway::redis
