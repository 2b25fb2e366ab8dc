// Logins of a cluster's users at a gateway: which passwords count as guesses, and which are accepted while the cluster
// takes no logins. The cluster is a fake one without users, so the test judges passwords.
#include "gateway/redis/logins/logins.h"

#include <gtest/gtest.h>

#include <future>
#include <map>

#include "client/testing/fake_servers.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;

class LoginsTest : public ::testing::Test {
 protected:
  LoginsTest() {
    loop_.Start();
    const Result<Client> client = Client::Connect({.masters = servers_.masters()});
    EXPECT_TRUE(client && client->CreateTable("redis"));
  }
  ~LoginsTest() override {
    logins_.Stop();
    loop_.Stop();
  }

  Result<Client> Judge(ClientOptions options) {
    ++asked_;
    if (refuses_ != Code::kOk) return Error(refuses_, "not now");
    const auto known = passwords_.find(options.user);
    if (known == passwords_.end() || known->second != options.password)
      return Error(Code::kPermissionDenied, "wrong user or password");
    return Client::Connect({.masters = servers_.masters()});
  }
  Code LogIn(const std::string& user, const std::string& password, const std::string& from = "10.0.0.1:5000") {
    std::promise<Code> answer;
    logins_.LogIn(user, password, from, [&answer](const Result<std::shared_ptr<Databases>>& databases) {
      answer.set_value(databases ? Code::kOk : databases.error().code());
    });
    return answer.get_future().get();
  }

  client::testing::FakeServers servers_;
  std::map<std::string, std::string> passwords_{{"ada", "sesame"}, {"bob", "secret"}};
  std::atomic<Code> refuses_ = Code::kOk;
  std::atomic<int> asked_ = 0;
  rpc::EventLoop loop_{"logins"};
  ClusterLogins logins_{{}, "redis", {}, {&loop_}, [this](ClientOptions options) { return Judge(std::move(options)); }};
};

TEST_F(LoginsTest, WhatIsRememberedIsNotGuessedAtWithoutEnd) {
  ASSERT_EQ(LogIn("ada", "sesame", "10.0.0.2:1"), Code::kOk);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(LogIn("ada", "guess"), Code::kPermissionDenied) << i;
  EXPECT_EQ(LogIn("ada", "guess"), Code::kOverloaded);
  EXPECT_EQ(LogIn("ada", "sesame"), Code::kOverloaded) << "nor is it told which one is right";
  EXPECT_EQ(LogIn("ada", "sesame", "10.0.0.2:2"), Code::kOk);
}

TEST_F(LoginsTest, GuessesThatComeTogetherCountBeforeTheyAreJudged) {
  ASSERT_EQ(LogIn("ada", "sesame", "10.0.0.2:1"), Code::kOk);
  std::vector<std::promise<Code>> answers(10);
  std::promise<void> held;
  loop_.Post([&] {
    for (std::promise<Code>& answer : answers) {
      logins_.LogIn("ada", "guess", "10.0.0.1:5000", [&answer](const Result<std::shared_ptr<Databases>>& databases) {
        answer.set_value(databases ? Code::kOk : databases.error().code());
      });
    }
    logins_.LogIn("ada", "sesame", "10.0.0.1:5000", [&held](const Result<std::shared_ptr<Databases>>& databases) {
      EXPECT_FALSE(databases);
      held.set_value();
    });
  });
  held.get_future().wait();
  for (std::promise<Code>& answer : answers) EXPECT_EQ(answer.get_future().get(), Code::kPermissionDenied);
}

TEST_F(LoginsTest, RightPasswordsAndNewOnesSpendNothing) {
  for (int i = 0; i < 30; ++i) EXPECT_EQ(LogIn("ada", "sesame"), Code::kOk);
  EXPECT_EQ(asked_, 1) << "who is believed is not asked about";
  for (int i = 0; i < 15; ++i) {
    passwords_["ada"] = "new" + std::to_string(i);
    EXPECT_EQ(LogIn("ada", passwords_["ada"]), Code::kOk) << i;
  }
}

TEST_F(LoginsTest, WhatTheClusterRefusesForTooManyFailuresCounts) {
  refuses_ = Code::kOverloaded;
  for (int i = 0; i < 12; ++i) EXPECT_EQ(LogIn("eve", "guess"), Code::kOverloaded);
  EXPECT_EQ(asked_, 10) << "then the gateway refuses by itself";
}

TEST_F(LoginsTest, WhileTheClusterTakesNoLoginsWhatItTookLastIsBelieved) {
  ASSERT_EQ(LogIn("ada", "sesame"), Code::kOk);
  passwords_["ada"] = "another";
  ASSERT_EQ(LogIn("ada", "another"), Code::kOk);
  for (const Code code : {Code::kOverloaded, Code::kUnavailable}) {
    refuses_ = code;
    EXPECT_EQ(LogIn("ada", "another"), Code::kOk);
    EXPECT_EQ(LogIn("ada", "sesame"), code);
    EXPECT_EQ(LogIn("bob", "secret"), code);
  }
  for (int i = 0; i < 7; ++i) EXPECT_EQ(LogIn("ada", "guess"), Code::kUnavailable);
  EXPECT_EQ(LogIn("ada", "guess"), Code::kOverloaded) << "a wrong one counts though nobody has judged it";
}

}  // namespace
}  // namespace ebla::gateway::redis
