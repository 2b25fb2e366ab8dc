// gateway/testing/memcached_fixture.h
// Memcached's protocol over a Store in memory, for tests of its commands.
// Threads: one test's.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/testing/thread_executor.h"
#include "functions/memcached/record_function.h"
#include "gateway/memcached/protocol.h"
#include "gateway/testing/memory_store.h"
#include "gateway/testing/talk.h"

namespace ebla::gateway::memcached {

// With servers that know the function of Memcached's commands, or with others.
class MemcachedTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) return;
    const auto functions = std::make_shared<Functions>();
    functions->Add(std::string(kFunctionName), ApplyOrder);
    store_.SetFunctions(functions);
  }
  std::string Say(std::string_view bytes) { return talk_.Say(bytes); }
  std::string Line(const std::string& line) { return talk_.Line(line); }
  std::string Store(const std::string& line, const std::string& value) {
    return talk_.Say(line + "\r\n" + value + "\r\n");
  }
  // Its value as a client gets it; "-" when it is not there.
  std::string Value(const std::string& key) {
    const std::string reply = Line("get " + key);
    if (reply == "END\r\n") return "-";
    const size_t begin = reply.find("\r\n") + 2;
    return reply.substr(begin, reply.size() - begin - std::string_view("\r\nEND\r\n").size());
  }
  uint64_t CasNumber(const std::string& key) {
    const std::string reply = Line("gets " + key);
    const std::string head = reply.substr(0, reply.find("\r\n"));
    return std::stoull(head.substr(head.rfind(' ')));
  }
  // The value of the record, as the SDK sees it.
  std::string Raw(const std::string& key) const { return store_.Read(key).value_or(Record{}).value; }

  MemoryStore store_;
  Statistics statistics_{CommandNames(), 1};
  Environment environment_{.store = store_, .statistics = statistics_};
  ebla::testing::ThreadExecutor executor_;
  MemcachedProtocol protocol_{environment_, executor_};
  Talk talk_{protocol_, statistics_.loop(0)};
};

}  // namespace ebla::gateway::memcached
