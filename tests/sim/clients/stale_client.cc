#include "tests/sim/clients/stale_client.h"

#include <utility>

#include "client/core/calls/call.h"
#include "common/rpc/idl_convert.h"

namespace ebla::sim {
namespace {

using std::chrono::seconds;

constexpr Duration kStalePatience = seconds(5);
constexpr int kDeadlineMs = 5'000;

}  // namespace

StaleClient::StaleClient(std::string name, Process process, Cluster& cluster, RunRecord& record)
    : ClientProcess(std::move(name), std::move(process), cluster, record) {
  node_ = cluster.network().Join(name_, {name_, 1}, nullptr, executor_);
}

StaleClient::~StaleClient() {
  node_->Leave();
  process_.Halt();
}

std::shared_ptr<rpc::Channel> StaleClient::ChannelTo(const Place& place) {
  return node_->Connect({Cluster::ServerName(place.server), 7410}, executor_);
}

// ---- writes --------------------------------------------------------------------------------------------------------

void StaleClient::Write(const Place& place, bool large, std::function<void()> done) {
  const size_t index = Begin(place.group);
  Operation& operation = Recorded(index);
  operation.ack = Ack::kMajority;
  operation.parts = {{.cell = place.cell, .value = name_ + "." + std::to_string(index)}};
  idl::WriteRequest request;
  request.header.tableId = static_cast<int64_t>(place.table.value);
  request.header.deadlineMs = kDeadlineMs;
  request.clientId = static_cast<int64_t>(scheduler_.Random() | 1);  // for this request alone
  request.sequence = 1;
  request.firstIncomplete = 1;
  request.level = idl::WriteLevel::MAJORITY;
  idl::Write& write = request.writes.emplace_back();
  write.kind = idl::WriteKind::PUT;
  write.key = KeyName(place.group, place.cell);
  write.__set_value(large ? Padded(operation.parts[0].value) : operation.parts[0].value);
  Attempt(place, index, std::move(request), std::move(done));
}

// The first attempt names no tablet time. It is not executed, but its answer has the tablet time (PROTOCOL 20).
void StaleClient::Attempt(const Place& place, size_t index, idl::WriteRequest request, std::function<void()> done) {
  const auto asked = std::make_shared<idl::WriteRequest>(std::move(request));
  client::Call(
      *ChannelTo(place), *asked, kStalePatience,
      [this, place, index, asked, done = std::move(done)](Result<idl::WriteReply> reply) mutable {
        idl::WriteRequest& request = *asked;
        const bool nameless = !request.header.__isset.tabletTimeMs;
        if (nameless && reply && reply->header.code == idl::Code::COME_AGAIN && reply->header.__isset.tabletTimeMs) {
          request.header.__set_tabletTimeMs(reply->header.tabletTimeMs);
          return Attempt(place, index, std::move(request), std::move(done));
        }
        Operation& written = Recorded(index);
        if (nameless) written.outcome = Outcome::kNotExecuted;
        if (!nameless && reply && reply->header.code == idl::Code::OK) {
          written.outcome = Outcome::kOk;
          written.returned = record_.history.Event(scheduler_.Now());
          written.version = rpc::FromIdl(reply->version);
          ++record_.answered;
          ++record_.kinds["stale write"];
        }
        log_.Add(name_, written.ToString());
        if (written.outcome == Outcome::kOk && done) done();
      });
}

// ---- reads ---------------------------------------------------------------------------------------------------------

void StaleClient::Get(const Place& place, const Read& read) {
  const size_t index = Begin(place.group);
  Operation& operation = Recorded(index);
  operation.is_read = true;
  operation.read = read;
  operation.cell = place.cell;
  const bool eventual = read.level() == Read::Level::kEventual;
  const idl::GetRequest request = RequestOf(place, eventual ? idl::ReadLevel::EVENTUAL : idl::ReadLevel::STRONG);
  client::Call(*ChannelTo(place), request, kStalePatience,
               [this, index](const Result<idl::GetReply>& reply) { Found(index, reply); });
}

void StaleClient::Peek(const Place& place) {
  client::Call(*ChannelTo(place), RequestOf(place, idl::ReadLevel::EVENTUAL), kStalePatience,
               [](const Result<idl::GetReply>&) {});
}

idl::GetRequest StaleClient::RequestOf(const Place& place, idl::ReadLevel::type level) {
  idl::GetRequest request;
  request.header.tableId = static_cast<int64_t>(place.table.value);
  request.header.deadlineMs = kDeadlineMs;
  request.key = KeyName(place.group, place.cell);
  idl::ReadOptions options;
  options.level = level;
  request.__set_options(options);
  return request;
}

void StaleClient::Found(size_t index, const Result<idl::GetReply>& reply) {
  Operation& operation = Recorded(index);
  const bool found = reply && reply->header.code == idl::Code::OK && reply->__isset.record;
  if (found || (reply && reply->header.code == idl::Code::NOT_FOUND)) {
    operation.returned = record_.history.Event(scheduler_.Now());
    operation.outcome = Outcome::kOk;
    if (found) operation.found = Cell{Unpadded(reply->record.value), rpc::FromIdl(reply->record.version)};
    ++record_.answered;
    ++record_.kinds["stale read"];
  } else {
    operation.outcome = Outcome::kNotExecuted;
    ++record_.not_executed;
  }
  log_.Add(name_, operation.ToString());
}

}  // namespace ebla::sim
