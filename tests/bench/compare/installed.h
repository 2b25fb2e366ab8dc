// tests/bench/compare/installed.h
// Peers and figures for the parts: a peer that is not installed is left out, and an error ends the program.
// Threads: functions.
#pragma once

#include <glog/logging.h>

#include <iostream>
#include <memory>

#include "common/base/status.h"
#include "tests/bench/compare/figures.h"

namespace ebla::bench {

// The peer, or none, with a line on stderr, if it is not installed.
template <class Peer>
std::unique_ptr<Peer> Installed(const char* name, Result<Peer> started) {
  if (started) return std::make_unique<Peer>(*std::move(started));
  CHECK(started.error().code() == Code::kUnavailable) << started.error();
  std::cerr << "  " << name << " is left out: " << started.error() << std::endl;
  return nullptr;
}

inline Figure Checked(Result<Figure> figure) {
  CHECK(figure.has_value()) << figure.error();
  return *figure;
}

}  // namespace ebla::bench
