// tabletserver/service/gathered.h
// A reply whose parts several shards fill in; it is sent when the last of them has let go of it.
// Threads: each part is written by one thread; the last to let go sends it, on its own thread.
#pragma once

#include <functional>
#include <utility>

namespace ebla::tabletserver {

template <class Reply>
struct Gathered {
  explicit Gathered(std::function<void(const Reply&)> then) : cob(std::move(then)) {}
  ~Gathered() { cob(reply); }
  Gathered(const Gathered&) = delete;

  Reply reply;  // each shard writes its own elements alone
  const std::function<void(const Reply&)> cob;
};

}  // namespace ebla::tabletserver
