// common/rpc/message_codec.h
// Encodes and decodes whole messages with the generated structs, in either protocol. Internal to common/rpc.
// Why so:     the generated processors and clients need a protocol object over a transport for each message. Here each
//             thread keeps one of either kind over a plain block of memory, so that a message costs no set-up and no
//             virtual call. Every service method has one request, as argument 1, and one reply.
// Invariants: 1. The result of Encode... lives until the thread's next Encode...
//             2. Reading never believes a length that exceeds the message's own bytes.
// Errors:     Thrift's exceptions end here, as a Status.
// Threads:    functions; state is per thread.
#pragma once

#include <thrift/TApplicationException.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TVirtualTransport.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/rpc/message.h"

namespace ebla::rpc::codec {

namespace thrift = ::apache::thrift;

// Reads from a message, writes to a block of memory that grows and is kept for the next one.
class MemoryTransport final : public thrift::transport::TVirtualTransport<MemoryTransport> {
 public:
  explicit MemoryTransport(const std::shared_ptr<thrift::TConfiguration>& config)
      : thrift::transport::TVirtualTransport<MemoryTransport>(config) {}
  ~MemoryTransport() override { std::free(block_); }
  MemoryTransport(const MemoryTransport&) = delete;
  MemoryTransport& operator=(const MemoryTransport&) = delete;

  void StartReading(std::string_view bytes) {
    read_ = reinterpret_cast<const uint8_t*>(bytes.data());
    read_end_ = read_ + bytes.size();
    elements_left_ = kMessageElementsMax;
  }
  size_t unread() const { return static_cast<size_t>(read_end_ - read_); }

  void StartWriting() { write_ = block_; }
  std::string_view written() const {
    return {reinterpret_cast<const char*>(block_), static_cast<size_t>(write_ - block_)};
  }
  // A large message's memory is not kept.
  void TrimTo(size_t bytes) {
    if (static_cast<size_t>(block_end_ - block_) <= bytes) return;
    std::free(block_);
    block_ = write_ = block_end_ = nullptr;
  }

  // A container of `size` elements begins. Each takes at least a byte, and memory before it is read.
  void ChargeElements(uint32_t size) {
    if (size > unread() || size > elements_left_) {
      throw thrift::protocol::TProtocolException(thrift::protocol::TProtocolException::SIZE_LIMIT,
                                                 "a container announces too many elements");
    }
    elements_left_ -= size;
  }

  // ---- what the protocols call ----
  bool isOpen() const override { return true; }
  void checkReadBytesAvailable(long) {}  // hides the base's count of configured sizes: readAll and borrow know exactly
  uint32_t read(uint8_t* bytes, uint32_t size) {
    const uint32_t got = static_cast<uint32_t>(std::min<size_t>(size, unread()));
    std::memcpy(bytes, read_, got);
    read_ += got;
    return got;
  }
  uint32_t readAll(uint8_t* bytes, uint32_t size) {
    if (size > unread()) {
      throw thrift::transport::TTransportException(thrift::transport::TTransportException::END_OF_FILE,
                                                   "the message ends within a value");
    }
    std::memcpy(bytes, read_, size);
    read_ += size;
    return size;
  }
  const uint8_t* borrow(uint8_t*, uint32_t* size) {
    if (*size > unread()) return nullptr;
    *size = static_cast<uint32_t>(std::min<size_t>(unread(), UINT32_MAX));
    return read_;
  }
  void consume(uint32_t size) { read_ += size; }
  // Inlined by force: almost all writes are of a few bytes, of a size known where they are made.
  [[gnu::always_inline]] void write(const uint8_t* bytes, uint32_t size) {
    if (size > static_cast<size_t>(block_end_ - write_)) Grow(size);
    std::memcpy(write_, bytes, size);
    write_ += size;
  }

 private:
  [[gnu::noinline]] void Grow(size_t more) {
    const size_t used = static_cast<size_t>(write_ - block_);
    const size_t capacity = std::max<size_t>({4096, 2 * static_cast<size_t>(block_end_ - block_), used + more});
    void* block = std::realloc(block_, capacity);
    if (block == nullptr) throw std::bad_alloc();
    block_ = static_cast<uint8_t*>(block);
    write_ = block_ + used;
    block_end_ = block_ + capacity;
  }

  const uint8_t* read_ = nullptr;
  const uint8_t* read_end_ = nullptr;
  uint32_t elements_left_ = 0;
  uint8_t* block_ = nullptr;
  uint8_t* write_ = nullptr;
  uint8_t* block_end_ = nullptr;
};

// A protocol whose containers are charged for before anything is allocated for them. The generated code, a template
// over the protocol, calls these in place of the base's.
template <class Base>
class Bounded final : public Base {
 public:
  explicit Bounded(std::shared_ptr<MemoryTransport> transport) : Base(transport), memory_(*transport) {}

  uint32_t skip(thrift::protocol::TType type) { return thrift::protocol::skip(*this, type); }

  uint32_t readMapBegin(thrift::protocol::TType& key, thrift::protocol::TType& value, uint32_t& size) {
    const uint32_t read = Base::readMapBegin(key, value, size);
    memory_.ChargeElements(size);
    return read;
  }
  uint32_t readListBegin(thrift::protocol::TType& element, uint32_t& size) {
    const uint32_t read = Base::readListBegin(element, size);
    memory_.ChargeElements(size);
    return read;
  }
  uint32_t readSetBegin(thrift::protocol::TType& element, uint32_t& size) {
    const uint32_t read = Base::readSetBegin(element, size);
    memory_.ChargeElements(size);
    return read;
  }

 private:
  MemoryTransport& memory_;
};

// The compact protocol would allocate what a string announces before it looks whether the message has it.
class CompactStrings : public thrift::protocol::TCompactProtocolT<MemoryTransport> {
 public:
  explicit CompactStrings(std::shared_ptr<MemoryTransport> transport)
      : thrift::protocol::TCompactProtocolT<MemoryTransport>(std::move(transport)) {}

  uint32_t readString(std::string& text) { return readBinary(text); }
  uint32_t readBinary(std::string& bytes) {
    int32_t size = 0;
    const uint32_t read = readVarint32(size);
    uint32_t available = static_cast<uint32_t>(size);
    const uint8_t* start = size < 0 ? nullptr : trans_->borrow(nullptr, &available);
    if (start == nullptr) {
      throw thrift::protocol::TProtocolException(thrift::protocol::TProtocolException::SIZE_LIMIT,
                                                 "a string is longer than the message");
    }
    bytes.assign(reinterpret_cast<const char*>(start), static_cast<size_t>(size));
    trans_->consume(static_cast<uint32_t>(size));
    return read + static_cast<uint32_t>(size);
  }
};

using Binary = Bounded<thrift::protocol::TBinaryProtocolT<MemoryTransport>>;
using Compact = Bounded<CompactStrings>;

template <class ProtocolT>
struct Codec {
  // Thrift's constants as values: they have no address to link with, as unoptimised and sanitized builds would need.
  std::shared_ptr<MemoryTransport> memory = std::make_shared<MemoryTransport>(
      std::make_shared<thrift::TConfiguration>(int{thrift::TConfiguration::DEFAULT_MAX_MESSAGE_SIZE},
                                               int{thrift::TConfiguration::DEFAULT_MAX_FRAME_SIZE}, kMessageDepthMax));
  ProtocolT protocol{memory};
};

inline constexpr size_t kKeptBytesMax = size_t{256} * 1024;

// The thread's own, one for reading and one for writing (a handler may answer while nothing else is being read, but a
// failed read leaves its protocol's state in pieces: Discard it then).
template <class ProtocolT, bool kWriting>
std::unique_ptr<Codec<ProtocolT>>& ThreadCodecSlot() {
  static thread_local std::unique_ptr<Codec<ProtocolT>> codec;
  return codec;
}
template <class ProtocolT, bool kWriting>
Codec<ProtocolT>& ThreadCodec() {
  auto& slot = ThreadCodecSlot<ProtocolT, kWriting>();
  if (slot == nullptr) slot = std::make_unique<Codec<ProtocolT>>();
  return *slot;
}
template <class ProtocolT, bool kWriting>
void DiscardThreadCodec() {
  ThreadCodecSlot<ProtocolT, kWriting>().reset();
}

// ---- writing ----

template <class ProtocolT, class Body>
std::string_view Write(const char* method, MessageType type, int32_t sequence, int16_t field, const Body& body) {
  auto& codec = ThreadCodec<ProtocolT, true>();
  try {
    codec.memory->TrimTo(kKeptBytesMax);
    codec.memory->StartWriting();
    ProtocolT& out = codec.protocol;
    out.writeMessageBegin(method, static_cast<thrift::protocol::TMessageType>(type), sequence);
    if constexpr (std::is_same_v<Body, thrift::TApplicationException>) {
      body.write(&out);
    } else {
      out.writeStructBegin(method);
      out.writeFieldBegin("body", thrift::protocol::T_STRUCT, field);
      body.write(&out);
      out.writeFieldEnd();
      out.writeFieldStop();
      out.writeStructEnd();
    }
    out.writeMessageEnd();
    return codec.memory->written();
  } catch (...) {
    DiscardThreadCodec<ProtocolT, true>();
    throw;
  }
}

template <class Body>
std::string_view Write(Protocol protocol, const char* method, MessageType type, int32_t sequence, int16_t field,
                       const Body& body) {
  return protocol == Protocol::kBinary ? Write<Binary>(method, type, sequence, field, body)
                                       : Write<Compact>(method, type, sequence, field, body);
}

// ---- reading ----

// Reads a struct whose field number `field` is the body, skipping others, to the end of the message.
// False when it was absent.
template <class ProtocolT, class Body>
Result<bool> Read(std::string_view bytes, int16_t field, Body& body) {
  auto& codec = ThreadCodec<ProtocolT, false>();
  try {
    codec.memory->StartReading(bytes);
    ProtocolT& in = codec.protocol;
    if constexpr (std::is_same_v<ProtocolT, Binary>) {
      in.setStringSizeLimit(static_cast<int32_t>(std::clamp<size_t>(bytes.size(), 1, INT32_MAX)));
    }
    bool found = false;
    if constexpr (std::is_same_v<Body, thrift::TApplicationException>) {
      body.read(&in);
      found = true;
    } else {
      std::string name;
      thrift::protocol::TType type;
      int16_t id;
      in.readStructBegin(name);
      while (true) {
        in.readFieldBegin(name, type, id);
        if (type == thrift::protocol::T_STOP) break;
        if (id == field && type == thrift::protocol::T_STRUCT) {
          body.read(&in);
          found = true;
        } else {
          in.skip(type);
        }
        in.readFieldEnd();
      }
      in.readStructEnd();
    }
    const size_t left = codec.memory->unread();
    if (left != 0) return Error(Code::kInvalidArgument, std::to_string(left) + " bytes follow the message");
    return found;
  } catch (const std::exception& error) {
    DiscardThreadCodec<ProtocolT, false>();
    return Error(Code::kInvalidArgument, std::string("malformed message: ") + error.what());
  }
}

template <class Body>
Result<bool> Read(Protocol protocol, std::string_view bytes, int16_t field, Body& body) {
  return protocol == Protocol::kBinary ? Read<Binary>(bytes, field, body) : Read<Compact>(bytes, field, body);
}

}  // namespace ebla::rpc::codec
