// master/testing/fake_server_thrift.h
// Shorthands of Thrift's types, only for FakeServer's files.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "idl/ControlService.h"

namespace ebla::master::testing {

inline idl::Status MakeStatus(idl::Code::type code, std::string message) {
  idl::Status status;
  status.code = code;
  status.message = std::move(message);
  return status;
}

inline idl::LogPosition Position(int64_t epoch, int64_t lsn) {
  idl::LogPosition position;
  position.epoch = epoch;
  position.lsn = lsn;
  return position;
}

inline std::pair<int64_t, int64_t> Order(const idl::LogPosition& position) { return {position.epoch, position.lsn}; }

}  // namespace ebla::master::testing
