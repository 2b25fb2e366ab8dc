// Servers that compare their replicas with each other, in virtual time, and what they report to the master.
#include "tabletserver/maintenance/replica_comparer.h"

#include <gmock/gmock.h>

#include "common/rpc/idl_convert.h"
#include "tabletserver/testing/records_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Holder = ReplicaAsker::Holder;

class ReplicaComparerTest : public RecordsFixture {
 protected:
  // Another value under the same version.
  void Spoil(const std::string& server, const std::string& key, const std::string& value = "wrong") {
    StoredRecord wrong;
    wrong.value = value;
    wrong.version = at(server).store->Get(TableId{kTable}, key)->value().version;
    const std::pair<std::string, StoredRecord> record{key, wrong};
    ASSERT_TRUE(at(server).store->ReplaceInterval(TableId{kTable}, {key, KeyAfter(key)}, {&record, 1}).ok());
  }
  ReplicaComparer& Of(const std::string& name) {
    auto& comparer = comparers_[name];
    if (comparer != nullptr) return *comparer;
    const auto voters = [this](TableId, TabletId, const KeyRange&) -> Result<std::vector<Holder>> {
      std::vector<Holder> all;
      for (const std::string& one : names_) all.push_back({one, {}});
      return all;
    };
    const auto ask = [this](const Holder& holder, TableId, TabletId, const std::string& from) -> Result<RecordPage> {
      if (away_.contains(holder.server)) return Error(Code::kUnavailable, "it is away");
      before_answer_();
      const auto handle = Handle(holder.server);
      return ReadRecordPage(*at(holder.server).store, *handle, from);
    };
    const auto pause = [this](Duration duration) {
      paused_ += duration;
      in_pause_();
      if (duration > Duration{}) scheduler_.RunFor(duration);
      return !stopped_;
    };
    comparer = std::make_unique<ReplicaComparer>(
        ReplicaComparer::Ports{name, *at(name).store, at(name).server->directory(), voters, ask, pause},
        ReplicaComparer::Options());
    return *comparer;
  }
  std::shared_ptr<TabletHandle> Handle(const std::string& name) {
    return at(name).server->directory().snapshot()->Find(TableId{kTable}, TabletId{kTablet});
  }
  ReplicaComparer::Verdict PassAt(const std::string& name) {
    EXPECT_TRUE(Of(name).CompareAll([this](int64_t bytes) { return (paced_ += bytes) >= 0; }).ok());
    return Of(name).Of(Handle(name), *View(name));
  }

  std::set<std::string> away_;
  std::function<void()> before_answer_ = [] {}, in_pause_ = [] {};
  Duration paused_{};
  int64_t paced_ = 0;
  bool stopped_ = false;
  std::map<std::string, std::unique_ptr<ReplicaComparer>> comparers_;
};

TEST_F(ReplicaComparerTest, SoundReplicasAreEqualAndEachPassReadsAtItsPace) {
  Make({"ts-1", "ts-2", "ts-3"});
  for (const std::string& name : names_) {
    EXPECT_FALSE(PassAt(name).odd) << name;
    EXPECT_EQ(Of(name).state().pages, 1u);
    EXPECT_EQ(Of(name).state().missed, 0u);
  }
  EXPECT_GT(paced_, 0);
}

TEST_F(ReplicaComparerTest, TheOddOneOfThreeSaysSoOfItselfWhoeverLeads) {
  Make({"ts-1", "ts-2", "ts-3"});
  for (const std::string& odd : names_) {
    Spoil(odd, "m");
    for (const std::string& name : names_) {
      const auto verdict = PassAt(name);
      EXPECT_EQ(verdict.odd, name == odd) << name << " of " << odd;
      EXPECT_THAT(verdict.others, IsEmpty());
    }
    EXPECT_EQ(Of(odd).state().odd, 1u);
    EXPECT_EQ(Of(odd).state().differences, 1u);
    Spoil(odd, "m", "value of m");
    EXPECT_FALSE(PassAt(odd).odd) << "equal again";
    EXPECT_EQ(Of(odd).state().odd, 0u);
    comparers_.clear();
  }
}

TEST_F(ReplicaComparerTest, TwoThatDifferBothSayWithWhom) {
  Make({"ts-1", "ts-2"});
  Spoil("ts-2", "a");
  EXPECT_THAT(PassAt("ts-1").others, ElementsAre("ts-2"));
  EXPECT_THAT(PassAt("ts-2").others, ElementsAre("ts-1"));
  EXPECT_FALSE(PassAt("ts-1").odd || PassAt("ts-2").odd);
  EXPECT_EQ(Of("ts-1").state().undecided, 1u);
}

TEST_F(ReplicaComparerTest, OneAloneHasNothingToCompare) {
  Make({"ts-1"});
  EXPECT_FALSE(PassAt("ts-1").odd);
  EXPECT_EQ(Of("ts-1").state().missed, 0u);
}

TEST_F(ReplicaComparerTest, OneDifferenceIsNotEnough) {
  Make({"ts-1", "ts-2", "ts-3"});
  Spoil("ts-2", "m");
  int answers = 0;
  // The replica equals its peers again before its second look.
  before_answer_ = [&] {
    if (++answers == 3) Spoil("ts-2", "m", "value of m");
  };
  EXPECT_FALSE(PassAt("ts-2").odd);
  EXPECT_EQ(Of("ts-2").state().differences, 0u);
  EXPECT_EQ(Of("ts-2").state().missed, 1u);
}

TEST_F(ReplicaComparerTest, IsFoundWhileOtherRecordsAreWritten) {
  Make({"ts-1", "ts-2", "ts-3"});
  Spoil("ts-3", "m");
  int64_t first = View("ts-1")->applied.lsn.value;
  // Deletes of nothing move the position, and change no page: so equal positions are rare.
  before_answer_ = [&] { Write("ts-1", {DeleteOf("nothing")}); };
  EXPECT_TRUE(PassAt("ts-3").odd);
  EXPECT_GT(static_cast<int64_t>(View("ts-1")->applied.lsn.value), first + 4);
  EXPECT_FALSE(PassAt("ts-1").odd);
}

TEST_F(ReplicaComparerTest, APageThatIsWrittenAllTheTimeIsLeftForTheNextPass) {
  Make({"ts-1", "ts-2", "ts-3"});
  int written = 0;
  before_answer_ = in_pause_ = [&] {
    Put("m", std::to_string(++written));
    Until([&] { return Level("ts-2", "ts-1") && Level("ts-3", "ts-1"); });
  };
  EXPECT_FALSE(PassAt("ts-2").odd);
  EXPECT_EQ(Of("ts-2").state().missed, 1u);
  EXPECT_EQ(Of("ts-2").state().differences, 0u);
  before_answer_ = in_pause_ = [] {};
  EXPECT_FALSE(PassAt("ts-2").odd);
  EXPECT_EQ(Of("ts-2").state().pages, 1u);
}

TEST_F(ReplicaComparerTest, WhereTheNextIsAwayTheOneAfterItIsAsked) {
  Make({"ts-1", "ts-2", "ts-3"});
  away_ = {"ts-2"};
  EXPECT_FALSE(PassAt("ts-1").odd);
  EXPECT_EQ(Of("ts-1").state().pages, 1u);
  Spoil("ts-3", "m");
  EXPECT_THAT(PassAt("ts-1").others, ElementsAre("ts-3")) << "of two nobody can tell";
  away_ = {};
  EXPECT_THAT(PassAt("ts-1").others, IsEmpty()) << "it is one of two that agree";
  EXPECT_TRUE(PassAt("ts-3").odd);
  away_ = {"ts-2", "ts-3"};
  PassAt("ts-1");
  EXPECT_GT(Of("ts-1").state().missed, 0u);
}

TEST_F(ReplicaComparerTest, EveryPageIsCompared) {
  Make({"ts-1", "ts-2", "ts-3"});
  const std::string large(900 << 10, 'x');
  for (const char* key : {"b", "c", "d", "e", "f", "g"}) Put(key, large);
  ASSERT_TRUE(AllLevel());
  PassAt("ts-2");
  EXPECT_EQ(Of("ts-2").state().pages, 2u);
  Spoil("ts-2", "z");  // on the last
  EXPECT_TRUE(PassAt("ts-2").odd);
}

// A record of one replica alone, beyond the last page of the second.
TEST_F(ReplicaComparerTest, ARecordTooManyIsFoundAtTheEnd) {
  Make({"ts-1", "ts-2", "ts-3"});
  StoredRecord extra;
  extra.value = "x";
  extra.version = {Epoch{1}, Lsn{2}};
  const std::pair<std::string, StoredRecord> record{"zz", extra};
  ASSERT_TRUE(at("ts-3").store->ReplaceInterval(TableId{kTable}, {"zz", "zzz"}, {&record, 1}).ok());
  EXPECT_TRUE(PassAt("ts-3").odd);
  EXPECT_FALSE(PassAt("ts-2").odd);
}

TEST_F(ReplicaComparerTest, AStopEndsAPass) {
  Make({"ts-1", "ts-2", "ts-3"});
  Spoil("ts-2", "m");
  stopped_ = true;
  EXPECT_FALSE(PassAt("ts-2").odd);
  EXPECT_EQ(Of("ts-2").state().pages + Of("ts-2").state().missed, 0u);
}

}  // namespace
}  // namespace ebla::tabletserver
