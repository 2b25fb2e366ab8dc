#include "gateway/redis/testing/memory_client.h"

#include <glog/logging.h>

#include <chrono>

#include "functions/redis/record_function.h"
#include "gateway/redis/databases/key_codec_store.h"
#include "gateway/testing/ask.h"

namespace ebla::gateway::redis {

using namespace std::chrono_literals;

std::string Encode(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return bytes;
}

void MemoryDatabases::Open(const std::string& name, const Read& read, Ack,
                           Callback<Result<std::shared_ptr<Store>>> done) {
  if (!ToInteger(name)) return done(Error(Code::kNoSuchTable, "there is no table \"" + name + "\""));
  std::shared_ptr<Store> store;
  {
    MutexLock lock(mutex_);
    read_ = read;
    store = Find(name).store;
  }
  done(std::move(store));
}

MemoryStore& MemoryDatabases::store(const std::string& name) {
  MutexLock lock(mutex_);
  return *Find(name).records;
}

Read MemoryDatabases::read() const {
  MutexLock lock(mutex_);
  return read_;
}

MemoryDatabases::Database& MemoryDatabases::Find(const std::string& name) {
  Database& database = databases_[name];
  if (database.records == nullptr) {
    database.records = std::make_shared<MemoryStore>();
    const auto functions = std::make_shared<Functions>();
    functions->Add(std::string(kFunctionName), ApplyCommand);
    database.records->SetFunctions(functions);
    database.store = std::make_shared<KeyCodecStore>(database.records);
  }
  return database;
}

MemoryClient::MemoryClient(const MemoryClient* other)
    : databases_(other == nullptr ? std::make_shared<MemoryDatabases>() : other->databases_),
      shared_(other == nullptr ? std::make_shared<const Shared>(Shared{.databases = databases_}) : other->shared_),
      protocol_(std::make_unique<RedisProtocol>(shared_, executor_, "127.0.0.1:1", sink_)) {}

std::string MemoryClient::Answer(const Words& words) {
  const std::string bytes = Encode(words);
  Protocol::Taken taken = protocol_->Take(bytes);
  CHECK_EQ(taken.bytes, bytes.size());
  CHECK(taken.command != nullptr);
  std::optional<std::string> answer;
  AskAndRun(*taken.command, [&](gateway::Reply reply) {
    answer = std::move(reply.bytes);
    if (reply.last) sink_->ended = "once it has its reply";
  });
  scheduler_.RunUntil([&] { return answer.has_value(); }, 1min);
  CHECK(answer.has_value()) << words.front();
  return *answer;
}

}  // namespace ebla::gateway::redis
