// Elections over all three coordinators.
#include "common/coordination/election.h"

#include <algorithm>

#include "common/coordination/conformance.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/master_types.h"

namespace ebla::coordination {
namespace {

class ElectionTest : public Conformance {
 protected:
  struct Master {
    std::unique_ptr<LeaderElection> election;
    std::vector<Role> roles;
    uint64_t term() const { return election->leading() != nullptr ? election->leading()->term : 0; }
  };

  std::unique_ptr<Master> Enter(Coordinator& client, const std::string& name) {
    auto master = std::make_unique<Master>();
    master->election = std::make_unique<LeaderElection>(
        client, harness_->executor(), Candidate{name, {"127.0.0.1", static_cast<uint16_t>(7400 + name.back())}},
        [m = master.get()](const Role& role) { m->roles.push_back(role); });
    return master;
  }
  bool Leads(const Master& master) { return master.election->leading() != nullptr; }
  bool Follows(const Master& master, const std::string& leader) {
    const auto* following = std::get_if<Following>(&master.election->role());
    return following != nullptr && following->leader && following->leader->name == leader;
  }
  idl::TermNode Term() {
    const auto node = Get(*b_, layout::kTerm);
    EXPECT_TRUE(node.has_value());
    return *DecodeNode<idl::TermNode>(node->data, layout::kTerm);
  }
};

TEST_P(ElectionTest, TheFirstLeadsAndTheOtherFollows) {
  const auto a = Enter(*a_, "master-1");
  EXPECT_TRUE(a->roles.empty()) << "never called from the constructor";
  ASSERT_TRUE(RunUntil([&] { return Leads(*a); }));
  const auto b = Enter(*b_, "master-2");
  ASSERT_TRUE(RunUntil([&] { return Follows(*b, "master-1"); }));
  EXPECT_EQ(std::get<Following>(b->election->role()).leader->endpoint.port, 7400 + '1');
  EXPECT_EQ(a->term(), 1u);
  EXPECT_EQ(Term().leader, "master-1");
  EXPECT_EQ(Get(*b_, layout::kTerm)->version, a->election->leading()->term_version);
  const auto candidates = Wait<Result<std::vector<Candidate>>>([&](auto done) { ListCandidates(*b_, done); });
  ASSERT_EQ(candidates->size(), 2u);
  EXPECT_EQ(candidates->front().name, "master-1");
}

TEST_P(ElectionTest, WhenTheLeaderDiesTheNextOneLeadsAHigherTermAndTheOldTermIsFenced) {
  auto a = Enter(*a_, "master-1");
  ASSERT_TRUE(RunUntil([&] { return Leads(*a); }));
  const Leading old = *a->election->leading();
  const auto b = Enter(*b_, "master-2");
  ASSERT_TRUE(RunUntil([&] { return Follows(*b, "master-1"); }));
  a->election.reset();
  a_.reset();
  ASSERT_TRUE(RunUntil([&] { return Leads(*b); }));
  EXPECT_EQ(b->term(), old.term + 1);
  // Late requests of the dead leader change nothing.
  const auto late = Multi(*b_, {Op::Check(layout::kTerm, old.term_version), Op::Create("/tables", "")});
  EXPECT_EQ(late.error().status.code(), Code::kConditionFailed);
  Do(*b_, Op::Check(layout::kTerm, b->election->leading()->term_version));
  // It returns, and follows; its successor is not disturbed.
  const size_t roles = b->roles.size();
  a_ = harness_->NewClient();
  a = Enter(*a_, "master-1");
  ASSERT_TRUE(RunUntil([&] { return Follows(*a, "master-2"); }));
  EXPECT_TRUE(Leads(*b));
  EXPECT_EQ(b->roles.size(), roles);
}

TEST_P(ElectionTest, ResigningHandsOverAtOnce) {
  const auto a = Enter(*a_, "master-1");
  ASSERT_TRUE(RunUntil([&] { return Leads(*a); }));
  const auto b = Enter(*b_, "master-2");
  ASSERT_TRUE(RunUntil([&] { return Follows(*b, "master-1"); }));
  bool resigned = false;
  a->election->Resign([&] { resigned = true; });
  EXPECT_FALSE(Leads(*a));
  ASSERT_TRUE(RunUntil([&] { return resigned && Leads(*b); }));
  EXPECT_EQ(b->term(), 2u);
}

TEST_P(ElectionTest, ManyCandidatesTakeTurnsAndTermsOnlyGrow) {
  std::vector<std::unique_ptr<Coordinator>> clients;
  std::vector<std::unique_ptr<Master>> masters;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(harness_->NewClient());
    masters.push_back(Enter(*clients.back(), "master-" + std::to_string(i)));
  }
  uint64_t last = 0;
  while (!masters.empty()) {
    const auto leader = [&] { return std::ranges::find_if(masters, [&](const auto& m) { return Leads(*m); }); };
    ASSERT_TRUE(RunUntil([&] { return leader() != masters.end(); }));
    EXPECT_EQ(std::ranges::count_if(masters, [&](const auto& m) { return Leads(*m); }), 1);
    const auto at = leader();
    EXPECT_GT((*at)->term(), last);
    last = (*at)->term();
    const auto index = at - masters.begin();
    masters.erase(at);
    clients.erase(clients.begin() + index);
  }
}

TEST_P(ElectionTest, ALeaderWhoseElectionNodeIsRemovedEntersAnew) {
  const auto a = Enter(*a_, "master-1");
  ASSERT_TRUE(RunUntil([&] { return Leads(*a); }));
  const auto b = Enter(*b_, "master-2");
  ASSERT_TRUE(RunUntil([&] { return Follows(*b, "master-1"); }));
  const auto names = Children(*b_, layout::kElection);
  for (const std::string& name : *names) {
    const std::string path = std::string(layout::kElection) + "/" + name;
    if (Get(*b_, path)->session == a_->session()) Do(*b_, Op::Delete(path, kAnyVersion));
  }
  ASSERT_TRUE(RunUntil([&] { return Leads(*b) && Follows(*a, "master-2"); }));
}

TEST_P(ElectionTest, AnotherTermDeposesTheLeader) {
  const auto a = Enter(*a_, "master-1");
  ASSERT_TRUE(RunUntil([&] { return Leads(*a); }));
  idl::TermNode usurper = Term();
  usurper.term = 41;
  usurper.leader = "master-9";
  Do(*b_, Op::Set(layout::kTerm, EncodeNode(usurper), kAnyVersion));
  // It is still first in line, so it leads again, above that term.
  ASSERT_TRUE(RunUntil([&] { return a->term() == 42; }));
  EXPECT_TRUE(std::ranges::any_of(a->roles, [](const Role& role) { return std::holds_alternative<Following>(role); }));
}

TEST_P(ElectionTest, TheEndOfTheSessionEndsLeadershipAndABriefDisconnectionDoesNot) {
  if (!harness_->has_faults()) GTEST_SKIP() << "its sessions end with the process only";
  const auto a = Enter(*a_, "master-1");
  ASSERT_TRUE(RunUntil([&] { return Leads(*a); }));
  const auto b = Enter(*b_, "master-2");
  ASSERT_TRUE(RunUntil([&] { return Follows(*b, "master-1"); }));
  const size_t roles = a->roles.size();
  harness_->Cut(*a_);
  ASSERT_TRUE(RunUntil([&] { return a_->state() == SessionState::kConnecting; }));
  EXPECT_TRUE(Leads(*a)) << "every change it makes checks its term";
  harness_->Mend(*a_);
  AwaitConnected(*a_);
  EXPECT_EQ(a->roles.size(), roles);

  ExpireSession(*a_, *b_);
  ASSERT_TRUE(RunUntil([&] { return Leads(*b) && Follows(*a, "master-2"); }));
  EXPECT_EQ(b->term(), 2u);
}

EBLA_OVER_ALL_COORDINATORS(ElectionTest);

}  // namespace
}  // namespace ebla::coordination
