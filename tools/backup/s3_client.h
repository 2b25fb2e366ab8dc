// tools/backup/s3_client.h
// Single requests to an S3-compatible store. They are signed (AWS Signature Version 4, by libcurl), and retried while
// the store is out of order, because every request that is used here may be sent twice.
// Place:   s3_store.h makes objects of them.
// Errors:  UNAVAILABLE when the store did not answer, or answered that it cannot now, for `patience`. A refusal is in
//          the reply, and Refusal() describes it.
// Source:  libcurl; Amazon S3 API reference, 2006-03-01.
// Threads: thread-compatible: one connection.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "tools/backup/s3_settings.h"

namespace ebla::backup {

struct S3ClientOptions {
  std::chrono::milliseconds patience{120'000};
  std::chrono::milliseconds retry_first{200}, retry_most{5'000};
  std::function<bool()> interrupted = [] { return false; };
};

struct S3Request {
  std::string method;      // GET, HEAD, PUT, DELETE
  std::string object;      // with the settings' prefix before it; empty: the bucket
  std::string query;       // encoded, sorted by names; empty: none
  std::string_view body;   // of a PUT
  std::string byte_range;  // "0-99" of a GET; empty: all of it
};

struct S3Reply {
  long status = 0;  // of HTTP
  std::string body;
  std::map<std::string, std::string> headers;  // by small letters
};

class S3Client {
 public:
  S3Client(S3Settings settings, S3ClientOptions options);
  ~S3Client();
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;

  Result<S3Reply> Send(const S3Request& request);
  // Why a reply that is no success is none: of `where`, as people find it.
  Error Refusal(const S3Reply& reply, const std::string& where) const;
  const S3Settings& settings() const { return settings_; }

 private:
  class Handle;

  Result<S3Reply> Try(const S3Request& request);
  std::string Url(const S3Request& request) const;

  const S3Settings settings_;
  const S3ClientOptions options_;
  const std::unique_ptr<Handle> handle_;
};

// Encodes text for a path or a query of a URL; `keep`: further characters that stay as they are.
std::string EncodeForUrl(std::string_view text, std::string_view keep = "");

}  // namespace ebla::backup
