// The driver over a pretended cluster on real sockets: levels, and what they need of the table.
#include "tools/ycsb/ebla_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/testing/fake_servers.h"

namespace ebla::ycsb {
namespace {

using client::testing::FakeServers;
using ::testing::HasSubstr;

Result<EblaOptions> Parse(const std::vector<std::string>& arguments) {
  Properties properties;
  EBLA_TRY(properties.AddArgument("recordcount=10"));
  EBLA_TRY(properties.AddArgument("operationcount=10"));
  for (const std::string& argument : arguments) EBLA_TRY(properties.AddArgument(argument));
  EBLA_ASSIGN(const WorkloadOptions workload, WorkloadOptions::Parse(properties, false));
  return EblaOptions::Parse(properties, workload);
}

std::string WhyNot(const std::vector<std::string>& arguments) {
  const auto options = Parse(arguments);
  return options ? "accepted" : options.error().message();
}

TEST(EblaOptions, LevelsByName) {
  EXPECT_EQ(Parse({})->read, Read());
  EXPECT_EQ(Parse({})->ack, Ack::kDefault);
  EXPECT_EQ(Parse({"ebla.read=strong"})->read, Read::Strong());
  EXPECT_EQ(Parse({"ebla.read=session"})->read, Read::InSession());
  EXPECT_EQ(Parse({"ebla.read=eventual"})->read, Read::Eventual());
  EXPECT_EQ(Parse({"ebla.read=bounded=2s"})->read, Read::Bounded(std::chrono::seconds(2)));
  EXPECT_EQ(Parse({"ebla.read=bounded=250ms"})->read, Read::Bounded(std::chrono::milliseconds(250)));
  EXPECT_EQ(Parse({"ebla.write=majority"})->ack, Ack::kMajority);
  EXPECT_EQ(Parse({"ebla.write=all"})->ack, Ack::kAll);
  EXPECT_EQ(Parse({"ebla.write=primary"})->ack, Ack::kPrimary);
  EXPECT_EQ(Parse({"ebla.write=any"})->ack, Ack::kAny);
  EXPECT_EQ(Parse({"ebla.rack=r2"})->client.rack, "r2");
}

TEST(EblaOptions, UnknownLevelsAreRefusedWithTheList) {
  EXPECT_THAT(WhyNot({"ebla.read=fresh"}), HasSubstr("default, strong, session, bounded=500ms, eventual"));
  EXPECT_THAT(WhyNot({"ebla.read=bounded"}), HasSubstr("default, strong, session, bounded=500ms, eventual"));
  for (const char* wrong : {"bounded=", "bounded=0s", "bounded=2h", "bounded=3601s", "bounded=soon"}) {
    EXPECT_THAT(WhyNot({std::string("ebla.read=") + wrong}), HasSubstr("bounded=500ms or bounded=2s")) << wrong;
  }
  EXPECT_THAT(WhyNot({"ebla.write=most"}), HasSubstr("default, majority, all, primary, any"));
}

TEST(EblaOptions, AnyMakesATableWhereTheLastWriteWins) {
  EXPECT_EQ(Parse({"ebla.write=any"})->create.last_write_wins, true);
  EXPECT_EQ(Parse({"ebla.write=all"})->create.last_write_wins, std::nullopt);
  EXPECT_THAT(WhyNot({"ebla.write=any", "ebla.last_write_wins=false"}), HasSubstr("needs a table with"));
}

class EblaDatabaseTest : public ::testing::Test {
 protected:
  // A database at these levels, its table made.
  std::unique_ptr<Database> Open(std::vector<std::string> arguments) {
    std::string masters;
    for (const std::string& master : servers_.masters()) masters += (masters.empty() ? "" : ",") + master;
    arguments.push_back("ebla.masters=" + masters);
    arguments.push_back("ebla.replicas=3");
    auto options = Parse(arguments);
    EXPECT_TRUE(options) << options.error();
    driver_.emplace(*std::move(options));
    EXPECT_TRUE(driver_->Prepare(true).ok());
    auto database = driver_->Open(loop_);
    EXPECT_TRUE(database) << database.error();
    return *std::move(database);
  }

  Status Insert(Database& database, std::string_view key, const Fields& fields) {
    return loop_.Run(database.Insert(key, fields));
  }
  Status Update(Database& database, std::string_view key, const Fields& fields) {
    return loop_.Run(database.Update(key, fields, false));
  }
  Status Read(Database& database, std::string_view key, Fields& fields) {
    return loop_.Run(database.Read(key, {}, fields));
  }

  FakeServers servers_;
  load::TaskLoop loop_{std::stop_token()};
  std::optional<EblaDriver> driver_;
};

TEST_F(EblaDatabaseTest, LevelsReachTheServers) {
  const auto database = Open({"ebla.read=eventual", "ebla.write=all"});
  ASSERT_TRUE(Insert(*database, "a", {{"f", "1"}}).ok());
  EXPECT_EQ(servers_.cluster().write_log().back().level, idl::WriteLevel::ALL);
  Fields fields;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Read(*database, "a", fields).ok());
  EXPECT_EQ(servers_.cluster().last_read().level, idl::ReadLevel::EVENTUAL);
  ASSERT_TRUE(Update(*database, "a", {{"f", "2"}}).ok());
  EXPECT_EQ(servers_.cluster().last_read().level, idl::ReadLevel::STRONG) << "the condition is on the newest";
  EXPECT_TRUE(servers_.cluster().write_log().back().writes.front().__isset.condition);
  std::vector<Fields> records;
  ASSERT_TRUE(loop_.Run(database->Scan("a", 5, {}, records)).ok());
  EXPECT_EQ(records.size(), 1u);
  EXPECT_EQ(servers_.cluster().last_read().level, idl::ReadLevel::EVENTUAL);
}

TEST_F(EblaDatabaseTest, AtAnyUpdatesCarryNoConditionAndReadAtTheirLevel) {
  const auto database = Open({"ebla.read=eventual", "ebla.write=any"});
  ASSERT_TRUE(Insert(*database, "a", {{"f", "1"}, {"g", "1"}}).ok());
  ASSERT_TRUE(Update(*database, "a", {{"f", "2"}}).ok());
  EXPECT_EQ(servers_.cluster().last_read().level, idl::ReadLevel::EVENTUAL);
  EXPECT_EQ(servers_.cluster().write_log().back().level, idl::WriteLevel::ANY);
  EXPECT_FALSE(servers_.cluster().write_log().back().writes.front().__isset.condition);
  Fields fields;
  ASSERT_TRUE(Read(*database, "a", fields).ok());
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0].value + fields[1].value, "21");
}

}  // namespace
}  // namespace ebla::ycsb
