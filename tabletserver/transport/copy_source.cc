#include "tabletserver/transport/copy_source.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/crc32.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {
namespace {

bool WorthAnother(Code code) {
  switch (code) {
    case Code::kUnavailable:
    case Code::kUnknownOutcome:
    case Code::kDeadlineExceeded:
    case Code::kOverloaded:
    case Code::kComeAgain: return true;
    default: return false;
  }
}

}  // namespace

CopySource::CopySource(Ports ports, CopyOrder order, OnNews on_news, Options options)
    : ports_(std::move(ports)),
      order_(std::move(order)),
      on_news_(std::move(on_news)),
      options_(options),
      next_(order_.applied.range.start),
      upto_(order_.start.start.lsn) {}

std::shared_ptr<CopySource> CopySource::Begin(Ports ports, CopyOrder order, OnNews on_news, Options options) {
  std::shared_ptr<CopySource> copy(new CopySource(std::move(ports), std::move(order), std::move(on_news), options));
  copy->Later(Duration(0), &CopySource::SendBegin);
  return copy;
}

void CopySource::Later(Duration delay, void (CopySource::*step)()) {
  auto task = [self = shared_from_this(), step] {
    if (!self->cancelled_.load(std::memory_order_relaxed)) (*self.*step)();
  };
  if (delay > Duration(0)) {
    ports_.background.After(delay, std::move(task));
  } else {
    ports_.background.Post(std::move(task));
  }
}

idl::CopyRequest CopySource::Request() const {
  idl::CopyRequest request;
  request.header = ports_.header;
  request.tabletId = static_cast<int64_t>(order_.tablet.value);
  request.epoch = static_cast<int64_t>(order_.start.epoch.value);
  request.copyId = static_cast<int64_t>(order_.start.id);
  return request;
}

// ---- the three kinds of request -------------------------------------------------------------------------------------

void CopySource::SendBegin() {
  Result<idl::TableSchema> schema = coordination::DecodeNode<idl::TableSchema>(order_.schema, "a replica's schema");
  if (!schema) return End(CopyNews::Kind::kFailed, schema.error());
  idl::CopyStart begin;
  begin.start = rpc::ToPosition(order_.start.start);
  begin.line = rpc::ToPosition(order_.start.line);
  begin.applied = EncodeAppliedState(order_.applied);
  begin.schema = *std::move(schema);
  begin.windowRowsBefore = static_cast<int32_t>(rows_sent_);
  size_t bytes = begin.applied.size();
  for (size_t i = rows_sent_; i < order_.dedup_window.size() && bytes < options_.window_bytes; ++i) {
    const DedupRow& row = order_.dedup_window[i];
    begin.windowRows.push_back(DedupKey(order_.tablet, row.client, row.sequence) + EncodeDedupRow(row));
    bytes += begin.windowRows.back().size();
  }
  rows_under_way_ = begin.windowRows.size();
  begin.windowRowsFollow = rows_sent_ + rows_under_way_ < order_.dedup_window.size();
  idl::CopyRequest request = Request();
  request.first = std::move(begin);  // the setter would copy
  request.__isset.first = true;
  Send(std::move(request), bytes, options_.begin_patience);
}

void CopySource::SendChunk() {
  idl::CopyChunk chunk;
  size_t bytes = 0;
  if (Status status = ReadChunk(chunk, bytes); !status.ok()) return End(CopyNews::Kind::kFailed, status);
  records_ += static_cast<int64_t>(chunk.records.size());
  idl::CopyRequest request = Request();
  request.chunk = std::move(chunk);
  request.__isset.chunk = true;
  Send(std::move(request), bytes, options_.patience);
}

// Up to the first record that is too many; the last chunk's interval is the rest of the range.
Status CopySource::ReadChunk(idl::CopyChunk& chunk, size_t& bytes) {
  const KeyRange& range = order_.applied.range;
  std::string end = range.end;
  uint32_t checksum = 0;
  ByteWriter row;
  SnapshotPosition position{order_.tablet, {}};
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    const bool full = bytes >= options_.chunk_bytes || chunk.records.size() >= options_.chunk_records;
    if (full) {
      end = key;
      return false;
    }
    EncodeRecord(record, row);
    idl::CopyRecord& to = chunk.records.emplace_back();
    to.key = key;
    to.row = row.view();
    checksum = Crc32(to.row, Crc32(to.key, checksum));
    bytes += to.key.size() + to.row.size();
    return true;
  };
  EBLA_TRY(ports_.store.Scan(order_.table, {.range = {next_, range.end}, .read_once = true}, visit, &position));
  chunk.interval = rpc::ToIdl(KeyRange{next_, end});
  chunk.checksum = checksum;
  upto_ = std::max(upto_, position.applied);
  chunks_done_ = end == range.end;
  next_ = std::move(end);
  return Status::Ok();
}

void CopySource::SendArrived() {
  idl::CopyRequest request = Request();
  request.__set_arrivedUpto(static_cast<int64_t>(upto_.value));
  Send(std::move(request), 0, options_.patience);
}

// ---- sending --------------------------------------------------------------------------------------------------------

void CopySource::Send(idl::CopyRequest request, size_t bytes, Duration patience) {
  request.deadlineMs = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  request_ = std::move(request);
  request_bytes_ = bytes;
  attempts_ = 0;
  Later(ports_.throttle.Take(bytes, ports_.background.Now()), &CopySource::Attempt);
}

void CopySource::Attempt() {
  ++attempts_;
  auto answered = [self = shared_from_this(), number = ++number_](const idl::CopyReply& reply) {
    self->ports_.background.Post([self, number, status = rpc::FromIdl(reply.status)] {
      if (!self->cancelled_.load(std::memory_order_relaxed)) self->OnReply(number, status);
    });
  };
  ports_.peer->copy(std::move(answered), request_);
}

void CopySource::OnReply(uint64_t number, const Status& status) {
  if (number != number_) return;
  if (status.ok()) return SendNext();
  if (phase_ == Phase::kBegin && status.code() == Code::kConditionFailed)
    return End(CopyNews::Kind::kHoldsLine, status);
  // A copy that the peer has given up while it began is over; another would only be displaced.
  const bool over = phase_ == Phase::kBegin && status.code() == Code::kComeAgain;
  if (over || !WorthAnother(status.code()) || attempts_ >= options_.attempts_max) {
    return End(CopyNews::Kind::kFailed, status);
  }
  const Duration turn = ports_.throttle.Take(request_bytes_, ports_.background.Now());
  Later(std::max<Duration>(turn, options_.retry_delay * (1 << (attempts_ - 1))), &CopySource::Attempt);
}

void CopySource::SendNext() {
  switch (phase_) {
    case Phase::kBegin:
      rows_sent_ += rows_under_way_;
      if (rows_sent_ < order_.dedup_window.size()) return SendBegin();
      phase_ = Phase::kChunks;
      LOG(INFO) << "tablet " << order_.tablet << ": a copy to " << order_.start.peer << " has begun at "
                << order_.start.start;
      on_news_(CopyNews::Kind::kAccepted);
      return SendChunk();
    case Phase::kChunks:
      if (!chunks_done_) return SendChunk();
      phase_ = Phase::kArrive;
      return SendArrived();
    case Phase::kArrive:
      LOG(INFO) << "tablet " << order_.tablet << ": " << records_ << " records copied to " << order_.start.peer
                << ", from " << order_.start.start << " through lsn " << upto_;
      return End(CopyNews::Kind::kArrived, {});
  }
}

void CopySource::End(CopyNews::Kind kind, const Status& why) {
  if (kind == CopyNews::Kind::kFailed && phase_ == Phase::kBegin) {
    LOG_EVERY_N(WARNING, 100) << "tablet " << order_.tablet << ": a copy to " << order_.start.peer
                              << " cannot begin, trying again: " << why;
  } else if (kind == CopyNews::Kind::kFailed) {
    LOG(WARNING) << "tablet " << order_.tablet << ": the copy to " << order_.start.peer << " has failed: " << why;
  }
  Cancel();
  on_news_(kind);
}

}  // namespace ebla::tabletserver
