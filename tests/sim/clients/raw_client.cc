#include "tests/sim/clients/raw_client.h"

#include <utility>

#include "common/rpc/idl_convert.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPatience = seconds(8);

std::string Said(const idl::WriteReply& reply) {
  const auto code = static_cast<Code>(reply.header.code);
  return std::string(CodeName(code)) + " " + reply.header.message;
}

}  // namespace

RawClient::RawClient(std::string name, Process process, Cluster& cluster, RunRecord& record,
                     const WorkloadOptions& options)
    : ClientProcess(std::move(name), std::move(process), cluster, record),
      options_(options),
      id_(cluster.scheduler().Random() | 1),
      writer_(name_, cluster, executor_) {}

RawClient::~RawClient() {
  writer_.Leave();
  process_.Halt();
}

void RawClient::Work(TableId table) {
  table_ = table;
  busy_ = true;
  Next();
}

// ---- asking --------------------------------------------------------------------------------------------------------

idl::WriteRequest RawClient::NewRequest(int group, const std::string& value, int cell) {
  idl::WriteRequest request;
  request.header.tableId = static_cast<int64_t>(table_.value);
  request.header.deadlineMs = 500;
  request.clientId = static_cast<int64_t>(id_);
  request.sequence = static_cast<int64_t>(sequence_);
  request.firstIncomplete = request.sequence;
  idl::Write& write = request.writes.emplace_back();
  write.kind = idl::WriteKind::PUT;
  write.key = KeyName(group, cell);
  write.__set_value(value);
  return request;
}

void RawClient::Problem(const std::string& what, const idl::WriteReply& reply) {
  record_.problems.push_back(name_ + ": " + what + ": sequence " + std::to_string(request_.sequence) + " of " +
                             request_.writes[0].key + " got " + Said(reply) + " " +
                             rpc::FromIdl(reply.version).ToString());
}

// ---- what is asked -------------------------------------------------------------------------------------------------

void RawClient::Next() {
  if (finishing_) {
    busy_ = false;
    return;
  }
  executor_.After(milliseconds(20 + Random(300)), [this] {
    impossible_ = false;
    if (finished_ && Random(4) == 0) {
      auto [request, index] = *std::exchange(finished_, std::nullopt);
      request_ = std::move(request);
      return Again(index, Duration(0), /*finished=*/true);
    }
    const int group = static_cast<int>(Random(static_cast<uint64_t>(options_.groups)));
    const int cell = static_cast<int>(Random(kCounterCell));
    const size_t index = Begin(group);
    Operation& asked = Recorded(index);
    asked.ack = Random(4) == 0 ? Ack::kPrimary : Ack::kMajority;
    asked.parts = {{.cell = cell, .value = name_ + "." + std::to_string(index)}};
    ++sequence_;
    request_ = NewRequest(group, asked.parts[0].value, cell);
    request_.level = static_cast<idl::WriteLevel::type>(asked.ack);
    Send(kPatience, [this, index](const idl::WriteReply* reply) {
      Operation& written = Recorded(index);
      if (reply != nullptr && reply->header.code == idl::Code::INVALID_ARGUMENT) Problem("a write was refused", *reply);
      if (reply == nullptr || reply->header.code != idl::Code::OK) {
        log_.Add(name_, written.ToString());
        return Next();
      }
      written.outcome = Outcome::kOk;
      written.returned = record_.history.Event(scheduler_.Now());
      written.version = rpc::FromIdl(reply->version);
      ++record_.answered;
      ++record_.kinds["raw write"];
      log_.Add(name_, written.ToString());
      Trick(index);
    });
  });
}

void RawClient::Trick(size_t index) {
  const Operation& written = Recorded(index);
  const uint64_t choice = Random(8);
  if (choice < 3) return Again(index, milliseconds(Random(Random(2) == 0 ? 500 : 12'000)), /*finished=*/false);
  if (choice == 3 && written.ack == Ack::kMajority) return Another();
  if (choice == 4) return Impossible();
  if (choice == 5 && written.ack == Ack::kMajority) finished_ = {request_, index};
  Next();
}

// Repeats the request at MAJORITY. A committed write gets its first answer again, unless the dedup window has lost the
// answer. A write answered at PRIMARY may have been rolled back, and then the answer to this retry counts.
void RawClient::Again(size_t index, Duration later, bool finished) {
  Operation& first = Recorded(index);
  if (first.ack == Ack::kPrimary) {  // a rolled-back write may be executed again, so only the next answer counts
    first.outcome = Outcome::kUnknown;
    first.returned = kNever;
    first.version = {};
  }
  executor_.After(later, [this, index, finished] {
    request_.level = idl::WriteLevel::MAJORITY;
    Send(kPatience, [this, index, finished](const idl::WriteReply* reply) {
      Operation& written = Recorded(index);
      if (reply == nullptr || reply->header.code == idl::Code::UNKNOWN_OUTCOME) return Next();
      const Version version = rpc::FromIdl(reply->version);
      const bool ok = reply->header.code == idl::Code::OK;
      if (!ok && (!finished || reply->header.code != idl::Code::INVALID_ARGUMENT))
        Problem("a retry was refused", *reply);
      if (ok && written.ack == Ack::kMajority && version != written.version) {
        Problem("a retry got another answer than " + written.ToString(), *reply);
      }
      if (ok && written.ack == Ack::kPrimary) {
        written.ack = Ack::kMajority;
        written.outcome = Outcome::kOk;
        written.returned = record_.history.Event(scheduler_.Now());
        written.version = version;
      }
      if (ok) log_.Add(name_, "again: " + written.ToString());
      ++record_.kinds[finished ? "raw finished" : "raw again"];
      Next();
    });
  });
}

// Uses the sequence of a committed write for another write.
void RawClient::Another() {
  request_.writes[0].__set_value("misused");
  Send(seconds(2), [this](const idl::WriteReply* reply) {
    if (reply != nullptr && reply->header.code == idl::Code::OK) Problem("a sequence was used twice", *reply);
    ++record_.kinds["raw another"];
    Next();
  });
}

// Names a tablet time in the future, or a sequence that is too far ahead.
void RawClient::Impossible() {
  const int group = static_cast<int>(Random(static_cast<uint64_t>(options_.groups)));
  const bool far = Random(2) == 0;
  ++sequence_;
  request_ = NewRequest(group, "impossible", 0);
  request_.header.__set_tabletTimeMs(far ? writer_.time() : writer_.time() + 3'600'000);
  if (far) request_.sequence += 100'000;
  impossible_ = true;
  Send(seconds(2), [this](const idl::WriteReply* reply) {
    if (reply != nullptr && reply->header.code == idl::Code::OK) Problem("what none may write was written", *reply);
    ++record_.kinds["raw impossible"];
    Next();
  });
}

}  // namespace ebla::sim
