// tabletserver/testing/merge_fixture.h
// For tests of merges: two tablets that meet at "m", of one lineage or of two, on servers of two shards each, and the
// orders that merge them.
// Threads: everything on one.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tabletserver/testing/lineage_fixture.h"

namespace ebla::tabletserver {

class MergeFixture : public LineageFixture {
 protected:
  static constexpr int64_t kLeft = kTablet;
  static constexpr int64_t kInto = kTablet + 128;

  void SetUp() override {
    shards_ = 2;
    LineageFixture::SetUp();
  }
  void LeadBoth(std::vector<std::string> voters) {
    voters_ = std::move(voters);
    ASSERT_TRUE(Configure(1, {"ts-1", voters_, {}, kLeft, "", "m", true}));
    ASSERT_TRUE(Configure(1, {"ts-1", voters_, {}, right_, "m", "", true}));
    ASSERT_TRUE(Serves("ts-1", kLeft) && Serves("ts-1", right_));
    ASSERT_EQ(Write("ts-1", {PutOf("a", "1")}).header.code, idl::Code::OK);
    ASSERT_EQ(Write("ts-1", {PutOf("p", "1")}).header.code, idl::Code::OK);
  }
  static idl::MergedTablet PartOf(int64_t tablet, std::string start, std::string end, const idl::LogPosition& freeze) {
    idl::MergedTablet part;
    part.tabletId = tablet;
    part.range.startKey = std::move(start);
    part.range.endKey = std::move(end);
    part.freeze = freeze;
    return part;
  }
  static idl::Merged MergedOf(idl::MergedTablet left, idl::MergedTablet right) {
    idl::Merged merged;
    merged.position.epoch = std::max(left.freeze.epoch, right.freeze.epoch) + 1;
    merged.position.lsn = std::max(left.freeze.lsn, right.freeze.lsn) + 1;
    merged.left = std::move(left);
    merged.right = std::move(right);
    return merged;
  }
  void FreezeBoth() {
    const idl::FreezeResult left = Freeze("ts-1", 1, kLeft, kInto), right = Freeze("ts-1", 1, right_, kInto);
    ASSERT_EQ(left.status.code, idl::Code::OK) << left.status.message;
    ASSERT_EQ(right.status.code, idl::Code::OK) << right.status.message;
    merged_ = MergedOf(PartOf(kLeft, "", "m", left.freeze), PartOf(right_, "m", "", right.freeze));
  }
  Roles RolesOf(const std::string& primary) { return {primary, voters_, {}, kInto, "", "", false, merged_}; }
  void Merge() {
    FreezeBoth();
    ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
    ASSERT_TRUE(Serves("ts-1", kInto));
  }
  Version LastLogged(const std::string& server, int64_t tablet) {
    const auto log =
        at(server).store->ReadLog(TabletId{static_cast<uint64_t>(tablet)}, Lsn{1}, Lsn{UINT64_MAX}, SIZE_MAX);
    return log && !log->empty() ? log->back().version : Version{};
  }

  int64_t right_ = kTablet + 1;
  std::vector<std::string> voters_;
  idl::Merged merged_;
};

}  // namespace ebla::tabletserver
