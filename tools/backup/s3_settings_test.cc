#include "tools/backup/s3_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "common/testing/temporary_directory.h"

namespace ebla::backup {
namespace {

using ::testing::HasSubstr;

class S3SettingsTest : public ::testing::Test {
 protected:
  Result<S3Settings> Find(const std::string& url, const std::string& endpoint = "", const std::string& region = "") {
    return FindS3Settings(url, endpoint, region, [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }

  std::map<std::string, std::string> environment_ = {{"AWS_ACCESS_KEY_ID", "ID"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}};
};

TEST_F(S3SettingsTest, AmazonsByDefault) {
  const auto found = Find("s3://bucket/a/b/");
  ASSERT_TRUE(found.has_value()) << found.error();
  EXPECT_EQ(found->bucket, "bucket");
  EXPECT_EQ(found->prefix, "a/b/");
  EXPECT_EQ(found->endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_TRUE(found->bucket_in_host);
  EXPECT_FALSE(Find("s3://with.dots")->bucket_in_host) << "the certificate names no such host";
  EXPECT_EQ(Find("s3://with.dots")->prefix, "");
}

TEST_F(S3SettingsTest, WhatIsTypedGoesBeforeTheEnvironment) {
  environment_["AWS_ENDPOINT_URL"] = "https://any";
  EXPECT_EQ(Find("s3://bucket")->endpoint, "https://any");
  environment_["AWS_ENDPOINT_URL_S3"] = "https://minio:9000/";
  environment_["AWS_DEFAULT_REGION"] = "eu-west-1";
  EXPECT_EQ(Find("s3://bucket")->endpoint, "https://minio:9000");
  EXPECT_EQ(Find("s3://bucket")->region, "eu-west-1");
  environment_["AWS_REGION"] = "eu-west-2";
  EXPECT_EQ(Find("s3://bucket")->region, "eu-west-2");
  const auto typed = Find("s3://bucket", "http://127.0.0.1:1", "here");
  EXPECT_EQ(typed->endpoint, "http://127.0.0.1:1");
  EXPECT_EQ(typed->region, "here");
  EXPECT_FALSE(typed->bucket_in_host);
}

TEST_F(S3SettingsTest, KeysComeFromAProfileOfTheCredentialsFile) {
  testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/credentials";
  std::ofstream(file) << "[default]\naws_access_key_id = A\naws_secret_access_key = B\n\n# nightly\n[ nightly ]\n"
                         "aws_access_key_id=C\naws_secret_access_key = D=\naws_session_token = E\n";
  environment_ = {{"AWS_SHARED_CREDENTIALS_FILE", file}};
  EXPECT_EQ(Find("s3://bucket")->key_id, "A");
  environment_["AWS_PROFILE"] = "nightly";
  const auto found = Find("s3://bucket");
  ASSERT_TRUE(found.has_value()) << found.error();
  EXPECT_EQ(found->key_id + found->secret + found->session_token, "CD=E");
  environment_["AWS_PROFILE"] = "weekly";
  EXPECT_THAT(Find("s3://bucket").error().message(), HasSubstr("the profile [weekly] in " + file));
}

TEST_F(S3SettingsTest, SaysWhatIsMissing) {
  EXPECT_THAT(Find("s3://").error().message(), HasSubstr("names no bucket"));
  EXPECT_THAT(Find("s3://Upper").error().message(), HasSubstr("names no bucket"));
  EXPECT_THAT(Find("s3://bucket//a").error().message(), HasSubstr("an empty folder"));
  EXPECT_THAT(Find("s3://bucket", "minio:9000").error().message(), HasSubstr("write https://HOST"));
  environment_.erase("AWS_SECRET_ACCESS_KEY");
  EXPECT_THAT(Find("s3://bucket").error().message(), HasSubstr("set both"));
  environment_.clear();
  EXPECT_THAT(Find("s3://bucket").error().message(), HasSubstr("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
}

}  // namespace
}  // namespace ebla::backup
