#include "tabletserver/storage/in_memory/in_memory_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TabletId kRamTablet{70};

const KeyRange kWhole[] = {{}};

class InMemoryTableTest : public ::testing::Test {
 protected:
  void Write(std::vector<Effect> effects) {
    ++lsn_;
    ApplyBatch batch;
    batch.tablet = kRamTablet;
    for (const Effect& effect : effects) batch.records.push_back({&effect, {Epoch{1}, Lsn{lsn_}}});
    batch.state.applied = {Epoch{1}, Lsn{lsn_}};
    table_.Apply({&batch, 1});
  }
  void Fill(int from, int to, size_t value_bytes = 100) {
    for (int i = from; i < to; ++i) Write({Put(Key(i), std::string(value_bytes, 'v'))});
  }
  static std::string Key(int i) {
    const std::string number = std::to_string(i);
    return "key" + std::string(8 - number.size(), '0') + number;
  }
  void Scan(const RecordStore::Visitor& visitor) {
    EXPECT_TRUE(table_.Read(nullptr, [&](RecordStore::View& view) { return view.Scan({}, visitor); }).ok());
  }
  void Hit(int i, int times = 1) {
    for (int time = 0; time < times; ++time) ASSERT_TRUE(table_.Get(Key(i), nullptr));
  }
  // Evicts until so many records are gone.
  std::set<std::string> Evict(size_t count, const KeyRange& range = {}) {
    std::set<std::string> evicted;
    for (int rounds = 0; rounds < 1'000 && evicted.size() < count; ++rounds) {
      std::vector<Effect> deletes;
      for (EvictionVictim& victim : table_.ChooseVictims({&range, 1}, 1, 1)) {
        deletes.push_back(Delete(victim.key));
        evicted.insert(std::move(victim.key));
      }
      if (!deletes.empty()) Write(std::move(deletes));
    }
    return evicted;
  }

  InMemoryTable table_;
  uint64_t lsn_ = 0;
};

TEST_F(InMemoryTableTest, ARecordComesBackAsItWas) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 2'000; ++i) {
    const auto text = [&](size_t most) {
      std::string bytes(random() % (most + 1), '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      return bytes;
    };
    Effect effect = Put(text(300), text(i % 100 == 0 ? 100'000 : 300));
    if (random() % 2 == 0) effect.expires_at = {random() >> (random() % 64)};
    if (random() % 2 == 0) effect.write_time_ms = static_cast<int64_t>(random() >> (random() % 64));
    if (random() % 2 == 0) effect.writer = text(20);
    if (effect.timed() && random() % 3 == 0) {
      effect.is_delete = true;
      effect.value.clear();
    }
    const Version version{Epoch{random() >> (random() % 64)}, Lsn{random() >> (random() % 64)}};
    const InMemoryRecord record = InMemoryRecord::Make(PartsOf(effect, version));
    StoredRecord read;
    read.value = "what was there before";
    record.Read(read);
    EXPECT_EQ(record.key(), effect.key);
    EXPECT_EQ(read.value, effect.value);
    EXPECT_EQ(read.version, version);
    EXPECT_EQ(read.expires_at, effect.expires_at);
    EXPECT_EQ(read.write_time_ms, effect.write_time_ms);
    EXPECT_EQ(read.writer, effect.writer);
    EXPECT_EQ(read.tombstone, effect.is_delete);
    EXPECT_EQ(record.data_bytes(), std::ssize(effect.key) + std::ssize(effect.value));
    record.SetHeat(InMemoryRecord::kHeatMax);
    EXPECT_EQ(record.heat(), InMemoryRecord::kHeatMax);
    record.SetHeat(1);
    EXPECT_EQ(record.heat(), 1);
    EXPECT_EQ(record.tombstone(), effect.is_delete) << "heat touches nothing else";
    EXPECT_EQ(record.expires_at(), effect.expires_at);
    record.Free();
  }
}

TEST_F(InMemoryTableTest, ASmallRecordTakesOneSmallBlock) {
  constexpr int kMany = 20'000;
  Fill(0, kMany);
  const int64_t each = table_.bytes() / kMany - InMemoryTable::kTreeBytes;
  EXPECT_GE(each, 8 + 11 + 100 + 9);
  EXPECT_LE(each, 136 + 20) << "a header of ten bytes, the allocator's rounding, and its place in the index";
}

TEST_F(InMemoryTableTest, WhatItTakesIsCountedBackToNothing) {
  Fill(0, 500);
  Fill(100, 200, 5'000);  // over what was there
  EXPECT_EQ(table_.records(), 500);
  EXPECT_GT(table_.bytes(), 100 * 5'000 + 400 * 100);
  table_.Replace({Key(400), ""}, {});
  EXPECT_EQ(table_.records(), 400);
  for (int i = 0; i < 400; ++i) Write({Delete(Key(i))});
  EXPECT_EQ(table_.records(), 0);
  EXPECT_EQ(table_.bytes(), 0);
}

// A record that is rewritten in place, and a record that has to move.
TEST_F(InMemoryTableTest, WhatIsWrittenAgainIsFoundByKeyAndInOrder) {
  Fill(0, 300, 100);
  const int64_t bytes = table_.bytes();
  Fill(0, 100, 101);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_LE(table_.bytes(), bytes + 100) << "a sanitizer's allocator rounds nothing up";
#else
  EXPECT_EQ(table_.bytes(), bytes) << "it fits where it was";
#endif
  Fill(100, 200, 1'000);
  Fill(200, 300, 10);
  EXPECT_EQ(table_.records(), 300);
  int seen = 0;
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    const auto found = table_.Get(key, nullptr);
    EXPECT_TRUE(found && found->value == record.value && found->version == record.version) << key;
    EXPECT_EQ(key, Key(seen));
    EXPECT_EQ(record.value.size(), seen < 100 ? 101u : seen < 200 ? 1'000u : 10u);
    EXPECT_EQ(record.version.lsn.value, 301u + static_cast<unsigned>(seen++));
    return true;
  };
  // Looks up the visited records afterwards, because the lock is not recursive.
  std::vector<std::pair<std::string, StoredRecord>> all;
  Scan([&](std::string_view key, const StoredRecord& record) {
    all.emplace_back(key, record);
    return true;
  });
  for (const auto& [key, record] : all) visit(key, record);
  EXPECT_EQ(seen, 300);
}

TEST_F(InMemoryTableTest, ManyKeysAreFoundWhateverComesAndGoes) {
  std::mt19937_64 random(TestSeed());
  std::map<std::string, std::string> model;
  for (int step = 0; step < 30'000; ++step) {
    const std::string key = Key(static_cast<int>(random() % 3'000));
    if (random() % 3 == 0) {
      Write({Delete(key)});
      model.erase(key);
    } else {
      model[key] = std::string(random() % 200, 'a');
      Write({Put(key, model[key])});
    }
  }
  EXPECT_EQ(table_.records(), std::ssize(model));
  std::vector<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.push_back(Key(i));
  const std::vector<std::string_view> asked(keys.begin(), keys.end());
  const auto found = table_.MultiGet(asked, SIZE_MAX, nullptr);
  ASSERT_EQ(found.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto expected = model.find(keys[i]);
    ASSERT_EQ(found[i].has_value(), expected != model.end()) << keys[i];
    if (found[i]) {
      EXPECT_EQ(found[i]->value, expected->second);
    }
  }
}

TEST_F(InMemoryTableTest, WhatIsRepackedIsTheSame) {
  Fill(0, 3'000);
  Write({Delete(Key(5))});
  const int64_t bytes = table_.bytes();
  for (int round = 0; round < 4; ++round) table_.Repack(1'000, 1 << 30);
  EXPECT_EQ(table_.records(), 2'999);
  EXPECT_NEAR(static_cast<double>(table_.bytes()), static_cast<double>(bytes), static_cast<double>(bytes) / 20)
      << "but for what the allocator rounds otherwise";
  for (int i = 0; i < 3'000; ++i) {
    const auto record = table_.Get(Key(i), nullptr);
    ASSERT_EQ(record.has_value(), i != 5) << i;
    if (record) {
      EXPECT_EQ(record->version.lsn, Lsn{static_cast<uint64_t>(i + 1)});
    }
  }
}

TEST_F(InMemoryTableTest, KeysThatBeginAlikeAreInOrder) {
  const std::vector<std::string> keys = {"",
                                         std::string("\0", 1),
                                         "a",
                                         std::string("a\0", 2),
                                         "aaaaaaaa",
                                         "aaaaaaaaa",
                                         std::string("aaaaaaaa\0", 9),
                                         "b",
                                         "\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
  std::vector<Effect> effects;
  for (const std::string& key : keys) effects.push_back(Put(key, key));
  std::mt19937_64 random(TestSeed());
  std::ranges::shuffle(effects, random);
  Write(effects);
  std::vector<std::string> seen;
  Scan([&](std::string_view key, const StoredRecord& record) {
    EXPECT_EQ(key, record.value);
    seen.emplace_back(key);
    return true;
  });
  std::vector<std::string> sorted = keys;
  std::ranges::sort(sorted);
  EXPECT_EQ(seen, sorted);
}

// ---- eviction -------------------------------------------------------------------------------------------------------

TEST_F(InMemoryTableTest, NothingIsEvictedWhereNothingMayBe) {
  Fill(0, 10);
  EXPECT_TRUE(table_.ChooseVictims(kWhole, 1, 10).empty());
}

TEST_F(InMemoryTableTest, WhatWasReadLatelyOutlivesWhatWasNot) {
  table_.SetEviction(Eviction::kLru);
  Fill(0, 100);
  for (int i = 0; i < 100; i += 10) Hit(i);
  const auto evicted = Evict(90);
  EXPECT_EQ(evicted.size(), 90u);
  for (int i = 0; i < 100; i += 10) EXPECT_FALSE(evicted.contains(Key(i))) << i;
  EXPECT_EQ(Evict(10).size(), 10u) << "in the end these go too";
  EXPECT_EQ(table_.records(), 0);
}

TEST_F(InMemoryTableTest, WhatIsReadOftenOutlivesWhatWasReadOnce) {
  table_.SetEviction(Eviction::kLfu);
  Fill(0, 30);
  for (int i = 0; i < 30; ++i) Hit(i, i < 10 ? 5 : 1);
  const auto evicted = Evict(20);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(evicted.contains(Key(i))) << i;
}

TEST_F(InMemoryTableTest, WhatIsOverwrittenKeepsItsHeat) {
  table_.SetEviction(Eviction::kLru);
  Fill(0, 20);
  Hit(3);
  Fill(3, 4, 200);
  EXPECT_FALSE(Evict(19).contains(Key(3)));
}

TEST_F(InMemoryTableTest, ByExpiryWhatExpiresSoonGoesAndWhatDoesNotStays) {
  table_.SetEviction(Eviction::kTtl);
  std::vector<Effect> effects;
  for (int i = 0; i < 100; ++i) {
    effects.push_back(Put(Key(i), "v"));
    if (i % 2 == 0) effects.back().expires_at = {static_cast<uint64_t>(1'000 + i)};
  }
  Write(effects);
  const auto evicted = Evict(50);
  EXPECT_EQ(evicted.size(), 50u);
  for (int i = 1; i < 100; i += 2) EXPECT_FALSE(evicted.contains(Key(i)));
  EXPECT_TRUE(table_.ChooseVictims(kWhole, 1, 10).empty()) << "nothing is left that expires";
}

TEST_F(InMemoryTableTest, ARangeIsSweptByItself) {
  table_.SetEviction(Eviction::kLru);
  Fill(0, 100);
  for (const std::string& key : Evict(20, {Key(30), Key(60)})) {
    EXPECT_GE(key, Key(30));
    EXPECT_LT(key, Key(60));
  }
  EXPECT_EQ(table_.records(), 80);
  const KeyRange behind[] = {{Key(200), ""}};
  EXPECT_TRUE(table_.ChooseVictims(behind, 1, 10).empty());
}

// Tablets whose primaries are here, with others between them: cold records are evicted, wherever they are.
TEST_F(InMemoryTableTest, OneHandSweepsOverSeveralRanges) {
  table_.SetEviction(Eviction::kLru);
  Fill(0, 100);
  const KeyRange ranges[] = {{"", Key(10)}, {Key(20), Key(30)}, {Key(90), ""}};
  const auto evict = [&](size_t most) {
    std::vector<Effect> deletes;
    std::vector<std::string> keys;
    for (EvictionVictim& victim : table_.ChooseVictims(ranges, 1 << 20, most)) {
      deletes.push_back(Delete(victim.key));
      keys.push_back(std::move(victim.key));
    }
    if (!deletes.empty()) Write(std::move(deletes));
    return keys;
  };
  const auto keys = [&](std::initializer_list<std::pair<int, int>> stretches) {
    std::vector<std::string> expected;
    for (const auto& [from, to] : stretches) {
      for (int i = from; i < to; ++i) expected.push_back(Key(i));
    }
    return expected;
  };
  for (int i = 5; i < 8; ++i) Hit(i);
  EXPECT_EQ(evict(10), keys({{0, 5}, {8, 10}, {20, 23}}));
  Fill(0, 3);
  EXPECT_EQ(evict(12), keys({{23, 30}, {90, 95}})) << "it goes on where it was";
  EXPECT_EQ(evict(100), keys({{95, 100}, {0, 3}, {5, 8}})) << "and around";
  EXPECT_TRUE(evict(100).empty());
  EXPECT_EQ(table_.records(), 70);
}

// A reader at a time is always inside; the writer gets in all the same.
TEST_F(InMemoryTableTest, ReadersWhoNeverRestKeepNoWriterOut) {
  Fill(0, 1'000);
  std::atomic<bool> stop{false};
  std::atomic<int> scans{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        Scan([](auto, auto&) { return true; });
        ++scans;
      }
    });
  }
  while (scans < 8) std::this_thread::yield();
  for (int i = 0; i < 200; ++i) Write({Put("written", std::to_string(i))});
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(table_.Get("written", nullptr)->value, "199");
}

}  // namespace
}  // namespace ebla::tabletserver::testing
