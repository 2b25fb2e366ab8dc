#include "tabletserver/tablet/dedup_window.h"

#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kClientBytes = 160;  // what a client costs besides its rows, about
// Rows below a client's first incomplete sequence go this many at a time: one write in so many erases in the store.
constexpr size_t kEraseStep = 8;

size_t RowBytes(const DedupRow& row) {
  return sizeof(DedupRow) + 64 + row.outcome.message.size() + row.outcome.counters.size() * sizeof(int64_t);
}

DedupRow RowOf(const LogEntry& entry) {
  DedupRow row;
  row.client = entry.client;
  row.sequence = entry.sequence;
  row.first_incomplete = entry.first_incomplete;
  row.time = entry.time;
  row.request_digest = entry.request_digest;
  row.version = entry.version;
  row.level = entry.level;
  row.outcome = entry.outcome;
  return row;
}

auto NodeOf(DedupRow row) {
  std::map<Sequence, DedupRow> one;
  const Sequence sequence = row.sequence;
  return one.extract(one.emplace(sequence, std::move(row)).first);
}

bool HasRow(const LogEntry& entry) { return entry.kind == EntryKind::kWrite && entry.client; }

}  // namespace

DedupWindow::DedupWindow(DedupLimits limits, std::vector<DedupRow> rows, TabletTime floor)
    : limits_(limits), floor_(floor) {
  // In the order of the log, so that clients stand by age as when the rows were made.
  std::stable_sort(rows.begin(), rows.end(), [](const DedupRow& a, const DedupRow& b) { return a.time < b.time; });
  for (DedupRow& row : rows) Put(NodeOf(std::move(row)));
}

std::vector<DedupRow> DedupWindow::Rows() const {
  std::vector<DedupRow> rows;
  for (const auto& [id, client] : clients_) {
    for (const auto& [sequence, row] : client.rows) rows.push_back(row);
  }
  return rows;
}

const DedupRow* DedupWindow::FindPending(ClientId client, Sequence sequence) const {
  const auto found = pending_.find(client);
  if (found == pending_.end()) return nullptr;
  const auto row = found->second.rows.find(sequence);
  return row == found->second.rows.end() ? nullptr : &row->second;
}

const DedupRow* DedupWindow::Find(ClientId client, Sequence sequence) const {
  if (const DedupRow* pending = FindPending(client, sequence)) return pending;
  const auto found = clients_.find(client);
  if (found == clients_.end()) return nullptr;
  const auto row = found->second.rows.find(sequence);
  return row == found->second.rows.end() ? nullptr : &row->second;
}

// Below it the client has said that it is done, in anything logged so far.
Sequence DedupWindow::FirstIncomplete(ClientId client) const {
  Sequence first;
  if (const auto found = clients_.find(client); found != clients_.end()) first = found->second.first_incomplete;
  if (const auto found = pending_.find(client); found != pending_.end()) {
    first = std::max(first, found->second.first_incomplete);
  }
  return first;
}

DedupWindow::Verdict DedupWindow::Ask(const WriteIdentity& identity, TabletTime now) const {
  const auto refuse = [](Code code, std::string message, int64_t retry_after_ms = -1) {
    return Refused{Status(code, std::move(message)), retry_after_ms};
  };
  if (!identity.client || !identity.first_incomplete || identity.sequence < identity.first_incomplete) {
    return refuse(
        Code::kInvalidArgument,
        "a write needs a client id, and a sequence at or above its first incomplete sequence, which is at least 1");
  }
  const DedupRow* row = Find(identity.client, identity.sequence);
  if (row != nullptr) {
    if (row->request_digest == identity.digest || !rules::RetryIsTheSameRequest()) return Seen{row};
    return refuse(Code::kInvalidArgument, "sequence " + std::to_string(identity.sequence.value) +
                                              " was used by another request of this client");
  }

  const Sequence first = std::max(FirstIncomplete(identity.client), identity.first_incomplete);
  if (identity.sequence < first && rules::FinishedSequencesAreRefused()) {
    return refuse(Code::kInvalidArgument, "sequence " + std::to_string(identity.sequence.value) +
                                              " is below the first incomplete one, " + std::to_string(first.value));
  }
  if (!identity.learnt) {
    return refuse(Code::kComeAgain,
                  "a write needs a tablet time learnt before its first attempt: send it again with the tabletTimeMs of "
                  "this answer",
                  0);
  }
  if (identity.learnt > now && rules::FutureTimesAreRefused()) {
    return refuse(Code::kComeAgain, "the write's tablet time is later than the tablet's clock",
                  static_cast<int64_t>(std::min<uint64_t>(identity.learnt.value - now.value, 1000)));
  }
  const bool forgotten =
      identity.learnt <= floor_ || identity.learnt.value + static_cast<uint64_t>(limits_.window_ms) < now.value;
  if (forgotten && rules::ForgottenWritesAreRefused()) {
    return refuse(Code::kUnknownOutcome,
                  "the write is older than the dedup window: this attempt was not executed, but an earlier one may "
                  "have been; if there was none, send it again with the tabletTimeMs of this answer");
  }
  if (identity.sequence >= first && identity.sequence.value - first.value >= limits_.sequences_per_client_max) {
    return refuse(Code::kComeAgain,
                  "sequence " + std::to_string(identity.sequence.value) +
                      " is too far above the first incomplete one, " + std::to_string(first.value),
                  10);
  }
  return New{};
}

void DedupWindow::Appended(const LogEntry& entry) {
  if (entry.kind == EntryKind::kFloor) pending_floors_.push_back(entry.version.lsn);
  if (!HasRow(entry)) return;
  DedupRow row = RowOf(entry);
  bytes_ += RowBytes(row);
  pending_bytes_ += RowBytes(row);
  pending_order_.push_back({entry.version.lsn, entry.client, entry.sequence});
  PendingClient& client = pending_[entry.client];
  client.first_incomplete = std::max(client.first_incomplete, row.first_incomplete);
  client.rows.insert_or_assign(entry.sequence, std::move(row));
}

DedupWindow::RowMap::node_type DedupWindow::TakePending(const PendingPlace& place) {
  const auto client = pending_.find(place.client);
  CHECK(client != pending_.end());
  const auto row = client->second.rows.find(place.sequence);
  CHECK(row != client->second.rows.end());
  bytes_ -= RowBytes(row->second);
  pending_bytes_ -= RowBytes(row->second);
  RowMap::node_type node = client->second.rows.extract(row);
  if (client->second.rows.empty()) pending_.erase(client);
  return node;
}

void DedupWindow::RemoveAbove(Lsn last) {
  while (!pending_order_.empty() && pending_order_.back().lsn > last) {
    const ClientId client = pending_order_.back().client;
    TakePending(pending_order_.back());
    pending_order_.pop_back();
    // The entry's result is forgotten.
    const auto left = pending_.find(client);
    if (left == pending_.end()) continue;
    left->second.first_incomplete = {};
    for (const auto& [sequence, row] : left->second.rows) {
      left->second.first_incomplete = std::max(left->second.first_incomplete, row.first_incomplete);
    }
  }
  while (!pending_floors_.empty() && pending_floors_.back() > last) pending_floors_.pop_back();
}

void DedupWindow::Apply(const LogEntry& entry) {
  const Lsn lsn = entry.version.lsn;
  RowMap::node_type row;
  if (!pending_order_.empty() && pending_order_.front().lsn <= lsn) {
    CHECK(pending_order_.front().lsn == lsn);
    row = TakePending(pending_order_.front());
    pending_order_.pop_front();
  }
  if (!pending_floors_.empty() && pending_floors_.front() <= lsn) pending_floors_.pop_front();

  if (entry.kind == EntryKind::kFloor) floor_ = std::max(floor_, entry.floor_time);
  // Expired, or below the floor: whole clients, the longest silent first. The rows of a client are evicted together, so
  // that its first incomplete sequence is remembered as long as any of its results.
  const auto window_ms = static_cast<uint64_t>(limits_.window_ms);
  while (!by_age_.empty()) {
    const ClientId oldest = by_age_.front();
    const TabletTime last = clients_.at(oldest).last;
    if (last > floor_ && last.value + window_ms >= entry.time.value) break;
    EraseClient(oldest);
  }

  if (!HasRow(entry)) return;
  Put(row.empty() ? NodeOf(RowOf(entry)) : std::move(row));
  touched_.emplace_back(entry.client, entry.sequence);
  Client& client = clients_.at(entry.client);
  if (client.rows.size() % kEraseStep == 0 && client.rows.begin()->first < client.first_incomplete) {
    EraseBelow(client, client.first_incomplete);
  }
}

DedupChange DedupWindow::TakeChange() {
  DedupChange change;
  std::ranges::sort(touched_);
  touched_.erase(std::ranges::unique(touched_).begin(), touched_.end());
  for (const auto& [id, sequence] : touched_) {
    const auto client = clients_.find(id);
    const bool present = client != clients_.end() && client->second.rows.contains(sequence);
    if (present) {
      change.put.push_back(client->second.rows.at(sequence));
    } else {
      change.erase.emplace_back(id, sequence);
    }
  }
  touched_.clear();
  return change;
}

void DedupWindow::Put(RowMap::node_type node) {
  const DedupRow& row = node.mapped();
  const auto [at, is_new] = clients_.try_emplace(row.client);
  Client& client = at->second;
  if (is_new) {
    client.age = by_age_.insert(by_age_.end(), row.client);
    client.bytes = kClientBytes;
    bytes_ += kClientBytes;
  } else {
    by_age_.splice(by_age_.end(), by_age_, client.age);
  }
  client.last = std::max(client.last, row.time);
  client.first_incomplete = std::max(client.first_incomplete, row.first_incomplete);
  if (const auto old = client.rows.find(row.sequence); old != client.rows.end()) {
    client.bytes -= RowBytes(old->second);
    bytes_ -= RowBytes(old->second);
    client.rows.erase(old);
  }
  client.bytes += RowBytes(row);
  bytes_ += RowBytes(row);
  client.rows.insert(std::move(node));
}

void DedupWindow::EraseBelow(Client& client, Sequence below) {
  while (!client.rows.empty() && client.rows.begin()->first < below) {
    const size_t bytes = RowBytes(client.rows.begin()->second);
    client.bytes -= bytes;
    bytes_ -= bytes;
    touched_.emplace_back(client.rows.begin()->second.client, client.rows.begin()->first);
    client.rows.erase(client.rows.begin());
  }
}

void DedupWindow::EraseClient(ClientId id) {
  const auto at = clients_.find(id);
  for (const auto& [sequence, row] : at->second.rows) touched_.emplace_back(id, sequence);
  bytes_ -= at->second.bytes;
  by_age_.erase(at->second.age);
  clients_.erase(at);
}

std::optional<TabletTime> DedupWindow::FloorToLog() const {
  // Only applied rows go by a floor. Counting the pending ones would forget young clients for what is about to be
  // applied anyway; they are bounded by the unapplied writes.
  size_t left = bytes_ - pending_bytes_;
  if (left <= limits_.bytes_max || !pending_floors_.empty()) return std::nullopt;
  // Down to three quarters, so that not every write logs a floor.
  const size_t target = limits_.bytes_max / 4 * 3;
  std::optional<TabletTime> floor;
  for (const ClientId id : by_age_) {
    if (left <= target) break;
    const Client& client = clients_.at(id);
    left -= std::min(left, client.bytes);
    floor = client.last;
  }
  return floor;
}

}  // namespace ebla::tabletserver
