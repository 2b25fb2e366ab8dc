#include "common/security/scram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/rand.h>

#include <filesystem>
#include <fstream>

#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"

namespace ebla::security {
namespace {

std::shared_ptr<const ScramCredentials> Credentials(const std::string& user, const std::string& password) {
  return std::make_shared<ScramCredentials>(user, password);
}

ScramServer::FindSecret Knows(const std::string& user, const idl::Secret& secret) {
  return [=](const std::string& asked) { return asked == user ? std::optional(secret) : std::nullopt; };
}

Status LogIn(ScramClient client, const ScramServer::FindSecret& find) {
  ScramServer server;
  EBLA_ASSIGN(const std::string server_first, server.First(client.First(), find));
  EBLA_ASSIGN(const std::string client_final, client.Final(server_first));
  EBLA_ASSIGN(const std::string server_final, server.Final(client_final));
  return client.Check(server_final);
}

TEST(Scram, TheRightPasswordAloneLogsIn) {
  const auto secret = MakeSecret("sesame");
  ASSERT_TRUE(secret.has_value());
  EXPECT_TRUE(CheckSecret(*secret).ok());
  EXPECT_FALSE(CheckSecret(*MakeSecret("sesame", kScramIterationsMin)).ok()) << "it would tell that its user is known";
  const std::string user = "a,d=a \xc3\xa9";
  EXPECT_TRUE(LogIn(ScramClient(Credentials(user, "sesame")), Knows(user, *secret)).ok());
  EXPECT_EQ(LogIn(ScramClient(Credentials(user, "Sesame")), Knows(user, *secret)).code(), Code::kPermissionDenied);
  EXPECT_EQ(LogIn(ScramClient(Credentials("bob", "sesame")), Knows(user, *secret)).code(), Code::kPermissionDenied);
}

TEST(Scram, ItCannotBeToldWhetherANameIsKnown) {
  const auto secret = MakeSecret("sesame");
  const auto salt_of = [&](const std::string& user) {
    ScramServer server;
    const auto first = server.First(ScramClient(Credentials(user, "x")).First(), Knows("ada", *secret));
    return first->substr(first->find(",s="));
  };
  EXPECT_EQ(salt_of("bob"), salt_of("bob"));
  EXPECT_NE(salt_of("bob"), salt_of("eve"));
  EXPECT_EQ(salt_of("bob").size(), salt_of("ada").size());
}

TEST(Scram, ASecretIsWrittenAndReadAgain) {
  const auto secret = MakeSecret("sesame");
  const std::string text = FormatSecret(*secret);
  EXPECT_EQ(*ParseSecret(text), *secret);
  for (const std::string& wrong : {std::string(), text.substr(1), text.substr(0, text.size() - 4), text + "=",
                                   std::string("SCRAM-SHA-256$1:2$3"), std::string("SCRAM-SHA-256$x:AA==$AA==:AA==")})
    EXPECT_EQ(ParseSecret(wrong).error().code(), Code::kInvalidArgument) << wrong;
}

TEST(Scram, AllServersAnswerAnUnknownNameAlike) {
  const std::string key = MakeUnknownUserKey();
  const auto salt_of = [](const std::string& user, const std::string& of_cluster) {
    ScramServer server;
    const auto none = [](const std::string&) -> std::optional<idl::Secret> { return std::nullopt; };
    const auto first = server.First(ScramClient(Credentials(user, "x")).First(), none, of_cluster);
    return first->substr(first->find(",s="));
  };
  EXPECT_EQ(salt_of("bob", key), salt_of("bob", key));
  EXPECT_NE(salt_of("bob", key), salt_of("eve", key));
  EXPECT_NE(salt_of("bob", key), salt_of("bob", MakeUnknownUserKey()));
}

// RFC 7677 3, an exchange of the standard's own.
TEST(Scram, KnowsTheStandardsExample) {
  const std::string first_bare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
  const std::string server_first =
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
  const ScramCredentials credentials("user", "pencil");
  const std::string salt("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81", 16);
  const auto salted = credentials.SaltedPassword(salt, 4096);
  ASSERT_TRUE(salted.has_value());
  static constexpr unsigned char kSalted[] = {0xc4, 0xa4, 0x95, 0x10};
  EXPECT_EQ(salted->substr(0, 4), std::string(reinterpret_cast<const char*>(kSalted), 4));
}

TEST(Scram, GarbageIsRefused) {
  const auto secret = MakeSecret("sesame", kScramIterationsMin);
  for (const std::string text : {"", "n,,", "y,,n=ada,r=x", "n,,n=ada", "n,,n=,r=x", "n,,n=a=b,r=x",
                                 "n,,n=ada,n=bob,r=x", "n,,zzz", "n,a=other,n=ada,r=x"}) {
    ScramServer server;
    EXPECT_FALSE(server.First(text, Knows("ada", *secret)).has_value()) << text;
  }
  ScramServer server;
  ASSERT_TRUE(server.First("n,,n=ada,r=abc", Knows("ada", *secret)).has_value());
  for (const std::string text : {"", "c=biws", "c=biws,r=abc,p=AAAA", "c=biws,r=abc", "p=x", "c=eSws,r=abc,p=AAAA"})
    EXPECT_FALSE(server.Final(text).has_value()) << text;
}

TEST(Scram, AServerThatAsksForTooMuchOrTooLittleIsNotTrusted) {
  const ScramCredentials credentials("ada", "sesame");
  EXPECT_FALSE(credentials.SaltedPassword("12345678", 1).has_value());
  EXPECT_FALSE(credentials.SaltedPassword("12345678", 2'000'000'000).has_value());
}

TEST(Scram, AServerThatDoesNotKnowThePasswordIsNotTrusted) {
  const auto secret = MakeSecret("sesame", kScramIterationsMin);
  ScramClient client(Credentials("ada", "sesame"));
  ScramServer server;
  const auto first = server.First(client.First(), Knows("ada", *secret));
  ASSERT_TRUE(client.Final(*first).has_value());
  EXPECT_EQ(client.Check("v=AAAA").code(), Code::kPermissionDenied);
  EXPECT_FALSE(client.Check("e=other").ok());
}

// A salt, a nonce or a serial number that is the same each time would be an invisible hole.
TEST(ScramDeathTest, WithoutRandomBytesTheProcessEnds) {
  const auto without_random_bytes = [](auto then) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    static RAND_METHOD none{};
    none.bytes = [](unsigned char*, int) { return 0; };
    RAND_set_rand_method(&none);
#pragma GCC diagnostic pop
    then();
  };
  EXPECT_DEATH(without_random_bytes([] { (void)MakeSecret("sesame", kScramIterationsMin); }), "no random bytes");
  testing::TemporaryDirectory directory;
  EXPECT_DEATH(without_random_bytes([&] { (void)CreateAuthority(directory.path() + "/ca", 10); }), "no random bytes");
}

TEST(Scram, APasswordIsReadFromAPrivateFileAlone) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/password";
  std::ofstream(file) << "sesame\n";
  std::filesystem::permissions(file, std::filesystem::perms{0604});
  EXPECT_THAT(ReadPassword(file).error().message(), ::testing::HasSubstr("can be read by others: chmod 600 " + file));
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  EXPECT_EQ(*ReadPassword(file), "sesame");
}

}  // namespace
}  // namespace ebla::security
