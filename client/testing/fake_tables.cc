#include "client/testing/fake_tables.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::client::testing {

FakeTablet& FakeTable::Join(const std::string& key, int64_t id) {
  FakeTablet& joined = At(key);
  const FakeTablet right = tablets.at(joined.range.end);
  tablets.erase(right.range.start);
  joined.id = id;
  joined.range.end = right.range.end;
  joined.epoch = std::max(joined.epoch, right.epoch) + 1;
  return joined;
}

int64_t FakeTables::Add(const std::string& name, const std::vector<std::string>& split_points, size_t replicas) {
  FakeTable table;
  table.id = NextId();
  table.name = name;
  table.options.__set_replicas(static_cast<int32_t>(replicas));
  std::string start;
  for (size_t i = 0; i <= split_points.size(); ++i) {
    const std::string end = i < split_points.size() ? split_points[i] : "";
    FakeTablet tablet{NextId(), {start, end}, 1, servers_[i % servers_.size()], {}, {}};
    for (size_t r = 0; r < std::min(replicas, servers_.size()); ++r) {
      tablet.voters.push_back(servers_[(i + r) % servers_.size()]);
    }
    table.tablets[start] = std::move(tablet);
    start = end;
  }
  const int64_t id = table.id;
  tables_[name] = std::move(table);
  return id;
}

void FakeTables::Split(const std::string& table, const std::string& key) {
  FakeTable& where = Named(table);
  FakeTablet& left = where.At(key);
  if (left.range.start == key) return;
  FakeTablet right = left;
  right.id = NextId();
  right.range = {key, left.range.end};
  left.range.end = key;
  left.split = true;
  where.tablets[key] = std::move(right);
}

void FakeTables::Merge(const std::string& table, const std::string& key) {
  FakeTable& where = Named(table);
  if (!where.At(key).range.end.empty()) where.Join(key, NextId());
}

void FakeTables::Move(const std::string& table, const std::string& key, const ServerName& to) {
  FakeTablet& tablet = At(table, key);
  if (std::ranges::find(tablet.voters, to) == tablet.voters.end()) {
    std::ranges::replace(tablet.voters, tablet.primary, to);
  }
  tablet.primary = to;
  ++tablet.epoch;
}

void FakeTables::Put(const std::string& table, const std::string& key, const std::string& value) {
  Named(table).records[key] = {value, NextVersion(1), 0};
}

FakeTable& FakeTables::Named(const std::string& name) {
  const auto found = tables_.find(name);
  CHECK(found != tables_.end()) << "the test names a table that it did not make: " << name;
  return found->second;
}

FakeTable* FakeTables::ById(int64_t id) {
  for (auto& [name, table] : tables_) {
    if (table.id == id) return &table;
  }
  return nullptr;
}

std::vector<FakeTablet> FakeTables::Tablets(const std::string& table) {
  std::vector<FakeTablet> tablets;
  for (const auto& [start, tablet] : Named(table).tablets) tablets.push_back(tablet);
  return tablets;
}

std::map<std::string, std::string> FakeTables::Data(const std::string& table) {
  std::map<std::string, std::string> data;
  for (const auto& [key, record] : Named(table).records) data[key] = record.value;
  return data;
}

idl::Version FakeTables::NextVersion(int64_t epoch) {
  idl::Version version;
  version.epoch = epoch;
  version.lsn = ++last_lsn_;
  return version;
}

}  // namespace ebla::client::testing
