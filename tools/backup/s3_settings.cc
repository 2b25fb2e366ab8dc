#include "tools/backup/s3_settings.h"

#include <algorithm>
#include <fstream>
#include <initializer_list>

namespace ebla::backup {
namespace {

constexpr std::string_view kScheme = "s3://";

std::string First(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = environment(name); value != nullptr && *value != 0) return value;
  }
  return "";
}

std::string Trimmed(const std::string& text) {
  const size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

// [profile], and below it lines of NAME = VALUE.
void ReadProfile(std::ifstream& in, const std::string& profile, S3Settings& settings) {
  bool within = false;
  for (std::string line; std::getline(in, line);) {
    line = Trimmed(line);
    if (line.starts_with('[')) {
      within = Trimmed(line.substr(1, line.find(']') - 1)) == profile;
      continue;
    }
    const size_t equals = line.find('=');
    if (!within || line.starts_with('#') || equals == std::string::npos) continue;
    const std::string name = Trimmed(line.substr(0, equals)), value = Trimmed(line.substr(equals + 1));
    if (name == "aws_access_key_id") settings.key_id = value;
    if (name == "aws_secret_access_key") settings.secret = value;
    if (name == "aws_session_token") settings.session_token = value;
  }
}

Status FindKeys(const Environment& environment, S3Settings& settings) {
  settings.key_id = First(environment, {"AWS_ACCESS_KEY_ID"});
  settings.secret = First(environment, {"AWS_SECRET_ACCESS_KEY"});
  settings.session_token = First(environment, {"AWS_SESSION_TOKEN"});
  if (!settings.key_id.empty() && !settings.secret.empty()) return {};
  if (!settings.key_id.empty() || !settings.secret.empty())
    return Error(Code::kInvalidArgument, "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  std::string file = First(environment, {"AWS_SHARED_CREDENTIALS_FILE"});
  if (file.empty()) file = First(environment, {"HOME"}) + "/.aws/credentials";
  std::string profile = First(environment, {"AWS_PROFILE"});
  if (profile.empty()) profile = "default";
  std::ifstream in(file);
  if (in) ReadProfile(in, profile, settings);
  if (!settings.key_id.empty() && !settings.secret.empty()) return {};
  return Error(Code::kInvalidArgument,
               "no keys of the S3 store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or " +
                   (in.is_open() ? "the profile [" + profile + "] in " + file : "make " + file));
}

Status TakeUrl(const std::string& url, S3Settings& settings) {
  const std::string rest = url.substr(kScheme.size());
  settings.bucket = rest.substr(0, rest.find('/'));
  const bool right =
      settings.bucket.size() >= 3 && settings.bucket.size() <= 63 && std::ranges::all_of(settings.bucket, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      });
  if (!right) return Error(Code::kInvalidArgument, "\"" + url + "\" names no bucket: write s3://BUCKET/PREFIX");
  if (rest.size() > settings.bucket.size() + 1) settings.prefix = rest.substr(settings.bucket.size() + 1);
  while (settings.prefix.ends_with('/')) settings.prefix.pop_back();
  if (settings.prefix.starts_with('/') || settings.prefix.find("//") != std::string::npos)
    return Error(Code::kInvalidArgument, "\"" + url + "\" has an empty folder");
  if (!settings.prefix.empty()) settings.prefix += "/";
  return {};
}

}  // namespace

Result<S3Settings> FindS3Settings(const std::string& url, std::string endpoint, std::string region,
                                  const Environment& environment) {
  S3Settings settings;
  EBLA_TRY(TakeUrl(url, settings));
  EBLA_TRY(FindKeys(environment, settings));
  settings.region = region.empty() ? First(environment, {"AWS_REGION", "AWS_DEFAULT_REGION"}) : std::move(region);
  if (settings.region.empty()) settings.region = "us-east-1";
  settings.ca_file = First(environment, {"AWS_CA_BUNDLE"});
  settings.endpoint =
      endpoint.empty() ? First(environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}) : std::move(endpoint);
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  if (settings.endpoint.empty()) {
    settings.endpoint = "https://s3." + settings.region + ".amazonaws.com";
    // A dot would make it a host that Amazon's certificate does not name.
    settings.bucket_in_host = settings.bucket.find('.') == std::string::npos;
  } else if (!settings.endpoint.starts_with("http://") && !settings.endpoint.starts_with("https://")) {
    return Error(Code::kInvalidArgument,
                 "\"" + settings.endpoint + "\" is no endpoint: write https://HOST, or http://HOST:PORT without TLS");
  }
  return settings;
}

}  // namespace ebla::backup
