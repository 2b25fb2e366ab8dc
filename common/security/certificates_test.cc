#include "common/security/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/base/read_all.h"
#include "common/testing/temporary_directory.h"

namespace ebla::security {
namespace {

using ::testing::HasSubstr;

class CertificatesTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  int RightsOf(const std::string& file) const {
    struct stat about{};
    EXPECT_EQ(stat(Path(file).c_str(), &about), 0) << file;
    return static_cast<int>(about.st_mode & 0777);
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(CertificatesTest, KeysAreTheirOwnersAlone) {
  ASSERT_TRUE(CreateAuthority(Path("ca"), 10).ok());
  ASSERT_TRUE(CreateCertificate(Path("ca"), Path("u"), {.name = "ada"}).ok());
  EXPECT_EQ(RightsOf("ca/ca.key"), 0600);
  EXPECT_EQ(RightsOf("ca/ca.crt"), 0644);
  EXPECT_EQ(RightsOf("u/client.key"), 0600);
  EXPECT_TRUE(std::filesystem::exists(Path("u/ca.crt")));
  EXPECT_FALSE(std::filesystem::exists(Path("u/ca.key")));
}

TEST_F(CertificatesTest, AnAuthoritysKeyThatOthersCanReadIsRefused) {
  ASSERT_TRUE(CreateAuthority(Path("ca"), 10).ok());
  std::filesystem::permissions(Path("ca/ca.key"), std::filesystem::perms{0644});
  EXPECT_THAT(CreateCertificate(Path("ca"), Path("u"), {.name = "ada"}).message(), HasSubstr("chmod 600"));
  std::filesystem::permissions(Path("ca/ca.key"), std::filesystem::perms{0600});
  EXPECT_TRUE(CreateCertificate(Path("ca"), Path("u"), {.name = "ada"}).ok());
}

TEST_F(CertificatesTest, NothingIsOverwritten) {
  ASSERT_TRUE(CreateAuthority(Path("ca"), 10).ok());
  EXPECT_THAT(CreateAuthority(Path("ca"), 10).message(), HasSubstr("there already"));
  ASSERT_TRUE(CreateCertificate(Path("ca"), Path("u"), {.name = "ada"}).ok());
  EXPECT_THAT(CreateCertificate(Path("ca"), Path("u"), {.name = "bob"}).message(), HasSubstr("there already"));
}

TEST_F(CertificatesTest, BadRequestsAreNamed) {
  EXPECT_THAT(CreateCertificate(Path("none"), Path("u"), {.name = "ada"}).message(), HasSubstr("none/ca.crt"));
  ASSERT_TRUE(CreateAuthority(Path("ca"), 10).ok());
  EXPECT_THAT(CreateCertificate(Path("ca"), Path("u"), {.name = ""}).message(), HasSubstr("1 to 64"));
  EXPECT_THAT(CreateCertificate(Path("ca"), Path("s"), {.kind = Identity::Kind::kServer, .name = "a"}).message(),
              HasSubstr("give one"));
  EXPECT_THAT(CreateCertificate(Path("ca"), Path("s"), {.kind = Identity::Kind::kGateway, .name = "a"}).message(),
              HasSubstr("give one"));
  for (const char* host : {"", "a,b", "h:7410", "two words"})
    EXPECT_THAT(
        CreateCertificate(Path("ca"), Path("s"), {.kind = Identity::Kind::kServer, .name = "a", .hosts = {host}})
            .message(),
        HasSubstr("is no host"))
        << host;
  EXPECT_FALSE(std::filesystem::exists(Path("s/server.key")));
}

TEST_F(CertificatesTest, OnlyItsOwnCanBeRevoked) {
  ASSERT_TRUE(CreateAuthority(Path("ca"), 10).ok());
  ASSERT_TRUE(CreateAuthority(Path("ca2"), 10).ok());
  ASSERT_TRUE(CreateCertificate(Path("ca2"), Path("u"), {.name = "ada"}).ok());
  const auto list = [this] {
    std::ifstream in(Path("ca/ca.crl"));
    return ReadAll(in);
  };
  const std::string empty = list();
  EXPECT_THAT(empty, HasSubstr("X509 CRL"));
  EXPECT_THAT(Revoke(Path("ca"), Path("u/client.crt")).message(), HasSubstr("not signed by this authority"));
  EXPECT_THAT(Revoke(Path("ca"), Path("ca/ca.key")).message(), HasSubstr("no certificate"));
  EXPECT_EQ(list(), empty);
}

}  // namespace
}  // namespace ebla::security
