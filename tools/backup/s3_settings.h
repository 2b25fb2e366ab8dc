// tools/backup/s3_settings.h
// How an S3-compatible store is reached, from where its users keep that:
//   keys      AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else profile AWS_PROFILE ("default") of
//             AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials). Never from the command line, which others can read.
//   region    what was typed; AWS_REGION; AWS_DEFAULT_REGION; us-east-1
//   endpoint  what was typed; AWS_ENDPOINT_URL_S3; AWS_ENDPOINT_URL; Amazon's of the region
//   CA        AWS_CA_BUNDLE; else the machine's
// Errors:  INVALID_ARGUMENT, with what to set.
// Source:  the settings of the AWS command line.
// Threads: values; the environment is read by one thread.
#pragma once

#include <functional>
#include <string>

#include "common/base/status.h"

namespace ebla::backup {

struct S3Settings {
  std::string bucket;
  std::string prefix;    // of every object: "nightly/", or none
  std::string endpoint;  // "https://s3.eu-west-1.amazonaws.com"
  bool bucket_in_host = false;
  std::string region;
  std::string key_id, secret, session_token;
  std::string ca_file;
};

using Environment = std::function<const char*(const char*)>;

// `url`: "s3://BUCKET" or "s3://BUCKET/PREFIX".
Result<S3Settings> FindS3Settings(const std::string& url, std::string endpoint, std::string region,
                                  const Environment& environment);

}  // namespace ebla::backup
