// client/core/calls/collect.h
// All answers of a call for many, once the last has come, out of answers that come one by one.
// Threads: any; each place is answered once.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "client/core/calls/once_callback.h"
#include "ebla/table.h"

namespace ebla::client {

// `done` runs when the owner of the returned callback releases it, with the answer for each place.
template <class T>
EachCallback<T> Collect(size_t count, Callback<std::vector<T>> done) {
  struct Answers {
    Answers(size_t count, Callback<std::vector<T>> then) : all(count, Error(ClosedStatus())), done(std::move(then)) {}
    ~Answers() { done(std::move(all)); }
    std::vector<T> all;
    Callback<std::vector<T>> done;
  };
  return [answers = std::make_shared<Answers>(count, std::move(done))](size_t place, T answer) {
    answers->all[place] = std::move(answer);
  };
}

}  // namespace ebla::client
