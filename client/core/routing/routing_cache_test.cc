#include "client/core/routing/routing_cache.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace ebla::client {
namespace {

Place MakePlace(uint64_t tablet, std::string start, std::string end, uint64_t epoch, uint16_t port) {
  Place place;
  place.tablet = TabletId{tablet};
  place.range = {std::move(start), std::move(end)};
  place.epoch = Epoch{epoch};
  place.primary = "ts-" + std::to_string(port);
  place.endpoint = {"host", port};
  return place;
}

std::string Picture(const RoutingCache& cache) {
  std::string text;
  for (const PlacePtr& place : cache.All()) {
    text += "[" + place->range.start + "," + place->range.end + ")=" + std::to_string(place->tablet.value) + "." +
            std::to_string(place->epoch.value) + " ";
  }
  return text;
}

TEST(RoutingCache, FindsByRangeAndTellsGaps) {
  RoutingCache cache;
  EXPECT_EQ(cache.Gap("x"), KeyRange::All());
  cache.Learn(MakePlace(2, "f", "m", 1, 1));
  EXPECT_EQ(cache.Find("e"), nullptr);
  EXPECT_EQ(cache.Find("f")->tablet.value, 2u);
  EXPECT_EQ(cache.Find("lzz")->tablet.value, 2u);
  EXPECT_EQ(cache.Find("m"), nullptr);
  EXPECT_EQ(cache.Gap(""), (KeyRange{"", "f"}));
  EXPECT_EQ(cache.Gap("z"), (KeyRange{"m", ""}));
  EXPECT_TRUE(cache.Gap("g").Empty());
}

TEST(RoutingCache, AHintOfASplitTakesTheRightHalfAndAWholeOldAnswerDoesNotTakeItBack) {
  RoutingCache cache;
  cache.Learn(MakePlace(2, "", "", 1, 1));
  cache.Learn(MakePlace(3, "m", "", 1, 1));
  EXPECT_EQ(Picture(cache), "[,m)=2.1 [m,)=3.1 ");
  cache.Learn(MakePlace(2, "", "", 1, 1));
  EXPECT_EQ(Picture(cache), "[,m)=2.1 [m,)=3.1 ");
}

TEST(RoutingCache, WhatATabletLostAtItsEndIsAskedForWhereItWasUntilItsChildAnswers) {
  RoutingCache cache;
  cache.Learn(MakePlace(2, "", "", 1, 1));
  cache.Learn(MakePlace(2, "", "m", 1, 1));
  EXPECT_EQ(Picture(cache), "[,m)=2.1 [m,)=2.1 ");
  EXPECT_EQ(cache.Find("p")->endpoint.port, 1);
  cache.Learn(MakePlace(3, "m", "", 1, 1));
  EXPECT_EQ(Picture(cache), "[,m)=2.1 [m,)=3.1 ");
  // In a later epoch, its child may be anywhere by now.
  cache.Learn(MakePlace(2, "", "f", 2, 7));
  EXPECT_EQ(Picture(cache), "[,f)=2.2 [m,)=3.1 ");
}

TEST(RoutingCache, AMoveReplacesAndALateAnswerOfTheOlderEpochIsIgnored) {
  RoutingCache cache;
  cache.Learn(MakePlace(2, "", "m", 1, 1));
  cache.Learn(MakePlace(2, "", "m", 2, 7));
  cache.Learn(MakePlace(2, "", "m", 1, 1));
  EXPECT_EQ(cache.Find("a")->endpoint.port, 7);
  EXPECT_EQ(cache.EndpointOf("ts-7").port, 7);
  EXPECT_EQ(cache.EndpointOf("ts-9").port, 0);
}

TEST(RoutingCache, AMergeCoversBoth) {
  RoutingCache cache;
  cache.Learn(MakePlace(2, "", "m", 3, 1));
  cache.Learn(MakePlace(3, "m", "t", 5, 2));
  cache.Learn(MakePlace(4, "t", "", 1, 2));
  cache.Learn(MakePlace(9, "", "t", 6, 1));
  EXPECT_EQ(Picture(cache), "[,t)=9.6 [t,)=4.1 ");
}

TEST(RoutingCache, ForgetsOnlyTheBeliefMeant) {
  RoutingCache cache;
  cache.Learn(MakePlace(2, "", "m", 1, 1));
  const PlacePtr old = cache.Find("a");
  cache.Learn(MakePlace(2, "", "m", 2, 2));
  cache.Forget(old);
  ASSERT_NE(cache.Find("a"), nullptr);
  cache.Forget(cache.Find("a"));
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.Gap("a"), KeyRange::All());
}

TEST(RoutingCache, ANewPlaceInheritsTheLeastTimeOfWhatItCovers) {
  RoutingCache cache;
  Place left = MakePlace(2, "", "m", 1, 1);
  left.RaiseTabletTime(TabletTime{500});
  Place right = MakePlace(3, "m", "", 1, 1);
  right.RaiseTabletTime(TabletTime{400});
  cache.Learn(left);
  cache.Learn(right);
  cache.Learn(MakePlace(9, "", "", 2, 1));
  EXPECT_EQ(cache.Find("z")->tablet_time.load(), 400u);
  cache.Find("z")->RaiseTabletTime(TabletTime{450});
  cache.Find("z")->RaiseTabletTime(TabletTime{430});
  EXPECT_EQ(cache.Find("z")->tablet_time.load(), 450u);
}

// A cluster that splits, merges and moves, told to the cache in pieces, late and out of order.
struct World {
  struct Truth {
    uint64_t tablet, epoch;
    std::string start, end;
    uint16_t port;
  };
  std::vector<Truth> tablets{{1, 1, "", "", 1}};
  uint64_t next_id = 1;

  size_t At(const std::string& key) const {
    size_t i = tablets.size() - 1;
    while (tablets[i].start > key) --i;
    return i;
  }
  void Split(const std::string& key) {
    Truth& left = tablets[At(key)];
    if (left.start == key) return;
    Truth right{++next_id, left.epoch, key, left.end, left.port};
    left.end = key;
    tablets.insert(tablets.begin() + static_cast<ptrdiff_t>(At(left.start)) + 1, right);
  }
  void Merge(const std::string& key) {
    const size_t i = At(key);
    if (i + 1 == tablets.size()) return;
    tablets[i] = {++next_id, std::max(tablets[i].epoch, tablets[i + 1].epoch) + 1, tablets[i].start, tablets[i + 1].end,
                  tablets[i].port};
    tablets.erase(tablets.begin() + static_cast<ptrdiff_t>(i) + 1);
  }
  void Move(const std::string& key, uint16_t port) {
    Truth& tablet = tablets[At(key)];
    ++tablet.epoch;
    tablet.port = port;
  }
  Place Tell(size_t i) const {
    const Truth& t = tablets[i];
    return MakePlace(t.tablet, t.start, t.end, t.epoch, t.port);
  }
};

void CheckDisjoint(const RoutingCache& cache) {
  std::string last_end;
  bool first = true;
  for (const PlacePtr& place : cache.All()) {
    RC_ASSERT(!place->range.Empty());
    RC_ASSERT(first || (!last_end.empty() && last_end <= place->range.start));
    last_end = place->range.end;
    first = false;
  }
}

TEST(RoutingCache, NeverOverlapsAndIsRightOnceToldInWhateverOrder) {
  const bool held = rc::check([] {
    World world;
    RoutingCache cache;
    std::vector<Place> late;  // what was true once, still on its way
    const auto any_key = [] { return std::string(1, static_cast<char>('a' + *rc::gen::inRange(0, 20))); };
    const int steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) {
      const std::string key = any_key();
      switch (*rc::gen::inRange(0, 6)) {
        case 0: world.Split(key); break;
        case 1: world.Merge(key); break;
        case 2: world.Move(key, static_cast<uint16_t>(*rc::gen::inRange(1, 9))); break;
        case 3: late.push_back(world.Tell(world.At(key))); break;
        case 4:
          if (!late.empty()) cache.Learn(late[*rc::gen::inRange<size_t>(0, late.size())]);
          break;
        default: {
          // Told the truth about a key, the cache has it, at once and exactly.
          const Place truth = world.Tell(world.At(key));
          cache.Learn(truth);
          const PlacePtr believed = cache.Find(key);
          RC_ASSERT(believed != nullptr);
          RC_ASSERT(believed->tablet == truth.tablet && believed->epoch == truth.epoch);
          RC_ASSERT(believed->endpoint == truth.endpoint);
        }
      }
      CheckDisjoint(cache);
    }
    // Whatever it believed, the whole truth sets it right, and old answers arriving after it change nothing.
    for (size_t i = 0; i < world.tablets.size(); ++i) cache.Learn(world.Tell(i));
    for (const Place& old : late) cache.Learn(old);
    CheckDisjoint(cache);
    for (char c = 'a'; c < 'v'; ++c) {
      const auto& truth = world.tablets[world.At(std::string(1, c))];
      const PlacePtr believed = cache.Find(std::string(1, c));
      RC_ASSERT(believed != nullptr);
      RC_ASSERT(believed->tablet.value == truth.tablet && believed->epoch.value == truth.epoch);
      RC_ASSERT(believed->range.Contains(std::string(1, c)));
    }
  });
  EXPECT_TRUE(held);
}

TEST(RoutingCache, KeyNearBelowLiesInTheTabletThatEndsThere) {
  EXPECT_EQ(KeyNearBelow(std::string("ab\0", 3)), "ab");
  EXPECT_EQ(KeyNearBelow("b").substr(0, 3), "a\xff\xff");
  const bool held = rc::check([](std::vector<uint8_t> end_bytes, std::vector<uint8_t> border_bytes) {
    const std::string end(end_bytes.begin(), end_bytes.end());
    std::string border(border_bytes.begin(), border_bytes.end());
    // Borders near the end are the interesting ones.
    if (*rc::gen::arbitrary<bool>()) border = end.substr(0, end.size() - std::min<size_t>(end.size(), 1)) + border;
    border.resize(std::min(border.size(), kSplitKeyBytesMax));
    const std::string below = KeyNearBelow(end);
    RC_ASSERT(end.empty() || below < end);
    RC_ASSERT(below.size() <= kKeyBytesMax);
    const bool between = below < border && (end.empty() || border < end);
    RC_ASSERT(!between);
  });
  EXPECT_TRUE(held);
  const std::string long_end = std::string(300, 'k') + "z";
  EXPECT_LT(KeyNearBelow(long_end), long_end);
  EXPECT_EQ(KeyNearBelow(long_end).size(), kSplitKeyBytesMax);
}

}  // namespace
}  // namespace ebla::client
