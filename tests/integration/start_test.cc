// Messages to an operator when a process of Ebla does not start as intended: the programs themselves, without a
// cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/read_all.h"
#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"
#include "test_paths.h"
#include "tools/cluster/child_process.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class StartTest : public ::testing::Test {
 protected:
  ~StartTest() override {
    for (const cluster::ProcessId& process : started_) {
      (void)cluster::Signal(process, SIGKILL);
      cluster::WaitForExit(process, 15s);
    }
  }

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  // The output of all of them.
  std::string Printed() const {
    std::ifstream in(Path("printed"));
    return ReadAll(in);
  }
  cluster::ProcessId Start(const std::string& program, const std::vector<std::string>& flags) {
    std::vector<std::string> command = {std::string(kBinaryDir) + "/bin/" + program, "--listen=127.0.0.1:0",
                                        "--http_listen=127.0.0.1:0"};
    command.insert(command.end(), flags.begin(), flags.end());
    const auto process = cluster::Spawn({.command = std::move(command),
                                         .working_dir = directory_.path(),
                                         .output_file = Path("printed"),
                                         .die_with_parent = true});
    EXPECT_TRUE(process.has_value()) << process.error();
    started_.push_back(process.value_or(cluster::ProcessId()));
    return started_.back();
  }
  // How it ended.
  int Run(const std::string& program, const std::vector<std::string>& flags) {
    const Result<int> code = cluster::ExitCode(Start(program, flags), 30s);
    EXPECT_TRUE(code.has_value()) << code.error();
    return code.value_or(-1);
  }
  static bool Until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 30s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }

  const TemporaryDirectory directory_;
  std::vector<cluster::ProcessId> started_;
};

TEST_F(StartTest, ServersWithoutZooKeeperSayThatTheyWaitForIt) {
  const std::string nowhere = "--zookeeper=127.0.0.1:1/nowhere";  // nothing listens there
  for (const std::string program : {"ebla-tabletserver", "ebla-master"}) {
    Start(program, {"--name=one", "--data_dir=" + Path(program), nowhere});
    EXPECT_TRUE(Until([&] {
      const std::string printed = Printed();
      return printed.contains(program + ": not ready yet: ") && printed.contains("log: " + Path(program) + "/logs\n");
    })) << Printed();
  }
  EXPECT_THAT(Printed(), HasSubstr("coordinator (ZooKeeper)"));
  EXPECT_THAT(Printed(), HasSubstr("(" + nowhere + ")"));
}

TEST_F(StartTest, ADirectoryThatCannotBeTheirsIsRefused) {
  for (const std::string program : {"ebla-tabletserver", "ebla-master", "ebla-standalone"}) {
    EXPECT_EQ(Run(program, {"--name=one", "--data_dir=/proc/x"}), 1);
    EXPECT_THAT(Printed(), HasSubstr(program + ": cannot make the data directory /proc/x: No such file or directory"));
  }
  fs::create_directory(Path("alien"));
  std::ofstream(Path("alien/letter.txt")) << "Dear Ann";
  for (const std::string program : {"ebla-tabletserver", "ebla-standalone"}) {
    EXPECT_EQ(Run(program, {"--name=one", "--data_dir=" + Path("alien")}), 2);
    EXPECT_THAT(Printed(), HasSubstr(program + ": " + Path("alien") + " holds \"letter.txt\""));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(Path("alien")), {}), 1) << "nothing was made there";
}

TEST_F(StartTest, AnAddressThatOthersCannotUseIsRefused) {
  for (const std::string program : {"ebla-tabletserver", "ebla-master", "ebla-standalone"}) {
    const auto refusal = [&](const std::vector<std::string>& more) {
      std::vector<std::string> flags = {"--name=one", "--data_dir=" + Path(program), "--insecure"};
      flags.insert(flags.end(), more.begin(), more.end());
      EXPECT_EQ(Run(program, flags), 2) << more.back();
      return Printed();
    };
    EXPECT_THAT(refusal({"--listen=0.0.0.0:0"}), HasSubstr("--listen=0.0.0.0:0 stands for every address"));
    EXPECT_THAT(refusal({"--listen=[::]:0"}), HasSubstr("name one with --advertise=HOST:PORT"));
    EXPECT_THAT(refusal({"--advertise=0.0.0.0:0"}), HasSubstr("--advertise=0.0.0.0:0 stands for every address"));
    EXPECT_THAT(refusal({"--advertise=127.0.0.1:0"}), HasSubstr("--advertise=127.0.0.1:0 names port 0"));
    EXPECT_FALSE(fs::exists(Path(program))) << "wrong usage makes nothing";
  }
}

TEST_F(StartTest, AListenerWhoseHostDoesNotResolveIsToldSo) {
  EXPECT_NE(Run("ebla-standalone", {"--data_dir=" + Path("data"), "--redis_listen=nosuchhost.invalid:1"}), 0);
  EXPECT_THAT(Printed(),
              HasSubstr("--redis_listen=nosuchhost.invalid:1: the host \"nosuchhost.invalid\" does not resolve"));
  EXPECT_THAT(Printed(), ::testing::Not(HasSubstr("can be reached from other machines")));
}

TEST_F(StartTest, FlagsOfAListenerThatIsOffAreChecked) {
  for (const std::string flag :
       {"--redis_transactions=none", "--read_level=fresh", "--ack=some", "--redis_advertise=x"}) {
    EXPECT_EQ(Run("ebla-standalone", {"--data_dir=" + Path("data"), flag}), 2) << flag << Printed();
    EXPECT_THAT(Printed(), HasSubstr("ebla-standalone: " + flag.substr(0, flag.find('=')) + ": "));
    EXPECT_FALSE(fs::exists(Path("data")));
  }
}

TEST_F(StartTest, AMasterHasANameAndADirectoryOfItsOwn) {
  for (const std::string& name : {std::string(), std::string("m\n1"), std::string(300, 'm'), std::string("..")}) {
    EXPECT_EQ(Run("ebla-master", {"--data_dir=" + Path("data"), "--name=" + name}), 2) << name;
    EXPECT_THAT(Printed(), HasSubstr("ebla-master: --name \"" + (name == "m\n1" ? "m" : name.substr(0, 128))));
  }
  EXPECT_FALSE(fs::exists(Path("data")));
  fs::create_directory(Path("data"));
  std::ofstream(Path("data/IDENTITY")) << "some tablet server's";
  EXPECT_EQ(Run("ebla-master", {"--data_dir=" + Path("data"), "--name=m-1"}), 2);
  EXPECT_THAT(Printed(), HasSubstr(Path("data") + " holds the data of a tablet server or of ebla-standalone"));
  EXPECT_EQ(std::distance(fs::directory_iterator(Path("data")), {}), 1) << "nothing was made there";
}

TEST_F(StartTest, ASecretForZooKeeperThatIsNoneEndsTheProcess) {
  std::ofstream(Path("secret")) << "hunter2\n";
  fs::permissions(Path("secret"), fs::perms::owner_read | fs::perms::owner_write);
  for (const std::string program : {"ebla-tabletserver", "ebla-master"}) {
    const std::vector<std::string> flags = {"--name=one", "--data_dir=" + Path(program)};
    const auto with = [&](const std::string& file) {
      std::vector<std::string> all = flags;
      all.push_back("--zookeeper_auth_file=" + Path(file));
      return all;
    };
    EXPECT_NE(Run(program, with("none")), 0);
    EXPECT_THAT(Printed(), HasSubstr(program + ": " + Path("none") + ", the secret for ZooKeeper: cannot be read"));
    EXPECT_NE(Run(program, with("secret")), 0);
    EXPECT_THAT(Printed(), HasSubstr(program + ": " + Path("secret") + ", the secret for ZooKeeper: line 1 is not"));
  }
  EXPECT_FALSE(Printed().contains("hunter2"));
}

// It would serve nothing: tablet servers refuse what it orders, its own one too.
TEST_F(StartTest, AMasterWithACertificateThatNobodyObeysIsRefused) {
  ASSERT_TRUE(security::CreateAuthority(Path("ca"), 1).ok());
  for (const char* name : {"*", "one"}) {
    const security::CertificateOptions server{
        .kind = security::Identity::Kind::kServer, .name = name, .hosts = {"127.0.0.1"}};
    ASSERT_TRUE(security::CreateCertificate(Path("ca"), Path(name), server).ok());
  }
  const auto with = [&](const std::string& program, const std::string& certificate) {
    return std::vector<std::string>{"--name=one", "--data_dir=" + Path(program), "--tls_dir=" + Path(certificate)};
  };
  for (const std::string program : {"ebla-master", "ebla-standalone"}) {
    EXPECT_NE(Run(program, with(program, "*")), 0);
    EXPECT_THAT(Printed(), HasSubstr(program + ": " + Path("*") + "/server.crt is of the server \"*\""));
  }
  EXPECT_NE(Run("ebla-master", with("ebla-master", "one")), 0);
  Start("ebla-standalone", with("ebla-standalone", "one"));
  EXPECT_TRUE(Until([&] { return Printed().contains("ebla-standalone serves at"); })) << Printed();
}

}  // namespace
}  // namespace ebla::testing
