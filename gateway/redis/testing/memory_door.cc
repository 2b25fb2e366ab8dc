#include "gateway/redis/testing/memory_door.h"

#include <glog/logging.h>

#include <charconv>
#include <chrono>

#include "gateway/redis/keyed_store.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;

std::optional<size_t> EndOfLine(std::string_view bytes, size_t from) {
  const size_t end = bytes.find("\r\n", from);
  return end == bytes.npos ? std::nullopt : std::optional(end + 2);
}

}  // namespace

std::optional<size_t> ReplyLength(std::string_view bytes) {
  const std::optional<size_t> line = EndOfLine(bytes, 0);
  if (!line) return std::nullopt;
  int64_t number = 0;
  std::from_chars(bytes.data() + 1, bytes.data() + *line, number);
  size_t length = *line;
  switch (bytes.front()) {
    case '$':
    case '=':
    case '!':
      if (number >= 0) length += static_cast<size_t>(number) + 2;
      return length <= bytes.size() ? std::optional(length) : std::nullopt;
    case '*':
    case '~':
    case '>':
    case '%':
      for (int64_t left = bytes.front() == '%' ? 2 * number : number; left > 0; --left) {
        const std::optional<size_t> next = ReplyLength(bytes.substr(length));
        if (!next) return std::nullopt;
        length += *next;
      }
      return length;
    default: return length;
  }
}

std::string Encode(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return bytes;
}

void MemoryDatabases::Open(const std::string& name, const Read& read, Ack,
                           Callback<Result<std::shared_ptr<Store>>> done) {
  read_ = read;
  if (!ToInteger(name)) return done(Error(Code::kNoSuchTable, "there is no table \"" + name + "\""));
  store(name);
  done(std::make_shared<KeyedStore>(stores_[name]));
}

MemoryStore& MemoryDatabases::store(const std::string& name) {
  std::shared_ptr<MemoryStore>& store = stores_[name];
  if (store == nullptr) store = std::make_shared<MemoryStore>();
  return *store;
}

MemoryDoor::MemoryDoor(const MemoryDoor* other)
    : databases_(other == nullptr ? std::make_shared<MemoryDatabases>() : other->databases_),
      shared_(other == nullptr ? std::make_shared<const Shared>(Shared{.databases = databases_}) : other->shared_),
      protocol_(std::make_unique<RedisProtocol>(shared_, executor_, "127.0.0.1:1", outlet_)) {}

std::string MemoryDoor::Answer(const Words& words) {
  const std::string bytes = Encode(words);
  Protocol::Taken taken = protocol_->Take(bytes);
  CHECK_EQ(taken.bytes, bytes.size());
  CHECK(taken.command != nullptr);
  std::optional<std::string> answer;
  taken.command->Run([&](gateway::Reply reply) { answer = std::move(reply.bytes); });
  scheduler_.RunUntil([&] { return answer.has_value(); }, 1min);
  CHECK(answer.has_value()) << words.front();
  return *answer;
}

}  // namespace ebla::gateway::redis
