// gateway/store/batching_store.h
// A table's store for the connections of some loops: what they ask within one turn of a loop goes to the table together,
// gets as one and plain writes as one, each with an answer of its own. So a call's costs are shared by all commands that a
// pipeline sends, or that many connections send at the same time, and nobody waits for anybody who is not there yet.
// Place:      over a store of a table (table_store.h). What comes from other threads, has a condition or an unusual deadline goes by itself.
// Invariants: 1. Each caller gets the answer that its call alone could have had; but a failure is that of all in its call.
//             2. Of one key the last put goes in a call, as if those before it had been done just before, or increments
//                that are summed up, or one function.
// Threads:    any, as the port says; each loop has its own batch. The loops outlive the store.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/rpc/event_loop.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

class BatchingStore final : public Store {
 public:
  BatchingStore(std::shared_ptr<ManyStore> table, const std::vector<rpc::EventLoop*>& loops);

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
  int64_t NowMs() const override { return table_->NowMs(); }

 private:
  class Turn;

  // This thread's; null: it has none.
  Turn* Here() const;

  const std::shared_ptr<ManyStore> table_;
  std::vector<std::pair<rpc::EventLoop*, std::shared_ptr<Turn>>> turns_;
};

}  // namespace ebla::gateway
