// client/testing/fake_tables.h
// The tables of a FakeCluster: their tablets, the tablets' primaries, and their records. It knows nothing of requests.
// Threads: compatible; FakeCluster's lock guards it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "idl/master_types.h"
#include "idl/tablet_types.h"

namespace ebla::client::testing {

struct FakeTablet {
  int64_t id = 0;
  KeyRange range;
  int64_t epoch = 1;
  ServerName primary;
  std::vector<ServerName> voters;  // the primary among them
  std::vector<ServerName> learners;
  bool split = false;    // its answers name its range, as in production
  int64_t ahead_ms = 0;  // of its tablet time before the cluster's
  bool told = true;      // the master knows its time
};

struct FakeRecord {
  std::string value;
  idl::Version version;
  int64_t expires_ms = 0;
};
using FakeRecords = std::map<std::string, FakeRecord>;

struct FakeTable {
  int64_t id = 0;
  std::string name;
  idl::TableOptions options;
  std::map<std::string, FakeTablet> tablets;  // by range.start
  FakeRecords records;
  std::map<ServerName, std::vector<idl::KeptWrite>> unresolved;  // that a server keeps beside it

  FakeTablet& At(const std::string& key) { return std::prev(tablets.upper_bound(key))->second; }
  // The tablet that holds `key` and its right neighbour, which there is, become one of this id at a greater epoch.
  FakeTablet& Join(const std::string& key, int64_t id);
};

class FakeTables {
 public:
  explicit FakeTables(std::vector<ServerName> servers) : servers_(std::move(servers)) {}

  // Each tablet is led by the next server; those after it are its followers.
  int64_t Add(const std::string& name, const std::vector<std::string>& split_points, size_t replicas = 1);
  void Drop(const std::string& name) { tables_.erase(name); }
  // Tablets go on in the same epoch; the right half gets a new id, as in production.
  void Split(const std::string& table, const std::string& key);
  // The tablet that holds `key` and its right neighbour become one of a new id, at a greater epoch.
  void Merge(const std::string& table, const std::string& key);
  void Move(const std::string& table, const std::string& key, const ServerName& to);
  void Put(const std::string& table, const std::string& key, const std::string& value);

  bool Has(const std::string& name) const { return tables_.contains(name); }
  FakeTable& Named(const std::string& name);
  FakeTable* ById(int64_t id);
  FakeTablet& At(const std::string& table, const std::string& key) { return Named(table).At(key); }
  std::vector<FakeTablet> Tablets(const std::string& table);
  std::map<std::string, std::string> Data(const std::string& table);
  const std::map<std::string, FakeTable>& all() const { return tables_; }

  const std::vector<ServerName>& servers() const { return servers_; }
  int64_t NextId() { return ++last_id_; }
  int64_t last_lsn() const { return last_lsn_; }
  idl::Version NextVersion(int64_t epoch);

 private:
  const std::vector<ServerName> servers_;
  std::map<std::string, FakeTable> tables_;
  int64_t last_id_ = 0;
  int64_t last_lsn_ = 0;
};

}  // namespace ebla::client::testing
