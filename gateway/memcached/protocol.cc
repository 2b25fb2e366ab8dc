#include "gateway/memcached/protocol.h"

#include <utility>

#include "gateway/memcached/meta_commands.h"
#include "gateway/memcached/text_commands.h"

namespace ebla::gateway::memcached {
namespace {

bool IsMeta(Verb verb) { return verb >= Verb::kMetaGet && verb <= Verb::kMetaDebug; }

}  // namespace

Protocol::Taken MemcachedProtocol::Take(std::string_view bytes) {
  Parser::Parsed parsed = parser_.Next(bytes);
  Taken taken{.bytes = parsed.bytes, .command = nullptr, .end = parsed.end, .fault = parsed.fault};
  if (!parsed.request) return taken;
  Request& request = *parsed.request;
  if (request.too_large) {
    taken.command = MakeTooLargeCommand(environment_, executor_, std::move(request));
  } else if (IsMeta(request.verb)) {
    taken.command = MakeMetaCommand(environment_, executor_, std::move(request));
  } else {
    taken.command = MakeTextCommand(environment_, executor_, std::move(request));
  }
  return taken;
}

std::vector<std::string> CommandNames() { return {kVerbNames.begin(), kVerbNames.end()}; }

}  // namespace ebla::gateway::memcached
