// gateway/server/foreign_line.h
// Recognizes a line of HTTP or TLS among the lines of another protocol. A web page can have its reader's browser send
// HTTP to any port that the browser reaches. The lines of such a request's body would run as commands, so each protocol
// ends the connection at the first line of HTTP and runs nothing behind it.
// Place:   a protocol that reads lines asks with the words of each line; Protocol::Taken::fault carries the answer.
// Source:  Redis and Memcached end a connection at `POST`, at `Host:` and at a last word of `HTTP/...`. Request lines
//          of other methods end it, too, because a page under a rebound name may choose any method, such as SET.
// Threads: functions of their arguments.
#pragma once

#include <string_view>

namespace ebla::gateway {

inline constexpr std::string_view kSpeaksHttp =
    "it sent HTTP, perhaps for a web page that tries to run commands here; nothing behind that line ran";

// Why the connection ends, for the log. Empty: the line is neither HTTP nor TLS.
std::string_view FaultOfFirstWord(std::string_view first);
std::string_view FaultOfRequestLine(std::string_view method, std::string_view target, std::string_view version);

// `words`: all of a line.
template <class Words>
std::string_view FaultOfLine(const Words& words) {
  if (words.empty()) return {};
  const std::string_view fault = FaultOfFirstWord(words[0]);
  return fault.empty() && words.size() == 3 ? FaultOfRequestLine(words[0], words[1], words[2]) : fault;
}

}  // namespace ebla::gateway
