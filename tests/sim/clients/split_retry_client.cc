#include "tests/sim/clients/split_retry_client.h"

#include <utility>

#include "client/core/session/session_state.h"
#include "common/rpc/idl_convert.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kRetryPatience = seconds(4);
constexpr Duration kOfCrowd = seconds(1);
constexpr int kCrowd = 200;      // more than a tablet's dedup window remembers in runs with splits (run.cc)
constexpr int kWritesMax = 100;  // of a session, to get beyond a position

idl::Write ToIdl(int group, const WritePart& part) {
  idl::Write write;
  write.key = KeyName(group, part.cell);
  write.kind = part.kind == WritePart::Kind::kDelete  ? idl::WriteKind::DELETE
               : part.kind == WritePart::Kind::kCheck ? idl::WriteKind::CHECK
                                                      : idl::WriteKind::PUT;
  if (part.kind == WritePart::Kind::kPut) write.__set_value(part.value);
  if (part.condition == WritePart::Condition::kExists) {
    idl::Condition condition;
    condition.kind = idl::ConditionKind::EXISTS;
    write.__set_condition(condition);
  }
  return write;
}

}  // namespace

struct SplitRetryClient::Errand {
  TableId table;
  std::vector<Step> steps;
  size_t next = 0;
  std::vector<std::shared_ptr<Asked>> again;
  std::function<void(Then)> then;
};

SplitRetryClient::SplitRetryClient(std::string name, Process process, Cluster& cluster, RunRecord& record)
    : ClientProcess(std::move(name), std::move(process), cluster, record), writer_(name_, cluster, executor_) {
  const std::string routed = name_ + ".session";
  node_ = cluster.network().Join(routed, {routed, 1}, nullptr, executor_);
  core_ = std::make_unique<client::ClientCore>(std::vector<client::IoContext>{{&executor_, node_.get()}},
                                               client::CoreOptions{cluster.master_endpoints(), seconds(10)});
}

SplitRetryClient::~SplitRetryClient() {
  dead_ = true;
  core_->Close();
  writer_.Leave();
  node_->Leave();
  process_.Halt();
  table_.reset();
  core_.reset();
}

// ---- what is asked, and again --------------------------------------------------------------------------------------

SplitRetryClient::Part SplitRetryClient::Text(int group, int cell) {
  // Texts of one moment differ by their cells or groups. Ask marks those of the same cell.
  const std::string number = std::to_string(record_.history.operations.size());
  return {group,
          {.cell = cell, .value = name_ + "." + number + "." + std::to_string(group) + "." + std::to_string(cell)}};
}

void SplitRetryClient::Ask(TableId table, int group, std::function<void(Then again)> then) {
  const int right = group + 1;
  Part gone = {right, {.kind = WritePart::Kind::kDelete, .cell = 0}};
  Part refused = Text(right, 0);
  refused.write.value += ".refused";
  refused.write.condition = WritePart::Condition::kExists;
  auto errand = std::make_shared<Errand>();
  errand->table = table;
  errand->steps = {{{Text(right, 1)}, true},
                   {},
                   {{gone}},
                   {{refused}, true},
                   {{Text(right, 0)}},
                   {{Text(group, 1), Text(right, 1)}, true}};
  errand->steps.back().parts[1].write.value += ".too";
  errand->then = std::move(then);
  LearnRoute(group);
  Go(errand);
}

void SplitRetryClient::Go(const std::shared_ptr<Errand>& errand) {
  if (errand->next == errand->steps.size()) {
    return errand->then([this, asked = errand->again] {
      for (const auto& one : asked) Again(one);
    });
  }
  const Step& step = errand->steps[errand->next++];
  const Then on = [this, errand] { Go(errand); };
  if (step.parts.empty()) return Crowd(errand->table, errand->steps.front().parts[0].group, on);
  std::shared_ptr<Asked> asked = Write(errand->table, step.parts, on);
  if (step.again) errand->again.push_back(std::move(asked));
}

idl::WriteRequest SplitRetryClient::NewRequest(TableId table) {
  idl::WriteRequest request;
  request.header.tableId = static_cast<int64_t>(table.value);
  request.header.deadlineMs = 500;
  request.clientId = static_cast<int64_t>(scheduler_.Random() | 1);  // for this request alone
  request.sequence = 1;
  request.firstIncomplete = 1;
  request.level = idl::WriteLevel::MAJORITY;
  return request;
}

size_t SplitRetryClient::Begin(const Part& part) {
  const size_t index = ClientProcess::Begin(part.group);
  Recorded(index).ack = Ack::kMajority;
  Recorded(index).parts = {part.write};
  return index;
}

std::shared_ptr<SplitRetryClient::Asked> SplitRetryClient::Write(TableId table, const std::vector<Part>& parts,
                                                                 Then then) {
  auto asked = std::make_shared<Asked>();
  asked->request = NewRequest(table);
  std::vector<size_t> indexes;  // a batch is one operation for each group
  for (const Part& part : parts) {
    asked->request.writes.push_back(ToIdl(part.group, part.write));
    indexes.push_back(Begin(part));
  }
  writer_.Send(asked->request, kRetryPatience, false,
               [this, asked, indexes, then = std::move(then)](const idl::WriteReply* reply) {
                 const bool told = reply != nullptr && (reply->header.code == idl::Code::OK ||
                                                        reply->header.code == idl::Code::CONDITION_FAILED);
                 if (told) {
                   asked->reply = *reply;
                   asked->answered = true;
                 }
                 Answer(indexes, told ? reply : nullptr);
                 then();
               });
  return asked;
}

void SplitRetryClient::Answer(const std::vector<size_t>& indexes, const idl::WriteReply* reply) {
  for (const size_t index : indexes) {
    Operation& operation = Recorded(index);
    if (reply != nullptr) {
      const bool refused = reply->header.code == idl::Code::CONDITION_FAILED;
      operation.outcome = refused ? Outcome::kRefused : Outcome::kOk;
      operation.returned = record_.history.Event(scheduler_.Now());
      if (!refused) operation.version = rpc::FromIdl(reply->version);
      ++record_.answered;
    }
    log_.Add(name_, operation.ToString());
  }
}

// Each client of the crowd checks once whether a record exists. The check changes nothing, but enters the dedup window.
void SplitRetryClient::Crowd(TableId table, int group, Then then) {
  log_.Add(name_, "a crowd comes");
  auto left = std::make_shared<int>(kCrowd);
  for (int i = 0; i < kCrowd; ++i) {
    auto look = std::make_shared<idl::WriteRequest>(NewRequest(table));
    look->writes.push_back(
        ToIdl(group, {.kind = WritePart::Kind::kCheck, .cell = 0, .condition = WritePart::Condition::kExists}));
    if (writer_.time() > 0) look->header.__set_tabletTimeMs(writer_.time());
    executor_.After(milliseconds(i / 2), [this, look, left, then] {
      writer_.Send(*look, kOfCrowd, false, [look, left, then](const idl::WriteReply*) {
        if (--*left == 0) then();
      });
    });
  }
}

void SplitRetryClient::Again(const std::shared_ptr<Asked>& asked) {
  if (!asked->answered) return;
  writer_.Send(asked->request, kRetryPatience, false, [this, asked](const idl::WriteReply* reply) {
    if (reply == nullptr || reply->header.code == idl::Code::UNKNOWN_OUTCOME) return;
    ++record_.kinds["late again"];
    const idl::Write& first = asked->request.writes.front();
    const std::string what = name_ + ": " + (first.__isset.value ? first.value : first.key);
    const auto told = [](const idl::WriteReply& one) {
      return std::string(CodeName(static_cast<Code>(one.header.code))) + " " + rpc::FromIdl(one.version).ToString() +
             " " + one.header.message;
    };
    log_.Add(name_, "again: " + what + " got " + told(*reply));
    if (reply->header.code == asked->reply.header.code && reply->version == asked->reply.version) return;
    record_.problems.push_back(what + " was told " + told(asked->reply) + ", and asked again, " + told(*reply));
  });
}

// ---- the session ---------------------------------------------------------------------------------------------------

// A read looks up the route, and teaches nothing to any session.
void SplitRetryClient::LearnRoute(int group) {
  const auto read = [this, group] { core_->Get(table_, KeyName(group, 0), {}, [](const Result<Record>&) {}); };
  if (table_ != nullptr) return read();
  core_->OpenTable(kTable,
                   client::OnceCallback<Result<client::TablePtr>>([this, read](Result<client::TablePtr> opened) {
                     if (dead_ || !opened) return;
                     table_ = *std::move(opened);
                     read();
                   }));
}

void SplitRetryClient::Wander(int group, Lsn beyond) {
  if (table_ == nullptr) return;
  WriteOn(
      {group, beyond, record_.next_session++, client::SessionAccess::Make(std::make_shared<client::SessionState>())},
      kWritesMax);
}

void SplitRetryClient::WriteOn(const Walk& walk, int left) {
  const Part part = Text(walk.group, 0);
  const size_t index = Begin(part);
  Recorded(index).session = walk.number;
  Batch batch;
  batch.Put(KeyName(walk.group, part.write.cell), part.write.value);
  Session session = walk.session;
  WriteOptions options;
  options.ack = Ack::kMajority;
  options.session = &session;
  options.deadline = milliseconds(1'000);
  core_->Write(table_, std::move(batch), options, [this, index, walk, left](const Result<BatchResult>& result) {
    if (dead_) return;
    Operation& operation = Recorded(index);
    if (result.has_value()) {
      operation.outcome = Outcome::kOk;
      operation.returned = record_.history.Event(scheduler_.Now());
      operation.version = result->version;
      ++record_.answered;
    }
    log_.Add(name_, operation.ToString());
    if (!result.has_value()) return;
    if (result->version.lsn > walk.beyond) return Look(walk);
    if (left > 1) WriteOn(walk, left - 1);
  });
}

void SplitRetryClient::Look(const Walk& walk) {
  Session session = walk.session;
  GetOptions options;
  options.read = Read::InSession();
  options.session = &session;
  options.deadline = seconds(2);
  core_->Get(table_, KeyName(walk.group + 1, 0), options, [this](const Result<Record>& result) {
    if (dead_) return;
    const Status status = result.has_value() ? Status() : Status(result.error());
    log_.Add(name_, "reads beyond the border: " + status.ToString());
    if (result.has_value() || status.code() == Code::kNotFound) ++record_.kinds["late session"];
    if (status.code() == Code::kLostWrite) {
      record_.problems.push_back(name_ + ": a session that wrote at MAJORITY alone was told " + status.ToString());
    }
  });
}

}  // namespace ebla::sim
