#include "tabletserver/reads/key_sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ebla::tabletserver {
namespace {

constexpr double kImbalanceMax = 0.25;
constexpr double kPopularLeast = 0.25;  // of the load: without such a key some cut would be even enough
constexpr double kShownLeast = 0.01;    // of the load; and of the keys seen, so that chance shows nothing:
constexpr double kSameLeast = 4;
constexpr double kDirectionLeast = 0.75;  // excess of one side over the opposite one, of all
constexpr size_t kKnownLeast = 5;         // candidates, so that chance does not put all of them on one side
constexpr double kInOrderLeast = 0.5;     // of the writes

}  // namespace

void KeySampler::Begin(KeyRange range, KeyGroupRule group) {
  range_ = std::move(range);
  group_ = std::move(group);
  taken_ = {};
  weight_ = writes_ = beyond_ = 0;
  candidates_.clear();
  best_.reset();
  popular_.reset();
  highest_.clear();
  highest_before_.clear();
}

void KeySampler::Take(const std::vector<TouchedKey>& keys, MonotonicTime now) {
  if (taken_ != MonotonicTime{}) {
    Fade(std::exp(-std::chrono::duration<double>(now - taken_) / std::chrono::duration<double>(kTimeConstant)));
  }
  taken_ = now;
  std::string highest = highest_;
  for (const auto& [key, write] : keys) {
    if (!range_.Contains(key)) continue;
    const std::string start = group_.Start(key);
    for (Candidate& candidate : candidates_) Count(key, start, candidate);
    if (best_) Count(key, start, *best_);
    if (popular_) Count(key, start, *popular_);
    weight_ += 1;
    Admit(start);
    if (!write) continue;
    writes_ += 1;
    if (!highest_.empty() && key > highest_) beyond_ += 1;
    highest = std::max(highest, key);
  }
  if (highest != highest_) highest_before_ = std::exchange(highest_, std::move(highest));
  Choose();
}

void KeySampler::Fade(double factor) {
  const auto fade = [factor](Candidate& candidate) {
    candidate.left *= factor;
    candidate.right *= factor;
    candidate.same *= factor;
  };
  std::for_each(candidates_.begin(), candidates_.end(), fade);
  if (best_) fade(*best_);
  if (popular_) fade(*popular_);
  weight_ *= factor;
  writes_ *= factor;
  beyond_ *= factor;
}

void KeySampler::Count(const std::string& key, const std::string& start, Candidate& candidate) {
  if (key < candidate.cut) {
    candidate.left += 1;
    if (key > candidate.below) candidate.below = key;
    return;
  }
  candidate.right += 1;
  if (start == candidate.cut) candidate.same += 1;
}

void KeySampler::Admit(const std::string& start) {
  if (candidates_.size() < kCandidates) {
    candidates_.push_back({.cut = start});
    return;
  }
  const double unit = static_cast<double>(Random() >> 11) * 0x1p-53;
  if (unit * weight_ >= kCandidates) return;
  candidates_[Random() % kCandidates] = {.cut = start};
}

bool KeySampler::Qualifies(const Candidate& candidate) const {
  // A candidate with keys of the range below it lies inside the range.
  return candidate.seen() >= kSeenLeast && candidate.imbalance() < kImbalanceMax &&
         ShortestSeparator(candidate.below, candidate.cut).size() <= kSplitKeyBytesMax;
}

void KeySampler::Choose() {
  const Candidate* best = best_ && Qualifies(*best_) ? &*best_ : nullptr;
  const Candidate* popular = popular_ && popular_->seen() >= kSeenLeast ? &*popular_ : nullptr;
  for (const Candidate& candidate : candidates_) {
    if (candidate.seen() < kSeenLeast) continue;
    // If two candidates have one key, the one that has seen more keys counts.
    const bool known = popular != nullptr && candidate.cut == popular->cut && candidate.seen() <= popular->seen();
    if (popular == nullptr || (!known && candidate.sure_part() > popular->sure_part())) popular = &candidate;
    if (Qualifies(candidate) && (best == nullptr || candidate.imbalance() < best->imbalance())) best = &candidate;
  }
  if (best != nullptr && (!best_ || best != &*best_)) best_ = *best;
  if (popular != nullptr && (!popular_ || popular != &*popular_)) popular_ = *popular;
}

// Shortest between the highest key written and the highest a moment before; empty: there is no such place to cut.
std::string KeySampler::KeyAtEnd() const {
  if (highest_before_.empty()) return {};
  const std::string start = group_.Start(highest_);
  std::string key = start > highest_before_ ? ShortestSeparator(highest_before_, start) : start;
  return key > range_.start && key.size() <= kSplitKeyBytesMax ? key : std::string();
}

SplitFinding KeySampler::Find() const {
  SplitFinding finding;
  double drift = 0;
  size_t known = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.seen() < kSeenLeast) continue;
    ++known;
    drift += (candidate.right - candidate.left) / candidate.seen();
  }
  if (popular_ && popular_->seen() >= kSeenLeast && popular_->same >= kSameLeast && popular_->part() >= kShownLeast) {
    finding.popular_key = popular_->cut;
    finding.part = popular_->part();
  }
  if (best_ && Qualifies(*best_)) {
    finding.kind = SplitFinding::Kind::kKey;
    finding.key = ShortestSeparator(best_->below, best_->cut);
  } else if (finding.part >= kPopularLeast) {
    finding.kind = SplitFinding::Kind::kPopularKey;
  } else if (known >= kKnownLeast && std::abs(drift) >= kDirectionLeast * static_cast<double>(known)) {
    finding.kind = SplitFinding::Kind::kOneDirection;
    if (drift > 0 && beyond_ > kInOrderLeast * writes_) finding.key = KeyAtEnd();
  }
  return finding;
}

uint64_t KeySampler::Random() {
  chance_ ^= chance_ << 13;
  chance_ ^= chance_ >> 7;
  return chance_ ^= chance_ << 17;
}

}  // namespace ebla::tabletserver
