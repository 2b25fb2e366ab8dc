#include "gateway/server/foreign_line.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace ebla::gateway {
namespace {

bool EndsItsConnection(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return !FaultOfLine(words).empty();
}

TEST(ForeignLine, LinesThatABrowserSends) {
  for (const char* line : {"POST / HTTP/1.1",
                           "POST /",
                           "POST",
                           "post x y z",
                           "Host: 127.0.0.1:6379",
                           "host: x",
                           "HOST:",
                           "GET / HTTP/1.1",
                           "GET /flags?a=b HTTP/1.0",
                           "PUT /x HTTP/1.1",
                           "HEAD / HTTP/1.1",
                           "OPTIONS * HTTP/1.1",
                           "DELETE / http/1.1",
                           "PATCH /a HTTP/1.1",
                           "TRACE / HTTP/1.1",
                           "CONNECT cache:6379 HTTP/1.1",
                           "GET http://cache:6379/ HTTP/1.1",
                           "PRI * HTTP/2.0",
                           "SET /key HTTP/1.1",
                           "FLUSHALL / HTTP/1.1",
                           "get /key HTTP/1.1",
                           "\x16\x03\x01\x02"})
    EXPECT_TRUE(EndsItsConnection(line)) << line;
}

TEST(ForeignLine, LinesThatAreCommands) {
  for (const char* line : {"", "GET a", "SET post x", "SET a POST", "SET a HTTP/1.1", "SET Host: x", "POSTS", "Host",
                           "SET user:1 HTTP/1.1", "GET /key", "MSET /a 1 /b HTTP/1.1", "get /a b", "put"})
    EXPECT_FALSE(EndsItsConnection(line)) << line;
}

}  // namespace
}  // namespace ebla::gateway
