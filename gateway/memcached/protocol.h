// gateway/memcached/protocol.h
// Memcached's text and meta protocols on one connection: a parser, and the commands.
// Place:   memcached_listener.h gives its factory to a Server.
// Threads: as in server/protocol.h.
#pragma once

#include <string>
#include <vector>

#include "gateway/memcached/environment.h"
#include "gateway/memcached/parser.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::memcached {

class MemcachedProtocol final : public Protocol {
 public:
  // Both outlive it and its commands.
  MemcachedProtocol(Environment& environment, Executor& executor) : environment_(environment), executor_(executor) {}

  Taken Take(std::string_view bytes) override;

 private:
  Environment& environment_;
  Executor& executor_;
  Parser parser_;
};

// The names of the kinds of commands, for Statistics.
std::vector<std::string> CommandNames();

}  // namespace ebla::gateway::memcached
