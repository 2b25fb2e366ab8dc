// Holders of a lock that follow one another, and those that do not.
#include "tests/chaos/verdicts/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Hold::Moment At(int ms) { return Hold::Moment() + milliseconds(1'000 + ms); }

Hold Make(const char* client, int asked, int acquired) {
  return {.client = client, .asked = At(asked), .acquired = At(acquired), .lease = milliseconds(100)};
}

TEST(Leases, OneAfterTheOther) {
  Leases leases;
  Hold first = Make("a", 0, 10);
  first.given_back = At(40);
  leases.Held(first);
  leases.Held(Make("b", 20, 45));   // asked before it was given back
  leases.Held(Make("c", 50, 130));  // got it when the lease was over
  EXPECT_THAT(leases.Judge(), IsEmpty());
}

TEST(Leases, TwoAtOnceShow) {
  Leases leases;
  leases.Held(Make("a", 0, 10));
  leases.Held(Make("b", 20, 80));
  EXPECT_THAT(leases.Judge(), ElementsAre(HasSubstr("b got it 80 ms after a had asked for it")));
}

TEST(Leases, TwoThatAskedAtTheSameTimeShow) {
  Leases leases;
  leases.Held(Make("a", 0, 30));
  leases.Held(Make("b", 10, 20));
  EXPECT_THAT(leases.Judge(), ElementsAre(HasSubstr("b got it")));
}

TEST(Leases, WhoIsAnsweredLateMayHaveHadItBefore) {
  Leases leases;
  Hold first = Make("a", 0, 60);
  leases.Held(first);
  Hold second = Make("b", 10, 20);
  second.given_back = At(30);
  leases.Held(second);
  EXPECT_THAT(leases.Judge(), IsEmpty());
}

TEST(Leases, ALossBeforeItsTimeShows) {
  Leases leases;
  Hold hold = Make("a", 0, 10);
  hold.lost = At(90);
  leases.Held(hold);
  EXPECT_THAT(leases.Judge(), ElementsAre(HasSubstr("a lost it 90 ms after")));
  Leases later;
  hold.lost = At(100);
  later.Held(hold);
  EXPECT_THAT(later.Judge(), IsEmpty());
}

}  // namespace
}  // namespace ebla::chaos
