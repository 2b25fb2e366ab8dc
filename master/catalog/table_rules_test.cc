#include "master/catalog/table_rules.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

Code CodeOf(const idl::TableOptions& options) {
  const auto complete = CompleteOptions(options, 3);
  return complete ? Code::kOk : complete.error().code();
}

TEST(TableRulesTest, CompletesEveryField) {
  const auto options = CompleteOptions({}, 3);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->replicas, 3);
  EXPECT_EQ(options->durability, idl::Durability::SYNC);
  EXPECT_EQ(options->defaultWriteLevel, idl::WriteLevel::MAJORITY);
  EXPECT_EQ(options->defaultReadLevel, idl::ReadLevel::STRONG);
  EXPECT_EQ(options->splitBytes, int64_t{8} << 30);
  EXPECT_EQ(options->mergeBytes, int64_t{2} << 30);
  EXPECT_TRUE(options->__isset.keyGroup && options->__isset.intervalMs && options->__isset.lastWriteWins);
  EXPECT_FALSE(options->__isset.memory || options->__isset.eviction);
}

TEST(TableRulesTest, RefusesWhatIsNotThereOrCannotBe) {
  const auto refused = [](auto set) {
    idl::TableOptions options;
    set(options);
    return CodeOf(options) == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& o) { o.__set_replicas(8); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_replicas(0); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_eviction("lru"); })) << "not of a table on disk";
  EXPECT_TRUE(refused([](auto& o) { o.__set_memoryLimit(1 << 20); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_compression(static_cast<idl::Compression::type>(9)); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_durability(static_cast<idl::Durability::type>(-1)); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_intervalMs(9); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_defaultWriteLevel(idl::WriteLevel::ANY); }));
  EXPECT_FALSE(refused([](auto& o) {
    o.__set_defaultWriteLevel(idl::WriteLevel::ANY);
    o.__set_lastWriteWins(true);
  }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_defaultReadLevel(static_cast<idl::ReadLevel::type>(5)); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_defaultTtlMs(-1); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_defaultTtlMs(int64_t{1} << 60); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_defaultBoundedMs(0); }));
  EXPECT_TRUE(refused([](auto& o) { o.__set_mergeBytes(int64_t{1} << 40); }));
  EXPECT_TRUE(refused([](auto& o) { o.keyGroup.__set_prefixBytes(0), o.__isset.keyGroup = true; }));
  EXPECT_TRUE(refused([](auto& o) { o.keyGroup.__set_delimiter("ab"), o.__isset.keyGroup = true; }));
  EXPECT_TRUE(
      refused([](auto& o) { o.keyGroup.__set_delimiter(":"), o.keyGroup.__set_all(true), o.__isset.keyGroup = true; }));
  EXPECT_TRUE(refused(
      [](auto& o) { o.keyGroup.__set_delimiter(":"), o.keyGroup.__set_prefixBytes(3), o.__isset.keyGroup = true; }));
}

TEST(TableRulesTest, ATableInMemoryHasALimitAndAnEvictionAndNothingOfADisk) {
  const auto asked = [](auto set) {
    idl::TableOptions options;
    options.__set_memory(true);
    set(options);
    return options;
  };
  const auto options = CompleteOptions(asked([](auto&) {}), 3);
  ASSERT_TRUE(options) << options.error();
  EXPECT_TRUE(options->__isset.memory && options->memory);
  EXPECT_EQ(options->eviction, "none") << "nothing is forgotten unasked";
  EXPECT_EQ(options->memoryLimit, 0);
  EXPECT_EQ(CodeOf(asked([](auto& o) { o.__set_eviction("lfu"), o.__set_memoryLimit(4 << 20); })), Code::kOk);
  EXPECT_EQ(CodeOf(asked([](auto& o) { o.__set_eviction("fifo"); })), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(asked([](auto& o) { o.__set_memoryLimit(1'000); })), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(asked([](auto& o) { o.__set_durability(idl::Durability::INTERVAL); })), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(asked([](auto& o) { o.__set_compression(idl::Compression::ZLIB); })), Code::kInvalidArgument);

  idl::TableOptions change;
  change.__set_eviction("ttl");
  change.__set_memoryLimit(8 << 20);
  const auto altered = AlterOptions(*options, change);
  ASSERT_TRUE(altered);
  EXPECT_EQ(altered->eviction, "ttl");
  EXPECT_EQ(altered->memoryLimit, 8 << 20);
  idl::TableOptions to_disk;
  to_disk.__set_memory(false);
  EXPECT_FALSE(AlterOptions(*options, to_disk));
  idl::TableOptions to_memory;
  to_memory.__set_memory(true);
  EXPECT_FALSE(AlterOptions(CompleteOptions({}, 3).value(), to_memory));
  EXPECT_FALSE(AlterOptions(CompleteOptions({}, 3).value(), change)) << "a table on disk evicts nothing";
}

TEST(TableRulesTest, AlterKeepsWhatIsForLife) {
  const auto current = CompleteOptions({}, 3).value();
  idl::TableOptions change;
  change.__set_defaultTtlMs(5'000);
  const auto altered = AlterOptions(current, change);
  ASSERT_TRUE(altered);
  EXPECT_EQ(altered->defaultTtlMs, 5'000);
  EXPECT_EQ(altered->splitBytes, current.splitBytes);
  change.__set_compression(idl::Compression::NONE);  // as it is
  EXPECT_TRUE(AlterOptions(current, change));
  change.__set_compression(idl::Compression::SNAPPY);
  EXPECT_FALSE(AlterOptions(current, change));
  idl::TableOptions group;
  group.keyGroup.__set_prefixBytes(4);
  group.__isset.keyGroup = true;
  EXPECT_FALSE(AlterOptions(current, group));
  idl::TableOptions all;
  all.keyGroup.__set_all(true);
  all.__isset.keyGroup = true;
  EXPECT_FALSE(AlterOptions(current, all));
}

TEST(TableRulesTest, ATableThatIsOneGroupTakesNoSplitPoints) {
  idl::TableOptions asked;
  asked.keyGroup.__set_all(true);
  asked.__isset.keyGroup = true;
  const auto options = CompleteOptions(asked, 3).value();
  EXPECT_TRUE(CheckSplitPoints({}, options).ok());
  const Status refused = CheckSplitPoints({"a"}, options);
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_NE(refused.message().find("never splits"), std::string::npos) << refused.message();
}

TEST(TableRulesTest, SplitPointsAscendAndAreSmall) {
  const auto options = CompleteOptions({}, 3).value();
  EXPECT_TRUE(CheckSplitPoints({}, options).ok());
  EXPECT_TRUE(CheckSplitPoints({"a", "b", std::string(256, 'c')}, options).ok());
  EXPECT_FALSE(CheckSplitPoints({"b", "a"}, options).ok());
  EXPECT_FALSE(CheckSplitPoints({"a", "a"}, options).ok());
  EXPECT_FALSE(CheckSplitPoints({""}, options).ok());
  EXPECT_FALSE(CheckSplitPoints({std::string(257, 'c')}, options).ok());
  std::vector<std::string> many;
  for (int i = 0; i < 10'001; ++i) many.push_back(std::to_string(100'000 + i));
  EXPECT_FALSE(CheckSplitPoints(many, options).ok());
  many.pop_back();
  EXPECT_TRUE(CheckSplitPoints(many, options).ok());
}

TEST(TableRulesTest, SplitPointsCutNoKeyGroup) {
  idl::KeyGroup prefix;
  prefix.__set_prefixBytes(4);
  EXPECT_FALSE(CutsKeyGroup("use", prefix));
  EXPECT_FALSE(CutsKeyGroup("user", prefix));
  EXPECT_TRUE(CutsKeyGroup("user1", prefix));
  idl::KeyGroup delimiter;
  delimiter.__set_delimiter(":");
  EXPECT_FALSE(CutsKeyGroup("user1", delimiter));
  EXPECT_FALSE(CutsKeyGroup("user1:", delimiter));
  EXPECT_TRUE(CutsKeyGroup("user1:cart", delimiter));
  EXPECT_FALSE(CutsKeyGroup("user1:cart", {}));
  idl::KeyGroup all;
  all.__set_all(true);
  EXPECT_TRUE(CutsKeyGroup("u", all));
  idl::KeyGroup with_bare;
  with_bare.__set_delimiter(std::string(1, '\0'));
  EXPECT_FALSE(CutsKeyGroup("user1", with_bare));
  EXPECT_TRUE(CutsKeyGroup(std::string("user1\0", 6), with_bare));
}

}  // namespace
}  // namespace ebla::master
