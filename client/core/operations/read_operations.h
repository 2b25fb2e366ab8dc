// client/core/operations/read_operations.h
// Get, multiGet and a page of a scan as operations. A multiGet is one operation per tablet that its keys touch, as the
// routing cache knows; those that a server disowns go on in operations of their own.
// Threads: see client_core.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/core/operations/operation.h"

namespace ebla::client {

inline constexpr size_t kMultiGetKeysMax = 1000;  // of one request

class GetOperation final : public Operation {
 public:
  GetOperation(ClientCore& core, TablePtr table, std::string_view key, const GetOptions& options,
               Callback<Result<Record>> done);
  void Start();

 private:
  std::string_view RoutingKey() const override { return request_.key; }
  KeyRange Touched() const override { return {request_.key, KeyAfter(request_.key)}; }
  void Send(rpc::Channel& channel) override;
  void Finish(Status status) override;

  idl::GetRequest request_;
  idl::GetReply reply_;
  OnceCallback<Result<Record>> done_;
};

// A function that reads records of the key's group.
class CallOperation final : public Operation {
 public:
  CallOperation(ClientCore& core, TablePtr table, std::string_view key, std::string_view function,
                std::string arguments, const GetOptions& options, Callback<Result<std::string>> done);
  void Start();

 private:
  std::string_view RoutingKey() const override { return request_.key; }
  KeyRange Touched() const override { return place()->range; }  // the key's group lies in it
  void Send(rpc::Channel& channel) override;
  void Finish(Status status) override;

  idl::CallRequest request_;
  idl::CallReply reply_;
  OnceCallback<Result<std::string>> done_;
};

// All keys of one call; each is answered as soon as its answer is known.
class MultiGetJob {
 public:
  MultiGetJob(ClientCore& core, TablePtr table, std::vector<std::string> keys, const GetOptions& options,
              EachCallback<Result<Record>> each);
  ~MultiGetJob();  // every group has let go of it: answers those that have none

  const std::string& key(size_t index) const { return keys_[index]; }
  const GetOptions& options() const { return options_; }
  const std::shared_ptr<SessionState>& session() const { return session_; }
  // Each index is answered by one group at a time, and once.
  void Answer(size_t index, Result<Record> record) {
    answered_[index] = 1;
    each_(index, std::move(record));
  }

  // Starts one group for each run of `indices` (ordered by key) that one known place covers.
  static void Spread(const std::shared_ptr<MultiGetJob>& job, std::vector<size_t> indices, MonotonicTime end);
  static void Start(const std::shared_ptr<MultiGetJob>& job);

 private:
  ClientCore& core_;
  const TablePtr table_;
  const std::vector<std::string> keys_;
  const GetOptions options_;
  const std::shared_ptr<SessionState> session_;
  std::vector<char> answered_;
  const EachCallback<Result<Record>> each_;
};

class MultiGetGroup final : public Operation {
 public:
  MultiGetGroup(ClientCore& core, TablePtr table, std::shared_ptr<MultiGetJob> job, std::vector<size_t> indices,
                Duration allowed);
  void Start();

 private:
  std::string_view RoutingKey() const override { return job_->key(indices_.front()); }
  KeyRange Touched() const override { return {job_->key(indices_.front()), KeyAfter(job_->key(indices_.back()))}; }
  Status Prepare(const Place& place) override;
  void Send(rpc::Channel& channel) override;
  Status Complete() override;
  void Finish(Status status) override;

  const std::shared_ptr<MultiGetJob> job_;
  std::vector<size_t> indices_;  // ordered by key, not yet answered
  idl::MultiGetRequest request_;
  idl::MultiGetReply reply_;
  bool finished_ = false;
};

class ScanOperation final : public Operation {
 public:
  ScanOperation(ClientCore& core, TablePtr table, ScanOptions options, Callback<Result<ebla::ScanPage>> done);
  void Start();

 private:
  std::string_view RoutingKey() const override { return routing_key_; }
  KeyRange Touched() const override { return place()->range.Intersect(options_.range); }
  // A replica that has not applied a split yet answers for more than the place that is believed in.
  KeyRange MayBeShown() const override { return options_.range; }
  void Send(rpc::Channel& channel) override;
  Status Complete() override;
  void Finish(Status status) override;

  const ScanOptions options_;
  std::string routing_key_;
  idl::ScanRequest request_;
  idl::ScanReply reply_;
  OnceCallback<Result<ebla::ScanPage>> done_;
};

}  // namespace ebla::client
