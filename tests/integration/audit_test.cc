// The audit log of a real cluster's processes: each change and each refusal with its caller and its origin, one JSON
// line each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/integration/secure_fixture.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using Kind = AccessChange::Kind;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ResultOf;
using ::testing::StartsWith;

auto Has(const std::string& member, const ::testing::Matcher<std::string>& what) {
  return ResultOf(member, [member](const Json& line) { return line.value(member, std::string()); }, what);
}

class AuditTest : public SecureClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeCertificates());
    Make("mallory", {.name = "mallory"});
    // Each process writes it into its own directory.
    ASSERT_NO_FATAL_FAILURE(Start({"--password_logins", "--audit_log=audit.log", "--audit_data"}));
  }
  // The lines of all processes of a kind; every line must be a separate JSON object.
  std::vector<Json> Lines(cluster::Role role) {
    std::vector<Json> lines;
    for (const cluster::ProcessView& view : cluster_->launcher().Describe()) {
      if (view.role != role) continue;
      std::ifstream file(cluster_->launcher().DataDir(view.name) + "/audit.log");
      for (std::string text; std::getline(file, text);) {
        const Json line = Json::parse(text, nullptr, false);
        EXPECT_TRUE(line.is_object() && line.contains("time") && line.contains("action")) << view.name << ": " << text;
        if (line.is_object()) lines.push_back(line);
      }
    }
    return lines;
  }
  std::vector<Json> Lines() {
    std::vector<Json> lines = Lines(cluster::Role::kMaster);
    std::ranges::move(Lines(cluster::Role::kTabletServer), std::back_inserter(lines));
    return lines;
  }
};

TEST_F(AuditTest, WhatIsDoneAndByWhomFromWhere) {
  const Table table = MakeTable();  // by olga; ada may read and write it
  ASSERT_TRUE(table.Put("a", "secret value").has_value());
  ASSERT_TRUE(table.Get("a").has_value());
  const auto mallory = Connect("mallory");
  ASSERT_TRUE(mallory.has_value()) << mallory.error();
  EXPECT_EQ(mallory->DropTable("carts").code(), Code::kPermissionDenied);

  const auto of_masters = Lines(cluster::Role::kMaster);
  const auto from = Has("from", StartsWith("127.0.0.1:"));
  EXPECT_THAT(of_masters,
              Contains(AllOf(Has("user", "olga"), Has("kind", "operator"), from, Has("action", "createTable"),
                             Has("of", HasSubstr("carts")), Has("code", "OK"))));
  EXPECT_THAT(of_masters, Contains(AllOf(Has("user", "olga"), Has("action", "changeAccess"),
                                         Has("of", AllOf(HasSubstr("permission=WRITE"), HasSubstr("name=everybody"),
                                                         HasSubstr("table=carts"))),
                                         Has("code", "OK"))));
  EXPECT_THAT(of_masters, Contains(AllOf(Has("user", "mallory"), Has("kind", "user"), from, Has("action", "dropTable"),
                                         Has("of", HasSubstr("carts")), Has("code", "PERMISSION_DENIED"),
                                         Has("message", HasSubstr("admin")))));
  const auto of_servers = Lines(cluster::Role::kTabletServer);
  for (const char* action : {"write", "get"})
    EXPECT_THAT(of_servers, Contains(AllOf(Has("user", "ada"), Has("kind", "user"), from, Has("action", action),
                                           Has("of", HasSubstr("table=")), Has("code", "OK"))));
  for (const Json& line : Lines()) EXPECT_THAT(line.dump(), Not(HasSubstr("secret value")));
  EXPECT_THAT(Lines(), Each(Has("kind", Not(::testing::AnyOf("server", "master"))))) << "processes are at work";
}

// A caller without permission still chooses the names in its refused request.
TEST_F(AuditTest, ANameWithANewLineMakesNoLineOfItsOwn) {
  const std::string forged =
      "x\n{\"time\":\"2026-01-31T12:00:00.123Z\",\"user\":\"olga\",\"kind\":\"operator\",\"action\":\"forged\"}"
      "\n\r\xe2\x80\xa8";
  const auto mallory = Connect("mallory");
  ASSERT_TRUE(mallory.has_value()) << mallory.error();
  EXPECT_FALSE(mallory->DropTable(forged).ok());
  EXPECT_FALSE(mallory->CreateTable(forged).has_value());
  EXPECT_EQ(
      mallory->ChangeAccess({{.kind = Kind::kGrant, .name = forged, .grant = {Permission::kRead, forged, forged}}})
          .code(),
      Code::kPermissionDenied);
  const auto olga = Connect("operator");
  ASSERT_TRUE(olga.has_value()) << olga.error();
  EXPECT_FALSE(olga->DropTable(forged).ok());
  EXPECT_FALSE(olga->ChangeAccess({{.kind = Kind::kDropUser, .name = forged}}).ok());
  Make("forger", {.name = "eve\nforged"});
  const auto forger = Connect("forger");
  ASSERT_TRUE(forger.has_value()) << forger.error();
  EXPECT_EQ(forger->DropTable("carts").code(), Code::kPermissionDenied);

  std::filesystem::create_directory(Path("nothing"));
  std::filesystem::copy_file(Path("ca/ca.crt"), Path("nothing/ca.crt"));
  const auto guesses = [&](const std::string& name) {
    return Client::Connect({.masters = cluster_->launcher().Masters(),
                            .connect_timeout = 3s,
                            .tls_dir = Path("nothing"),
                            .user = name,
                            .password = "guess"});
  };
  for (const std::string& name : {forged, std::string("bob")})
    EXPECT_EQ(guesses(name).error().code(), Code::kPermissionDenied) << name;

  const std::vector<Json> lines = Lines();
  EXPECT_THAT(lines, Each(Has("action", Not("forged"))));
  EXPECT_THAT(lines, Contains(AllOf(Has("user", "mallory"), Has("of", HasSubstr("forged")))));
  EXPECT_THAT(lines, Contains(AllOf(Has("user", "olga"), Has("of", HasSubstr("forged")))));
  EXPECT_THAT(lines, Contains(AllOf(Has("user", "eve\nforged"), Has("action", "dropTable"))));
  EXPECT_THAT(lines, Contains(AllOf(Has("user", "bob"), Has("from", StartsWith("127.0.0.1:")), Has("action", "login"),
                                    Has("code", "PERMISSION_DENIED"))));
  EXPECT_THAT(lines, Contains(AllOf(Has("user", HasSubstr("forged")), Has("action", "login"))));
}

}  // namespace
}  // namespace ebla::testing
