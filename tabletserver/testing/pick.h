// tabletserver/testing/pick.h
// For tests by RapidCheck: a choice that is as wide in small cases as in large ones.
// Threads: RapidCheck's.
#pragma once

#include <rapidcheck.h>

namespace ebla::tabletserver::testing {

// A whole number in [low, high), evenly at every size of a case (RapidCheck's own starts near `low`).
template <class T>
T Pick(T low, T high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, high));
}

}  // namespace ebla::tabletserver::testing
