// common/rpc/message.h
// One Thrift message as bytes: its protocol and head; reading and writing its body with the generated structs; the
// bounds that keep hostile bytes harmless.
// Place:      dispatcher.cc and stubs.cc encode and decode through it (message_codec.h); server.cc reads heads.
// Invariants: 1. Reading takes no more memory than kMessageElementsMax elements and the message's own bytes.
//             2. A message is read whole; bytes left over make it malformed.
// Threads:    functions, free of shared state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla::rpc {

// Strict binary and compact, told apart by a message's first byte.
enum class Protocol : uint8_t { kBinary, kCompact };

// Thrift's message types.
enum class MessageType : uint8_t { kCall = 1, kReply = 2, kException = 3, kOneway = 4 };

inline constexpr size_t kMethodNameBytesMax = 64;
inline constexpr int kMessageDepthMax = 32;               // structs and containers within each other
inline constexpr uint32_t kMessageElementsMax = 400'000;  // of all lists, sets and maps of a message together

struct MessageHead {
  Protocol protocol = Protocol::kBinary;
  MessageType type = MessageType::kCall;
  int32_t sequence = 0;
  std::string_view method;  // within the message
  size_t body_offset = 0;   // where the arguments or the result begin
};

// INVALID_ARGUMENT, saying why, when the bytes do not begin a message of either protocol.
Result<MessageHead> ParseMessageHead(std::string_view message);

// A reply that carries a TApplicationException: `type` is one of its enumerators (1 is unknown method, 6 internal
// error).
std::string EncodeException(const MessageHead& call, int type, std::string_view text);

}  // namespace ebla::rpc
