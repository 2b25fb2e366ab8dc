#include "tests/chaos/gateways/memcached_client.h"

#include <cstdlib>
#include <sstream>

namespace ebla::chaos {
namespace {

// A line; values and their END are one answer.
std::optional<size_t> MemcachedAnswerLength(std::string_view bytes) {
  size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  if (!bytes.starts_with("VALUE ")) return end + 2;
  // "VALUE key flags bytes cas\r\n", the bytes, and another line
  std::istringstream line{std::string(bytes.substr(0, end))};
  std::string word, key, flags;
  size_t length = 0;
  line >> word >> key >> flags >> length;
  const size_t next = end + 2 + length + 2;
  if (bytes.size() < next) return std::nullopt;
  end = bytes.find("\r\n", next);
  return end == std::string_view::npos ? std::nullopt : std::optional(end + 2);
}

Status MemcachedMeaningOf(const std::string& answer) {
  if (answer == "STORED") return Status::Ok();
  if (answer == "EXISTS" || answer == "NOT_STORED") return Error(Code::kConditionFailed, answer);
  if (answer == "NOT_FOUND" || answer == "END") return Error(Code::kNotFound, answer);
  for (const auto& [begin, code] : {std::pair("SERVER_ERROR UNAVAILABLE", Code::kUnavailable),
                                    {"SERVER_ERROR DEADLINE_EXCEEDED", Code::kUnavailable},
                                    {"SERVER_ERROR OVERLOADED", Code::kOverloaded},
                                    {"SERVER_ERROR UNKNOWN_OUTCOME", Code::kUnknownOutcome}})
    if (answer.starts_with(begin)) return Error(code, answer);
  return Error(Code::kInternal, answer);
}

}  // namespace

MemcachedClient::MemcachedClient(const Gateways& gateways, ConnectionOptions options)
    : connection_(gateways, options, MemcachedAnswerLength) {}

Result<std::string> MemcachedClient::Say(const std::string& bytes) {
  EBLA_ASSIGN(const auto answers, connection_.Exchange(bytes, 1));
  return answers.front().substr(0, answers.front().size() - 2);
}

Result<MemcachedItem> MemcachedClient::Gets(const std::string& key) {
  EBLA_ASSIGN(const std::string answer, Say("gets " + key + "\r\n"));
  if (!answer.starts_with("VALUE ")) return Error(MemcachedMeaningOf(answer));
  if (!answer.ends_with("\r\nEND")) return Error(MemcachedMeaningOf(answer.substr(answer.rfind('\n') + 1)));
  const size_t end = answer.find("\r\n");
  std::istringstream line(answer.substr(0, end));
  std::string word, name, flags;
  size_t length = 0;
  MemcachedItem item;
  line >> word >> name >> flags >> length >> item.cas;
  item.value = answer.substr(end + 2, length);
  return item;
}

Status MemcachedClient::AddNew(const std::string& key, const std::string& value) {
  EBLA_ASSIGN(const std::string answer,
              Say("add " + key + " 0 0 " + std::to_string(value.size()) + "\r\n" + value + "\r\n"));
  return MemcachedMeaningOf(answer);
}

Status MemcachedClient::Cas(const std::string& key, const std::string& value, uint64_t cas) {
  EBLA_ASSIGN(const std::string answer, Say("cas " + key + " 0 0 " + std::to_string(value.size()) + " " +
                                            std::to_string(cas) + "\r\n" + value + "\r\n"));
  return MemcachedMeaningOf(answer);
}

Result<int64_t> MemcachedClient::Increase(const std::string& key, int64_t delta) {
  EBLA_ASSIGN(const std::string answer, Say("incr " + key + " " + std::to_string(delta) + "\r\n"));
  if (answer.find_first_not_of("0123456789 ") != std::string::npos) return Error(MemcachedMeaningOf(answer));
  return std::atoll(answer.c_str());
}

}  // namespace ebla::chaos
