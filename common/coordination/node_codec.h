// common/coordination/node_codec.h
// The data of a node in the coordinator: one format byte, then a Thrift struct in compact protocol.
// Format:  byte 0 is the format version, 1 or 2. Fields are only ever added to the structs, so that an older program
//          reads a newer node. The version is raised only for a change that an older program must not misread, and the
//          older program then refuses. 2 equals 1 in a cluster above the first feature level, so that builds without
//          levels (common/base/features.h) cannot join.
// Errors:  INVALID_ARGUMENT a newer format: upgrade this program; INTERNAL the bytes are damaged. `path` names the
//          node.
// Threads: pure functions.
#pragma once

#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla::coordination {

inline constexpr char kNodeFormat = 1;
inline constexpr char kLevelledFormat = 2;

// Checks a node's first byte: OK, or the reason why its data cannot be read.
Status CheckNodeFormat(std::string_view data, std::string_view path);
Status DamagedNode(std::string_view path, std::string_view why);

template <class T>
std::string EncodeNode(const T& node, char format = kNodeFormat) {
  using apache::thrift::transport::TMemoryBuffer;
  auto buffer = std::make_shared<TMemoryBuffer>();
  apache::thrift::protocol::TCompactProtocolT<TMemoryBuffer> protocol(buffer);
  node.write(&protocol);  // memory alone: throws only for want of it
  return std::string(1, format) + buffer->getBufferAsString();
}

template <class T>
Result<T> DecodeNode(std::string_view data, std::string_view path = "") {
  using apache::thrift::transport::TMemoryBuffer;
  EBLA_TRY(CheckNodeFormat(data, path));
  data.remove_prefix(1);
  try {
    auto buffer = std::make_shared<TMemoryBuffer>(reinterpret_cast<uint8_t*>(const_cast<char*>(data.data())),
                                                  static_cast<uint32_t>(data.size()));
    apache::thrift::protocol::TCompactProtocolT<TMemoryBuffer> protocol(buffer);
    T node;
    node.read(&protocol);
    if (buffer->available_read() != 0) return Error(DamagedNode(path, "bytes follow its end"));
    return node;
  } catch (const std::exception& e) {
    return Error(DamagedNode(path, e.what()));
  }
}

}  // namespace ebla::coordination
