// gateway/store/batching_store.h
// A table's store for the connections of some loops. It sends the calls of one turn of a loop together, gets in one
// call and plain writes in one, each with an answer of its own. So all commands of a pipeline, or of many connections,
// share a call's costs, and no command waits for a later one.
// Place:      over a store of a table (table_store.h). Calls from other threads, with a condition or with an unusual
//             deadline are sent alone.
// Invariants: 1. Each caller gets the answer that its call alone could have had. But a failure is that of all in its
//                call.
//             2. A call has one write of a key: the last put, as if earlier ones had happened just before, or a sum of
//                increments, or one function.
// Threads:    any, as for the port; each loop has its own batch. The loops outlive the store.
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
  Turn* CurrentTurn() const;

  const std::shared_ptr<ManyStore> table_;
  std::vector<std::pair<rpc::EventLoop*, std::shared_ptr<Turn>>> turns_;
};

}  // namespace ebla::gateway
