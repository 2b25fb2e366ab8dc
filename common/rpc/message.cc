#include "common/rpc/message.h"

#include "common/rpc/buffer.h"
#include "common/rpc/message_codec.h"

namespace ebla::rpc {
namespace {

constexpr uint32_t kBinaryVersion = 0x80010000;
constexpr uint8_t kCompactId = 0x82;
constexpr uint8_t kCompactVersion = 1;

Error Malformed(std::string why) { return Error(Code::kInvalidArgument, std::move(why)); }

bool KnownType(uint32_t type) { return type >= 1 && type <= 4; }

// LEB128, at most 32 bits; false when it does not end within the bytes.
bool TakeVarint(std::string_view bytes, size_t& offset, uint32_t& value) {
  value = 0;
  for (int shift = 0; shift < 35 && offset < bytes.size(); shift += 7) {
    const uint8_t byte = static_cast<uint8_t>(bytes[offset++]);
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

Result<MessageHead> ParseBinary(std::string_view message) {
  if (message.size() < 12) return Malformed("a message of " + std::to_string(message.size()) + " bytes");
  const uint32_t version = BigEndian(message);
  const uint32_t name_bytes = BigEndian(message.substr(4));
  if ((version & 0xffff0000) != kBinaryVersion) return Malformed("an unknown version of the binary protocol");
  if (!KnownType(version & 0xffff)) return Malformed("an unknown message type");
  if (name_bytes > kMethodNameBytesMax || name_bytes + 12 > message.size()) return Malformed("an overlong method name");
  return MessageHead{.protocol = Protocol::kBinary,
                     .type = static_cast<MessageType>(version & 0xff),
                     .sequence = static_cast<int32_t>(BigEndian(message.substr(8 + name_bytes))),
                     .method = message.substr(8, name_bytes),
                     .body_offset = 12 + name_bytes};
}

Result<MessageHead> ParseCompact(std::string_view message) {
  if (message.size() < 4) return Malformed("a message of " + std::to_string(message.size()) + " bytes");
  const uint8_t type_and_version = static_cast<uint8_t>(message[1]);
  if ((type_and_version & 0x1f) != kCompactVersion) return Malformed("an unknown version of the compact protocol");
  if (!KnownType(type_and_version >> 5)) return Malformed("an unknown message type");
  size_t offset = 2;
  uint32_t sequence, name_bytes;
  if (!TakeVarint(message, offset, sequence) || !TakeVarint(message, offset, name_bytes) ||
      name_bytes > kMethodNameBytesMax || offset + name_bytes > message.size()) {
    return Malformed("an overlong method name");
  }
  return MessageHead{.protocol = Protocol::kCompact,
                     .type = static_cast<MessageType>(type_and_version >> 5),
                     .sequence = static_cast<int32_t>(sequence),
                     .method = message.substr(offset, name_bytes),
                     .body_offset = offset + name_bytes};
}

}  // namespace

Result<MessageHead> ParseMessageHead(std::string_view message) {
  if (message.empty()) return Malformed("an empty message");
  const uint8_t first = static_cast<uint8_t>(message[0]);
  if (first == kCompactId) return ParseCompact(message);
  if (first == kBinaryVersion >> 24) return ParseBinary(message);
  return Malformed("no Thrift message of the strict binary or the compact protocol");
}

std::string EncodeException(const MessageHead& call, int type, std::string_view text) {
  const codec::thrift::TApplicationException exception(
      static_cast<codec::thrift::TApplicationException::TApplicationExceptionType>(type), std::string(text));
  return std::string(codec::Write(call.protocol, std::string(call.method).c_str(), MessageType::kException,
                                  call.sequence, 0, exception));
}

}  // namespace ebla::rpc
