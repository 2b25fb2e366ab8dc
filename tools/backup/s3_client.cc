#include "tools/backup/s3_client.h"

#include <curl/curl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <cstring>
#include <sstream>

#include "common/base/interruptible_wait.h"

namespace ebla::backup {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kConnectSeconds = 10, kStalledSeconds = 30;

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text.push_back(kDigits[static_cast<uint8_t>(byte) >> 4]);
    text.push_back(kDigits[static_cast<uint8_t>(byte) & 15]);
  }
  return text;
}

std::string Sha256(std::string_view bytes) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), sum, &size, EVP_sha256(), nullptr);
  return Hex({reinterpret_cast<const char*>(sum), size});
}

size_t TakeBody(const char* bytes, size_t one, size_t count, void* to) {
  static_cast<std::string*>(to)->append(bytes, one * count);
  return one * count;
}

size_t TakeHeader(const char* bytes, size_t one, size_t count, void* to) {
  std::string line(bytes, one * count);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
  const size_t colon = line.find(':');
  if (colon != std::string::npos) {
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    const size_t value = line.find_first_not_of(' ', colon + 1);
    (*static_cast<std::map<std::string, std::string>*>(to))[name] =
        value == std::string::npos ? "" : line.substr(value);
  }
  return one * count;
}

size_t GiveBody(char* to, size_t one, size_t count, void* from) {
  auto& rest = *static_cast<std::string_view*>(from);
  const size_t given = std::min(one * count, rest.size());
  std::memcpy(to, rest.data(), given);
  rest.remove_prefix(given);
  return given;
}

// Whether the same may be answered otherwise soon.
bool MayPass(const S3Reply& reply) {
  return reply.status >= 500 || reply.status == 429 || reply.status == 408 ||
         (reply.status == 400 && reply.body.find("<Code>RequestTimeout</Code>") != std::string::npos);
}

// <Error><Code>..</Code><Message>..</Message>..</Error>, if the store sends it.
struct Said {
  std::string code, message, region;
};
Said WhatItSays(const S3Reply& reply) {
  Said said;
  try {
    std::istringstream in(reply.body);
    boost::property_tree::ptree tree;
    boost::property_tree::read_xml(in, tree);
    said.code = tree.get("Error.Code", "");
    said.message = tree.get("Error.Message", "");
    said.region = tree.get("Error.Region", "");
  } catch (const std::exception&) {
    // An answer in another form has no more than its status.
  }
  if (const auto region = reply.headers.find("x-amz-bucket-region"); region != reply.headers.end())
    said.region = region->second;
  return said;
}

}  // namespace

class S3Client::Handle {
 public:
  Handle() {
    static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (kReady == CURLE_OK) curl_ = curl_easy_init();
  }
  ~Handle() { curl_easy_cleanup(curl_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURL* get() const { return curl_; }

 private:
  CURL* curl_ = nullptr;
};

S3Client::S3Client(S3Settings settings, S3ClientOptions options)
    : settings_(std::move(settings)), options_(std::move(options)), handle_(std::make_unique<Handle>()) {}

S3Client::~S3Client() = default;

std::string S3Client::Url(const S3Request& request) const {
  const size_t host = settings_.endpoint.find("://") + 3;
  std::string url = settings_.bucket_in_host
                        ? settings_.endpoint.substr(0, host) + settings_.bucket + "." + settings_.endpoint.substr(host)
                        : settings_.endpoint + "/" + settings_.bucket;
  url += "/";
  if (!request.object.empty()) url += EncodeForUrl(settings_.prefix + request.object, "/");
  return request.query.empty() ? url : url + "?" + request.query;
}

Result<S3Reply> S3Client::Send(const S3Request& request) {
  const auto until = Clock::now() + options_.patience;
  auto rest = options_.retry_first;
  while (true) {
    Result<S3Reply> reply = Try(request);
    if (reply ? !MayPass(*reply) : reply.error().code() != Code::kUnavailable) return reply;
    const Status failed = reply ? Status(Refusal(*reply, settings_.endpoint)) : reply.error();
    if (options_.interrupted() || Clock::now() + rest >= until) return Error(Code::kUnavailable, failed.message());
    if (!WaitUnless(options_.interrupted, rest)) return Error(Code::kUnavailable, failed.message());
    rest = std::min(2 * rest, options_.retry_most);
  }
}

Result<S3Reply> S3Client::Try(const S3Request& request) {
  CURL* const curl = handle_->get();
  if (curl == nullptr) return Error(Code::kInternal, "libcurl does not start");
  curl_easy_reset(curl);
  S3Reply reply;
  std::string_view body = request.body;
  char why[CURL_ERROR_SIZE] = "";
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, &curl_slist_free_all);
  const auto add = [&](const std::string& line) { headers.reset(curl_slist_append(headers.release(), line.c_str())); };
  add("x-amz-content-sha256: " + Sha256(request.body));
  if (!settings_.session_token.empty()) add("x-amz-security-token: " + settings_.session_token);
  if (!request.byte_range.empty()) add("Range: bytes=" + request.byte_range);
  const std::string url = Url(request), keys = settings_.key_id + ":" + settings_.secret;
  const std::string signing = "aws:amz:" + settings_.region + ":s3";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, signing.c_str());
  curl_easy_setopt(curl, CURLOPT_USERPWD, keys.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1024L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakeBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &TakeHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply.headers);
  if (!settings_.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, settings_.ca_file.c_str());
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT") {
    // Without "Expect:", which would keep libcurl 7.88 from asking first: it signs that header and does not send it.
    add("Content-Type: application/octet-stream");
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &GiveBody);
    curl_easy_setopt(curl, CURLOPT_READDATA, &body);
  } else if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode done = curl_easy_perform(curl);
  if (done != CURLE_OK) {
    // Errors that time does not mend: a certificate that is not trusted, and a wrong address.
    const bool final = done == CURLE_PEER_FAILED_VERIFICATION || done == CURLE_SSL_CACERT_BADFILE ||
                       done == CURLE_URL_MALFORMAT || done == CURLE_UNSUPPORTED_PROTOCOL;
    return Error(final ? Code::kInvalidArgument : Code::kUnavailable,
                 settings_.endpoint + ": " + (*why != 0 ? why : curl_easy_strerror(done)));
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
  return reply;
}

Error S3Client::Refusal(const S3Reply& reply, const std::string& where) const {
  const Said said = WhatItSays(reply);
  std::string answer = "the store answers " + std::to_string(reply.status);
  if (!said.code.empty()) answer += " " + said.code;
  if (!said.message.empty()) answer += ": " + said.message;
  if (!said.region.empty() && said.region != settings_.region)
    return Error(Code::kInvalidArgument, "the bucket " + settings_.bucket + " is in region " + said.region + ", not " +
                                             settings_.region + ": say --s3-region " + said.region + " (" + answer +
                                             ")");
  if (said.code == "NoSuchBucket")
    return Error(Code::kInvalidArgument, "there is no bucket " + settings_.bucket + " at " + settings_.endpoint +
                                             ": create it, or name another (" + answer + ")");
  if (reply.status == 401 || reply.status == 403)
    return Error(Code::kPermissionDenied,
                 where + ": the key " + settings_.key_id + " lacks permission or is wrong (" + answer + ")");
  if (reply.status == 404) return Error(Code::kNotFound, where + " is not there (" + answer + ")");
  return Error(reply.status >= 500 || reply.status == 429 ? Code::kUnavailable : Code::kInvalidArgument,
               where + ": " + answer);
}

std::string EncodeForUrl(std::string_view text, std::string_view keep) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "-._~";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kPlain.find(c) != std::string_view::npos || keep.find(c) != std::string_view::npos;
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace ebla::backup
