// gateway/redis/databases/key_codec_store.h
// Translates Redis's keys for a store of records (key_codec.h).
// Ranges:  ScanKeys takes ranges of records, in whose order it returns rows with Redis's keys.
// Threads: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/store/store.h"

namespace ebla::gateway::redis {

class KeyCodecStore final : public Store {
 public:
  explicit KeyCodecStore(std::shared_ptr<Store> records) : records_(std::move(records)) {}

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
  void ScanKeys(KeyRange range, uint64_t limit, Until until, Callback<Result<ScanPage>> done) override;
  int64_t NowMs() const override { return records_->NowMs(); }

 private:
  const std::shared_ptr<Store> records_;
};

}  // namespace ebla::gateway::redis
