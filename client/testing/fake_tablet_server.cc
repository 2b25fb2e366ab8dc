// A FakeCluster's tablet servers. Every server has one store here: what a table's tablets hold differs in what the
// server has applied.
#include <algorithm>
#include <charconv>

#include "client/testing/fake_handlers.h"
#include "common/base/crc32.h"
#include "common/base/functions.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client::testing {

namespace {

constexpr int64_t kWindowMs = 600'000;  // for which writes are remembered

const FakeRecord* Live(const FakeRecords& records, const std::string& key, int64_t now_ms) {
  const auto found = records.find(key);
  if (found == records.end()) return nullptr;
  const bool expired = found->second.expires_ms > 0 && found->second.expires_ms <= now_ms;
  return expired ? nullptr : &found->second;
}

idl::Record ToIdl(const FakeRecord& stored) {
  idl::Record record;
  record.value = stored.value;
  record.version = stored.version;
  if (stored.expires_ms > 0) record.__set_expiresAtMs(stored.expires_ms);
  return record;
}

// The server's next fault, if one was ordered.
bool Fails(FakeFaults& faults, const ServerName& server, idl::ReplyHeader& reply) {
  const std::optional<FakeFault> fault = faults.TakeNext(server);
  if (!fault) return false;
  if (fault->retry_after_ms > 0) reply.__set_retryAfterMs(fault->retry_after_ms);
  reply.__set_code(fault->code);
  reply.__set_message(fault->message);
  return true;
}

// ---- whether it serves

// The tablet and the position of a request that may continue.
struct Served {
  FakeTable* table = nullptr;
  FakeTablet* tablet = nullptr;
  const FakeRecords* records = nullptr;  // as the server has them
};

// The first version that the token names for `key` and that was lost.
const Version* LostOf(const FakeFaults& faults, const idl::RequestHeader& request, const std::string& key) {
  for (const idl::TokenRange& seen : request.token.ranges) {
    if (!rpc::FromIdl(seen.range).Contains(key)) continue;
    for (const Version& lost : faults.lost) {
      if (std::ranges::find(seen.pendingPrimary, rpc::ToIdl(lost)) != seen.pendingPrimary.end()) return &lost;
    }
  }
  return nullptr;
}

// Whether a follower may answer it. `read`: null for writes.
bool FollowerServes(const FakeFaults& faults, const ServerName& server, const idl::RequestHeader& request,
                    const idl::ReadOptions* read, const FakeTable& table, const std::string& key) {
  if (read == nullptr) return false;
  const auto level = read->level == idl::ReadLevel::DEFAULT ? table.options.defaultReadLevel : read->level;
  switch (level) {
    case idl::ReadLevel::EVENTUAL: return true;
    case idl::ReadLevel::BOUNDED: return !faults.Lags(server);
    case idl::ReadLevel::SESSION:
      return std::ranges::none_of(request.token.ranges, [&](const idl::TokenRange& seen) {
        if (!rpc::FromIdl(seen.range).Contains(key)) return false;
        int64_t needed = seen.applied.lsn;
        for (const idl::Version& own : seen.pendingPrimary) needed = std::max(needed, own.lsn);
        return needed > faults.AppliedAt(server);
      });
    default: return false;
  }
}

bool IsFollower(const FakeTablet& tablet, const ServerName& server) {
  return tablet.primary != server && (std::ranges::find(tablet.voters, server) != tablet.voters.end() ||
                                      std::ranges::find(tablet.learners, server) != tablet.learners.end());
}

// ---- writes, each executed once

class Writer {
 public:
  Writer(FakeState& state, FakeTable& table, const FakeTablet& tablet, int64_t now_ms)
      : state_(state), table_(table), tablet_(tablet), now_ms_(now_ms) {}

  void Execute(const idl::WriteRequest& request, idl::WriteReply& reply) {
    // Answers like an older server, without functions.
    if (request.writes.front().functionName == "unheard of")
      return reply.header.__set_code(idl::Code::INVALID_ARGUMENT);
    auto& answered = state_.requests.answered;
    const std::pair id{request.clientId, request.sequence};
    if (const auto found = answered.find(id); found != answered.end()) {
      idl::ReplyHeader header = std::exchange(reply, found->second).header;
      if (!reply.__isset.version) return;
      header.applied.epoch = tablet_.epoch;  // by now it is applied, also by the present primary
      header.applied.lsn = state_.tables.last_lsn();
      reply.header = std::move(header);
      return;
    }
    if (!InTime(request, reply)) return;
    if (ExecuteAll(request, reply)) {
      ++state_.requests.counts.writes_executed;
      idl::Version applied = reply.version;
      if (request.level == idl::WriteLevel::PRIMARY) --applied.lsn;  // answered before it is
      reply.header.__set_applied(applied);
    }
    answered[id] = reply;
  }

 private:
  bool InTime(const idl::WriteRequest& request, idl::WriteReply& reply) const {
    const int64_t time_ms = now_ms_ + tablet_.ahead_ms - state_.faults.clock_back_ms;
    const auto refuse = [&](idl::Code::type code, const std::string& message) {
      reply.header.__set_code(code);
      reply.header.__set_message(message);
      return false;
    };
    if (!request.header.__isset.tabletTimeMs) return refuse(idl::Code::COME_AGAIN, "a write needs a tablet time");
    if (request.header.tabletTimeMs > time_ms) {
      reply.header.__set_retryAfterMs(1000);
      return refuse(idl::Code::COME_AGAIN, "the write's tablet time is later than the tablet's clock");
    }
    if (request.header.tabletTimeMs < state_.faults.oldest_ms || request.header.tabletTimeMs + kWindowMs < time_ms) {
      return refuse(idl::Code::UNKNOWN_OUTCOME, "older than the window");
    }
    return true;
  }

  bool ExecuteAll(const idl::WriteRequest& request, idl::WriteReply& reply) {
    const auto fail = [&](idl::Code::type code, const std::string& message, size_t index) {
      reply.header.__set_code(code);
      reply.header.__set_message(message);
      reply.__set_failedIndex(static_cast<int32_t>(index));
      return false;
    };
    for (size_t i = 0; i < request.writes.size(); ++i) {
      if (!tablet_.range.Contains(request.writes[i].key)) {
        return fail(idl::Code::INVALID_ARGUMENT, "the batch spans tablets", i);
      }
      if (!ConditionHolds(request.writes[i])) {
        return fail(idl::Code::CONDITION_FAILED, "the condition does not hold", i);
      }
    }
    const idl::Version version = state_.tables.NextVersion(tablet_.epoch);
    const auto before = table_.records;
    for (size_t i = 0; i < request.writes.size(); ++i) {
      if (!ExecuteOne(request.writes[i], version, reply)) {
        table_.records = before;
        reply.answers.clear();
        reply.counters.clear();
        return fail(idl::Code::INVALID_ARGUMENT, "the value is not a decimal number", i);
      }
    }
    reply.__set_version(version);
    return true;
  }

  bool ConditionHolds(const idl::Write& write) const {
    if (!write.__isset.condition) return true;
    const FakeRecord* stored = Live(table_.records, write.key, now_ms_);
    switch (write.condition.kind) {
      case idl::ConditionKind::ABSENT: return stored == nullptr;
      case idl::ConditionKind::EXISTS: return stored != nullptr;
      case idl::ConditionKind::VERSION_IS: return stored != nullptr && stored->version == write.condition.version;
    }
    return false;
  }

  bool ExecuteOne(const idl::Write& write, const idl::Version& version, idl::WriteReply& reply) {
    const int64_t lives_until = write.__isset.ttlMs && write.ttlMs > 0 ? now_ms_ + write.ttlMs : 0;
    const int64_t expires = write.__isset.expiresAtMs ? write.expiresAtMs : lives_until;
    switch (write.kind) {
      case idl::WriteKind::PUT: table_.records[write.key] = {write.value, version, expires}; return true;
      case idl::WriteKind::DELETE: table_.records.erase(write.key); return true;
      case idl::WriteKind::CHECK: return true;
      // Puts the arguments behind what is there, and answers with that, if servers do; "refuse" is refused.
      case idl::WriteKind::APPLY: {
        if (write.functionName == "refuse") return false;
        const FakeRecord* const stored = Live(table_.records, write.key, now_ms_);
        const std::string old = stored == nullptr ? "" : stored->value;
        table_.records[write.key] = {old + write.value, version, expires};
        size_t answered = old.size();
        for (const std::string& answer : reply.answers) answered += answer.size();
        if (answered > kFunctionAnswersBytesMax) return false;
        reply.answers.push_back(old);
        reply.__isset.answers = true;
        return true;
      }
      case idl::WriteKind::INCREMENT: {
        int64_t sum = 0;
        if (const FakeRecord* stored = Live(table_.records, write.key, now_ms_)) {
          const char* end = stored->value.data() + stored->value.size();
          const auto parsed = std::from_chars(stored->value.data(), end, sum);
          if (parsed.ec != std::errc() || parsed.ptr != end) return false;
        }
        sum += write.delta;
        table_.records[write.key] = {std::to_string(sum), version, expires};
        reply.counters.push_back(sum);
        reply.__isset.counters = true;
        return true;
      }
    }
    return false;
  }

  FakeState& state_;
  FakeTable& table_;
  const FakeTablet& tablet_;
  const int64_t now_ms_;
};

// ---- reads of ranges

void ReadPage(const Served& served, int page_rows, const idl::ScanRequest& request, idl::ScanReply& reply) {
  const KeyRange wanted = rpc::FromIdl(request.range);
  const KeyRange here = wanted.Intersect(served.tablet->range);
  std::vector<std::string> keys;
  for (const auto& [key, stored] : *served.records) {
    if (here.Contains(key)) keys.push_back(key);
  }
  if (request.reverse) std::ranges::reverse(keys);
  const int limit = request.limit > 0 ? std::min(request.limit, page_rows) : page_rows;
  KeyRange remaining = wanted;
  for (const std::string& key : keys) {
    if (static_cast<int>(reply.records.size()) == limit) {
      reply.remaining = rpc::ToIdl(remaining);
      return;
    }
    idl::ScanRecord record;
    record.key = key;
    record.record = ToIdl(served.records->at(key));
    if (request.keysOnly) record.record.value.clear();
    reply.records.push_back(record);
    (request.reverse ? remaining.end : remaining.start) = request.reverse ? key : KeyAfter(key);
  }
  // This tablet is done; the next one's part remains.
  if (request.reverse) {
    remaining.end = here.start;
    reply.done = here.start.empty() || here.start <= wanted.start;
  } else {
    remaining.start = here.end;
    reply.done = here.end.empty() || here.end == wanted.end;
  }
  if (reply.done) remaining = KeyRange{"x", "x"};
  reply.remaining = rpc::ToIdl(remaining);
}

// One record per page, so that a comparison has to ask for more.
void Sum(FakeState& state, const ServerName& server, const idl::ChecksumRequest& request, idl::ChecksumReply& reply) {
  const FakeTable* table = state.tables.ById(request.header.tableId);
  if (table == nullptr) return reply.header.__set_code(idl::Code::WRONG_TABLET);
  const auto tablet = std::ranges::find_if(table->tablets, [&](const auto& start_and_tablet) {
    return start_and_tablet.second.id == request.header.tabletId;
  });
  if (tablet == table->tablets.end()) return reply.header.__set_code(idl::Code::WRONG_TABLET);
  const KeyRange& range = tablet->second.range;
  const FakeRecords& records = state.faults.RecordsAt(server, *table);
  reply.range = rpc::ToIdl(range);
  reply.appliedLsn = state.faults.AppliedAt(server);
  reply.done = true;
  for (auto it = records.lower_bound(std::max(request.fromKey, range.start)); it != records.end(); ++it) {
    if (!range.Contains(it->first)) break;
    if (reply.records == 1) {
      reply.done = false;
      reply.nextKey = it->first;
      break;
    }
    ++reply.records;
    reply.bytes += static_cast<int64_t>(it->first.size() + it->second.value.size());
    const bool damaged = state.faults.damaged.contains({server, it->first});
    reply.checksum = Crc32(it->second.value, Crc32(it->first)) + (damaged ? 1 : 0);
  }
}

class FakeTabletServer final : public idl::TabletServiceCobSvNull {
 public:
  FakeTabletServer(FakeCluster& cluster, ServerName name) : cluster_(cluster), name_(std::move(name)) {}

  void get(Cob<idl::GetReply> done, const idl::GetRequest& request) override {
    Answer(done, [&](FakeState& state, idl::GetReply& reply) {
      ++state.requests.counts.gets;
      Served served;
      if (Refused(state, request.header, &request.options, request.key, reply.header, served)) return;
      if (const FakeRecord* stored = Live(*served.records, request.key, cluster_.NowMs())) {
        reply.__set_record(ToIdl(*stored));
      } else {
        reply.header.__set_code(idl::Code::NOT_FOUND);
      }
    });
  }

  void multiGet(Cob<idl::MultiGetReply> done, const idl::MultiGetRequest& request) override {
    Answer(done, [&](FakeState& state, idl::MultiGetReply& reply) {
      ++state.requests.counts.multi_gets;
      Served served;
      if (Refused(state, request.header, &request.options, request.keys.front(), reply.header, served)) return;
      int room = state.faults.multi_get_room;
      for (const std::string& key : request.keys) {
        idl::MultiGetResult& result = reply.results.emplace_back();
        const FakeRecord* stored = Live(*served.records, key, cluster_.NowMs());
        if (!served.tablet->range.Contains(key) && served.table->At(key).primary != name_) {
          result.code = idl::Code::WRONG_TABLET;
        } else if (stored == nullptr) {
          result.code = idl::Code::NOT_FOUND;
        } else if (room-- <= 0) {
          result.code = idl::Code::OVERLOADED;
        } else {
          result.__set_record(ToIdl(*stored));
        }
      }
    });
  }

  void write(Cob<idl::WriteReply> done, const idl::WriteRequest& request) override {
    Answer(done, [&](FakeState& state, idl::WriteReply& reply) {
      ++state.requests.counts.write_attempts;
      state.requests.writes.push_back(request);
      Served served;
      const FakeTable* table = state.tables.ById(request.header.tableId);
      const bool any =
          request.level == idl::WriteLevel::ANY || (request.level == idl::WriteLevel::DEFAULT && table != nullptr &&
                                                    table->options.defaultWriteLevel == idl::WriteLevel::ANY);
      idl::ReadOptions eventual;  // at the level that any replica serves
      eventual.level = idl::ReadLevel::EVENTUAL;
      const idl::ReadOptions last = state.requests.last_read;
      const std::string& key = request.writes.front().key;
      if (!Refused(state, request.header, any ? &eventual : nullptr, key, reply.header, served)) {
        Writer(state, *served.table, *served.tablet, cluster_.NowMs()).Execute(request, reply);
        if (any) reply.__isset.version = false;
      }
      state.requests.last_read = last;
      if (served.tablet != nullptr) {
        reply.header.__set_tabletTimeMs(cluster_.NowMs() + served.tablet->ahead_ms - state.faults.clock_back_ms);
      }
    });
  }

  void scan(Cob<idl::ScanReply> done, const idl::ScanRequest& request) override {
    Answer(done, [&](FakeState& state, idl::ScanReply& reply) {
      ++state.requests.counts.scans;
      FakeTable* table = state.tables.ById(request.header.tableId);
      std::string key = request.range.startKey;
      if (request.reverse && table != nullptr) {
        // The tablet with the last keys below the end.
        auto it =
            request.range.endKey.empty() ? table->tablets.end() : table->tablets.lower_bound(request.range.endKey);
        key = std::max(key, std::prev(it)->first);
      }
      Served served;
      if (!Refused(state, request.header, &request.options, key, reply.header, served)) {
        ReadPage(served, state.faults.page_rows, request, reply);
      }
    });
  }

  // One write per answer, so that a listing has to ask for more.
  void listKept(Cob<idl::ListKeptReply> done, const idl::ListKeptRequest& request) override {
    Answer(done, [&](FakeState& state, idl::ListKeptReply& reply) {
      if (Fails(state.faults, name_, reply.header)) return;
      FakeTable* table = state.tables.ById(request.header.tableId);
      if (table == nullptr) return;
      const auto place = [](int64_t tablet, const idl::Version& version) {
        return std::tuple(tablet, version.epoch, version.lsn);
      };
      for (const idl::KeptWrite& write : table->unresolved[name_]) {
        if (place(write.tabletId, write.version) <= place(request.afterTabletId, request.afterVersion)) continue;
        reply.more = !reply.writes.empty();
        if (reply.more) break;
        reply.writes.push_back(write);
      }
    });
  }

  void checksum(Cob<idl::ChecksumReply> done, const idl::ChecksumRequest& request) override {
    Answer(done, [&](FakeState& state, idl::ChecksumReply& reply) {
      if (!Fails(state.faults, name_, reply.header)) Sum(state, name_, request, reply);
    });
  }

  void forgetKept(Cob<idl::ForgetKeptReply> done, const idl::ForgetKeptRequest& request) override {
    Answer(done, [&](FakeState& state, idl::ForgetKeptReply& reply) {
      FakeTable* table = state.tables.ById(request.header.tableId);
      const size_t gone = table == nullptr ? 0 : std::erase_if(table->unresolved[name_], [&](const auto& write) {
        return write.tabletId == request.tabletId && write.version == request.version;
      });
      if (gone == 0) reply.header.__set_code(idl::Code::NOT_FOUND);
    });
  }

 private:
  // Not under the lock.
  template <class Reply, class Fill>
  void Answer(const Cob<Reply>& done, Fill fill) {
    Reply reply;
    fill(*cluster_.Lock(), reply);
    done(reply);
  }

  // Fills the header of a refusal; false when the request may continue with `served`. `read`: null for writes.
  bool Refused(FakeState& state, const idl::RequestHeader& request, const idl::ReadOptions* read,
               const std::string& key, idl::ReplyHeader& reply, Served& served) {
    state.requests.last_header = request;
    if (read != nullptr) state.requests.last_read = *read;
    const auto refuse = [&](idl::Code::type code, const std::string& message) {
      reply.__set_code(code);
      reply.__set_message(message);
      return true;
    };
    FakeTable* const table = served.table = state.tables.ById(request.tableId);
    FakeTablet* const tablet = served.tablet = table == nullptr ? nullptr : &table->At(key);
    idl::Version applied;
    applied.epoch = tablet == nullptr ? 0 : tablet->epoch;
    applied.lsn = state.faults.AppliedAt(name_);
    if (Fails(state.faults, name_, reply)) {
      if (reply.code == idl::Code::LOST_WRITE) reply.__set_applied(applied);
      return true;
    }
    if (table == nullptr) return refuse(idl::Code::NO_SUCH_TABLE, "no such table here");
    const bool follows = IsFollower(*tablet, name_);
    if (tablet->primary != name_ && !(follows && FollowerServes(state.faults, name_, request, read, *table, key))) {
      ++state.requests.counts.wrong_place;
      if (state.faults.hints) {
        idl::Hint hint;
        hint.tabletId = tablet->id;
        hint.range = rpc::ToIdl(tablet->range);
        hint.epoch = tablet->epoch;
        hint.primary = tablet->primary;
        hint.__set_endpoint(rpc::ToIdl(state.endpoints[tablet->primary]));
        reply.__set_hint(hint);
      }
      return refuse(follows ? idl::Code::NOT_PRIMARY : idl::Code::WRONG_TABLET, "not here");
    }
    reply.__set_applied(applied);
    const bool in_session = read != nullptr && read->level == idl::ReadLevel::SESSION;
    if (const Version* lost = in_session ? LostOf(state.faults, request, key) : nullptr) {
      return refuse(idl::Code::LOST_WRITE, "version " + lost->ToString() + " was rolled back by a failover");
    }
    served.records = &state.faults.RecordsAt(name_, *table);
    if (request.tabletId != tablet->id || request.epoch != tablet->epoch || tablet->split) {
      reply.__set_tabletId(tablet->id);
      reply.__set_epoch(tablet->epoch);
      reply.__set_range(rpc::ToIdl(tablet->range));
    }
    return false;
  }

  FakeCluster& cluster_;
  const ServerName name_;
};

}  // namespace

std::shared_ptr<idl::TabletServiceCobSvIf> MakeFakeTabletServer(FakeCluster& cluster, ServerName name) {
  return std::make_shared<FakeTabletServer>(cluster, std::move(name));
}

}  // namespace ebla::client::testing
