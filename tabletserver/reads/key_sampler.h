// tabletserver/reads/key_sampler.h
// Finds a key that cuts a tablet's load in two, from samples of the touched keys, or the reason why there is none.
// How:        It keeps twenty of the keys as candidates, each with a probability in proportion to its weight, which
//             fades with a time constant of five seconds (A-Chao, in Chao, "A general purpose unequal probability
//             sampling plan", Biometrika 1982). So the candidates follow the present load. For each it counts, fading
//             alike, the sampled keys left of it, and those at it or to its right. A candidate qualifies when the two
//             counts differ by less than a quarter of both; the most even one is the finding. The finding, and the
//             candidate with the most frequent key, stay beside the twenty and are judged again with them, so that
//             chance does not lose them.
// Key groups: A candidate is the beginning of its key's group, and popularity is that of a group, because a split cuts
//             no group.
// Place:      service/load_report.h feeds it with the keys of LoadMeter::TakeKeys() at the tablet's primary.
// Invariants: 1. A split key lies inside the range, cuts no group, has at most 256 bytes, and is the shortest text
//                between the candidate and the greatest key seen below it.
//             2. The same keys at the same times give the same finding, because the seed determines chance.
// Threads:    thread-compatible.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/key_range.h"
#include "common/base/split_key.h"
#include "tabletserver/reads/load_meter.h"

namespace ebla::tabletserver {

struct SplitFinding {
  enum class Kind : uint8_t {
    kNoKey,         // too few keys were seen, or those that would do are longer than a split key may be
    kKey,           // `key` halves the load
    kPopularKey,    // none does, because popular_key takes `part` of the load, a quarter at least
    kOneDirection,  // nearly all keys lie on the same side of the earlier ones
  };
  Kind kind = Kind::kNoKey;
  // kKey; kOneDirection where keys are written in ascending order: slightly below the last written. Else empty.
  std::string key;
  // The most touched group, and its part of the load; empty if it is below a hundredth.
  std::string popular_key;
  double part = 0;
};

class KeySampler {
 public:
  static constexpr size_t kCandidates = 20;
  static constexpr Duration kTimeConstant = LoadRates::kTimeConstant;
  static constexpr double kSeenLeast = 64;  // keys, faded: below that nothing is said

  explicit KeySampler(uint64_t seed) : chance_(seed) {}

  // Forgets everything.
  void Begin(KeyRange range, KeyGroupRule group);
  // The keys touched since the last call, in order. Keys outside the range are skipped.
  void Take(const std::vector<TouchedKey>& keys, MonotonicTime now);
  SplitFinding Find() const;

 private:
  struct Candidate {
    std::string cut;    // where the group of its key begins
    std::string below;  // the greatest key seen left of it; empty: none was
    double left = 0;
    double right = 0;  // those at it among them
    double same = 0;   // of its group

    double seen() const { return left + right; }
    double part() const { return seen() > 0 ? same / seen() : 0; }
    // Minus the possible share of chance, so that few samples make no key more popular than many do.
    double sure_part() const { return seen() > 0 ? (same - std::sqrt(same)) / seen() : 0; }
    double imbalance() const { return seen() > 0 ? (left > right ? left - right : right - left) / seen() : 1; }
  };
  void Fade(double factor);
  static void Count(const std::string& key, const std::string& start, Candidate& candidate);
  void Admit(const std::string& start);
  bool Qualifies(const Candidate& candidate) const;
  void Choose();
  std::string KeyAtEnd() const;
  uint64_t Random();

  KeyRange range_;
  KeyGroupRule group_;
  uint64_t chance_;
  MonotonicTime taken_;  // zero: nothing was
  double weight_ = 0;    // of all keys so far, faded
  std::vector<Candidate> candidates_;
  std::optional<Candidate> best_;
  std::optional<Candidate> popular_;
  // Detects keys written in ascending order. Compares with keys of the Take() before, because concurrent writes arrive
  // in any order.
  double writes_ = 0;           // faded
  double beyond_ = 0;           // of those, above all earlier ones
  std::string highest_;         // written so far; empty: nothing
  std::string highest_before_;  // until the Take() before the last that raised it
};

}  // namespace ebla::tabletserver
