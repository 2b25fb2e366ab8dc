#include "common/security/audit_log.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "common/testing/temporary_directory.h"

namespace ebla::security {
namespace {

std::string Contents(const std::string& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(AuditLog, OneLineAnEventWhateverBytesItHas) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/audit.log";
  auto log = AuditLog::Open({.file = file});
  ASSERT_TRUE(log.has_value()) << log.error();
  (*log)->Record({{Identity::Kind::kUser, "a\n\"\xff"}, "127.0.0.1:1", "dropTable", "table=carts", {}});
  (*log)->Record({{Identity::Kind::kAnonymous, "eve"}, "", "login", "", {Code::kPermissionDenied, "no"}});
  const std::string text = Contents(file);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_NE(text.find(R"("action":"dropTable","of":"table=carts","code":"OK")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("user":"eve","kind":"nobody","action":"login","code":"PERMISSION_DENIED")"), std::string::npos)
      << text;
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(AuditLog, FilesAreBounded) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/audit.log";
  auto log = AuditLog::Open({.file = file, .bytes_max = 1000, .files_max = 2});
  ASSERT_TRUE(log.has_value());
  for (int i = 0; i < 100; ++i) (*log)->Record({{Identity::Kind::kUser, "ada"}, "", "login", std::to_string(i), {}});
  EXPECT_TRUE(std::filesystem::exists(file + ".2"));
  EXPECT_FALSE(std::filesystem::exists(file + ".3"));
  EXPECT_NE(Contents(file).find("\"99\""), std::string::npos);
  EXPECT_LT(std::filesystem::file_size(file + ".1"), 1200u);
}

TEST(AuditLog, WhoIsRefusedAllTheTimeHasAFewLines) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/audit.log";
  auto log = AuditLog::Open({.file = file});
  ASSERT_TRUE(log.has_value());
  const Status refused(Code::kPermissionDenied, "no");
  for (int i = 0; i < 1'000; ++i)
    (*log)->Record({{Identity::Kind::kUser, "eve"}, "10.0.0.1:1", "dropTable", "", refused});
  (*log)->Record({{Identity::Kind::kUser, "bob"}, "10.0.0.2:1", "dropTable", "", refused});
  (*log)->Record({{Identity::Kind::kOperator, "olga"}, "10.0.0.1:1", "dropTable", "", {}});
  const std::string text = Contents(file);
  EXPECT_EQ(std::ranges::count(text, '\n'), 22);
  EXPECT_NE(text.find("bob"), std::string::npos);
  EXPECT_NE(text.find("olga"), std::string::npos);
}

TEST(AuditLog, AfterHalfALineTheNextOneBeginsAnew) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/audit.log";
  const auto size = [&] { return std::filesystem::file_size(file); };
  auto log = AuditLog::Open({.file = file});
  ASSERT_TRUE(log.has_value());
  const auto record = [&](const std::string& action) {
    (*log)->Record({{Identity::Kind::kUser, "ada"}, "", action, "", {}});
  };
  // A full disk: only the first few bytes, for which there is room, are written.
  const auto record_in_part = [&](const std::string& action) {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit less{.rlim_cur = size() + 10, .rlim_max = limit.rlim_max};
    const auto before = signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &less), 0);
    record(action);
    record(action);
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, before);
    ASSERT_EQ(size(), less.rlim_cur);
  };
  record("first");
  record_in_part("lost");
  record("second");
  record_in_part("lost, too");
  log = AuditLog::Open({.file = file});  // the process has ended, and begun anew
  ASSERT_TRUE(log.has_value());
  record("third");
  std::stringstream lines(Contents(file));
  std::vector<std::string> whole;
  for (std::string line; std::getline(lines, line);) {
    const auto parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_discarded()) whole.push_back(parsed["action"]);
  }
  EXPECT_EQ(whole, (std::vector<std::string>{"first", "second", "third"})) << lines.str();
}

TEST(AuditLog, AFileThatCannotBeWrittenIsNamed) {
  const auto log = AuditLog::Open({.file = "/nowhere/audit.log"});
  ASSERT_FALSE(log.has_value());
  EXPECT_NE(log.error().message().find("/nowhere/audit.log"), std::string::npos);
}

}  // namespace
}  // namespace ebla::security
