// The sampler's cuts of loads of many shapes, over virtual time.
#include "tabletserver/reads/key_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <random>

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using FindingKind = SplitFinding::Kind;

std::string Key(uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "user%08llu", static_cast<unsigned long long>(number));
  return text;
}

class KeySamplerTest : public ::testing::Test {
 protected:
  using Load = std::function<TouchedKey()>;

  // A second's keys at a time, as a busy tablet's heartbeats bring them.
  void RunFor(int seconds, const Load& load, size_t per_second = LoadMeter::kKeysPerSecond) {
    for (int second = 0; second < seconds; ++second) {
      std::vector<TouchedKey> keys;
      for (size_t i = 0; i < per_second; ++i) keys.push_back(load());
      now_ = now_ + 1s;
      sampler_.Take(keys, now_);
    }
  }
  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(chance_); }
  bool Chance(double part) { return std::bernoulli_distribution(part)(chance_); }
  Load UniformReads(uint64_t from, uint64_t keys) {
    return [this, from, keys] { return TouchedKey{Key(from + Below(keys)), false}; };
  }
  // The part of the load that lies at `key` and above.
  double RightOf(const std::string& key, const Load& load) {
    int right = 0;
    for (int i = 0; i < 20'000; ++i) right += load().key >= key ? 1 : 0;
    return right / 20'000.0;
  }
  // It is cut by a key that halves the load within a quarter (3 to 5, at the most); some room for chance.
  void ExpectHalved(const Load& load) {
    const SplitFinding found = sampler_.Find();
    ASSERT_EQ(found.kind, FindingKind::kKey);
    EXPECT_NEAR(RightOf(found.key, load), 0.5, 0.125 + 0.04) << found.key;
  }

  std::mt19937_64 chance_{7};
  MonotonicTime now_{1000s};
  KeySampler sampler_{1};
};

TEST_F(KeySamplerTest, SaysNothingOfTooFewKeys) {
  EXPECT_EQ(sampler_.Find().kind, FindingKind::kNoKey);
  RunFor(60, UniformReads(0, 10'000), 5);
  const SplitFinding found = sampler_.Find();
  EXPECT_EQ(found.kind, FindingKind::kNoKey);
  EXPECT_TRUE(found.key.empty());
  EXPECT_TRUE(found.popular_key.empty());
}

TEST_F(KeySamplerTest, HalvesAnEvenLoadAtEveryMoment) {
  const Load load = UniformReads(0, 1'000'000);
  RunFor(5, load);
  for (int second = 0; second < 120; ++second) {
    RunFor(1, load);
    ExpectHalved(load);
    EXPECT_LT(sampler_.Find().key.size(), Key(0).size()) << "no longer than it takes to tell neighbours apart";
    EXPECT_EQ(sampler_.Find().popular_key, "");
  }
}

TEST_F(KeySamplerTest, HalvesAZipfianLoadOverOrderedKeys) {
  std::vector<double> weights;
  for (int rank = 1; rank <= 10'000; ++rank) weights.push_back(std::pow(rank, -0.99));
  std::discrete_distribution<uint64_t> zipfian(weights.begin(), weights.end());
  const Load load = [&] { return TouchedKey{Key(zipfian(chance_)), Chance(0.5)}; };
  RunFor(20, load);
  ExpectHalved(load);
  const SplitFinding found = sampler_.Find();
  EXPECT_EQ(found.popular_key, Key(0));
  EXPECT_NEAR(found.part, 0.1, 0.04);
}

// YCSB's zipfian over hashed records: the most popular one takes a twenty-fifth.
TEST_F(KeySamplerTest, TheTopKeyOfAScatteredLoadIsNotLost) {
  const Load load = [this] { return TouchedKey{Key(Chance(0.04) ? 777'777 : Below(1'000'000)), false}; };
  RunFor(60, load);
  for (int second = 0; second < 60; ++second) {
    RunFor(1, load);
    ASSERT_EQ(sampler_.Find().popular_key, Key(777'777));
    ASSERT_NEAR(sampler_.Find().part, 0.04, 0.035);
  }
  ExpectHalved(load);
  RunFor(60, UniformReads(0, 1'000'000));
  EXPECT_EQ(sampler_.Find().popular_key, "");
}

TEST_F(KeySamplerTest, HalvesTwoHotRangesBetweenThem) {
  const Load load = [this] { return TouchedKey{Key(Chance(0.5) ? 1'000 + Below(100) : 800'000 + Below(100)), false}; };
  RunFor(20, load);
  ExpectHalved(load);
}

TEST_F(KeySamplerTest, FollowsALoadThatMoves) {
  const Load before = UniformReads(0, 1'000);
  const Load after = UniformReads(500'000, 1'000);
  RunFor(60, before);
  ExpectHalved(before);
  RunFor(20, after);
  ExpectHalved(after);
}

TEST_F(KeySamplerTest, NamesAPopularKey) {
  const Load load = [this] { return TouchedKey{Key(Chance(0.7) ? 5'000 : Below(10'000)), false}; };
  RunFor(20, load);
  const SplitFinding found = sampler_.Find();
  EXPECT_EQ(found.kind, FindingKind::kPopularKey);
  EXPECT_EQ(found.popular_key, Key(5'000));
  EXPECT_NEAR(found.part, 0.7, 0.06);
  EXPECT_TRUE(found.key.empty());
}

TEST_F(KeySamplerTest, APopularKeyAtTheEdgeOfTheMiddleIsNoObstacle) {
  const Load load = [this] { return TouchedKey{Key(Chance(0.5) ? 0 : Below(10'000)), false}; };
  RunFor(20, load);
  ExpectHalved(load);
  EXPECT_EQ(sampler_.Find().popular_key, Key(0));
}

// Sixteen writers take the next number each, and arrive in any order.
TEST_F(KeySamplerTest, KeysWrittenInOrderAreCutAtTheEnd) {
  uint64_t next = 0;
  uint64_t last = 0;
  const Load load = [&] {
    next += 10;
    last = next + Below(16);
    return TouchedKey{Key(last), true};
  };
  RunFor(20, load);
  const SplitFinding found = sampler_.Find();
  EXPECT_EQ(found.kind, FindingKind::kOneDirection);
  EXPECT_LT(found.key, Key(last));
  EXPECT_GT(found.key, Key(last - 3'000)) << "some two seconds below it";
  EXPECT_EQ(RightOf(found.key, load), 1) << "all that comes lies right of it";
}

TEST_F(KeySamplerTest, KeysReadOrWrittenInDescendingOrderHaveADirectionAndNoKey) {
  uint64_t next = 90'000'000;
  RunFor(20, [&] { return TouchedKey{Key(next -= 10), true}; });
  EXPECT_EQ(sampler_.Find().kind, FindingKind::kOneDirection);
  EXPECT_EQ(sampler_.Find().key, "");
  sampler_.Begin(KeyRange::All(), {});
  RunFor(20, [&] { return TouchedKey{Key(next += 10), false}; });
  EXPECT_EQ(sampler_.Find().kind, FindingKind::kOneDirection);
  EXPECT_EQ(sampler_.Find().key, "");
}

TEST_F(KeySamplerTest, InsertsBesideReadsAreHalvedBetweenThem) {
  uint64_t next = 1'000'000;
  const Load load = [&] {
    return Chance(0.5) ? TouchedKey{Key(next += 10), true} : TouchedKey{Key(Below(1'000'000)), false};
  };
  RunFor(20, load);
  ExpectHalved(load);
}

TEST_F(KeySamplerTest, NoGroupIsCut) {
  sampler_.Begin(KeyRange::All(), {0, ":"});
  const Load load = [this] { return TouchedKey{Key(Below(50)) + ":" + std::to_string(Below(1'000)), true}; };
  RunFor(20, load);
  ExpectHalved(load);
  const std::string key = sampler_.Find().key;
  EXPECT_EQ((KeyGroupRule{0, ":"}).Start(key), key);

  sampler_.Begin(KeyRange::All(), {12, ""});
  RunFor(20, load);
  ExpectHalved(load);
  EXPECT_LE(sampler_.Find().key.size(), 12u);

  const Load one_group = [this] {
    return TouchedKey{Key(Chance(0.9) ? 7 : Below(50)) + ":" + std::to_string(Below(1'000)), true};
  };
  sampler_.Begin(KeyRange::All(), {0, ":"});
  RunFor(20, one_group);
  EXPECT_EQ(sampler_.Find().kind, FindingKind::kPopularKey);
  EXPECT_EQ(sampler_.Find().popular_key, Key(7) + ":");
}

TEST_F(KeySamplerTest, AKeyLiesStrictlyInsideTheRange) {
  const KeyRange range{Key(1'000), Key(1'100)};
  sampler_.Begin(range, {});
  const Load load = UniformReads(1'000, 100);
  RunFor(20, [this] { return TouchedKey{Key(Below(2'000)), false}; });
  ASSERT_EQ(sampler_.Find().kind, FindingKind::kNoKey) << "what lies outside is not its load";
  RunFor(20, load);
  ExpectHalved(load);
  EXPECT_GT(sampler_.Find().key, range.start);
  EXPECT_TRUE(range.Contains(sampler_.Find().key));
}

TEST_F(KeySamplerTest, NoKeyIsLongerThanASplitKeyMayBe) {
  const std::string stem(300, 'k');
  // Keys as LoadMeter truncates them.
  RunFor(20, [&] { return TouchedKey{(stem + Key(Below(1'000))).substr(0, LoadMeter::kKeyBytesMax), false}; });
  EXPECT_NE(sampler_.Find().kind, FindingKind::kKey);
  const std::string fits(248, 'k');
  sampler_.Begin(KeyRange::All(), {});
  RunFor(20, [&] {
    return TouchedKey{(fits + std::to_string(100 + Below(900))).substr(0, LoadMeter::kKeyBytesMax), false};
  });
  EXPECT_EQ(sampler_.Find().kind, FindingKind::kKey);
  EXPECT_LE(sampler_.Find().key.size(), kSplitKeyBytesMax);
}

TEST_F(KeySamplerTest, AnEndedLoadIsForgotten) {
  RunFor(20, UniformReads(0, 1'000));
  ASSERT_EQ(sampler_.Find().kind, FindingKind::kKey);
  RunFor(60, UniformReads(0, 1'000), 0);
  EXPECT_EQ(sampler_.Find().kind, FindingKind::kNoKey);
  EXPECT_TRUE(sampler_.Find().popular_key.empty());
}

}  // namespace
}  // namespace ebla::tabletserver
