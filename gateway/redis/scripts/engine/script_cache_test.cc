#include "gateway/redis/scripts/engine/script_cache.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ebla::gateway::redis {
namespace {

TEST(ScriptCacheTest, FindsWhatWasAddedByANameOfAnyCase) {
  ScriptCache cache;
  const auto added = cache.Add("return 1", {.no_writes = true});
  EXPECT_EQ(added->sha, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  EXPECT_EQ(cache.Find("E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), added);
  EXPECT_TRUE(cache.Has(added->sha));
  EXPECT_TRUE(added->flags.no_writes);
  EXPECT_EQ(cache.Find("e0e1"), nullptr);
  EXPECT_EQ(cache.Add("return 1", {}), added);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(ScriptCacheTest, TheOneUsedLeastRecentlyGoes) {
  ScriptCache cache({.scripts_max = 2});
  const std::string one = cache.Add("return 1", {})->sha, two = cache.Add("return 2", {})->sha;
  EXPECT_TRUE(cache.Has(two));
  EXPECT_NE(cache.Find(one), nullptr);
  const std::string three = cache.Add("return 3", {})->sha;
  EXPECT_TRUE(cache.Has(one) && cache.Has(three));
  EXPECT_FALSE(cache.Has(two));
}

TEST(ScriptCacheTest, BytesAreBounded) {
  ScriptCache cache({.bytes_max = 10'000});
  for (int i = 0; i < 100; ++i) cache.Add(std::to_string(i) + std::string(1'000, ' '), {});
  EXPECT_LE(cache.bytes(), 10'000u);
  EXPECT_EQ(cache.size(), 7u);
  // A script that exceeds the whole cache is returned, and evicts nothing.
  EXPECT_EQ(cache.Add(std::string(20'000, ' '), {})->body.size(), 20'000u);
  EXPECT_EQ(cache.size(), 7u);
}

TEST(ScriptCacheTest, AScriptOutlivesTheCachesMemoryOfIt) {
  ScriptCache cache;
  const auto script = cache.Add("return 1", {});
  cache.Clear();
  EXPECT_FALSE(cache.Has(script->sha));
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(script->body, "return 1");
}

TEST(ScriptCacheTest, ManyThreadsUseIt) {
  ScriptCache cache({.scripts_max = 8});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 2'000; ++i) {
        const auto script = cache.Add("return " + std::to_string((i * (t + 1)) % 20), {});
        const auto found = cache.Find(script->sha);
        EXPECT_EQ(found == nullptr ? script->body : found->body, script->body);
        if (i % 500 == 499) cache.Clear();
      }
    });
  }
  threads.clear();
  EXPECT_LE(cache.size(), 8u);
}

TEST(ScriptCacheTest, OwnersDoNotKnowOfEachOther) {
  ScriptCache cache;
  const std::string sha = cache.Add("return 1", {}, "ada")->sha;
  cache.Add("return 1", {}, "bob");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_FALSE(cache.Has(sha));
  cache.Clear("bob");
  EXPECT_FALSE(cache.Has(sha, "bob"));
  EXPECT_EQ(cache.Find(sha, "ada")->owner, "ada");
  cache.Clear("ada");
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace ebla::gateway::redis
