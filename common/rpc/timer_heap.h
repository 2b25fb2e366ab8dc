// common/rpc/timer_heap.h
// Values ordered by time, each with a handle by which it can be removed before its time: a binary heap that knows each
// value's position. Pure.
// Place:      event_loop.h keeps its timers in one, pipelined_channel.h the deadlines of its calls.
// Invariants: 1. Values of equal time come out in the order they were pushed.
//             2. A handle is never 0 and is not used again within 2^32 pushes to the same slot.
//             3. Push, Remove and PopTop cost O(log size) and allocate only as the heap grows.
// Threads:    thread-compatible.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "common/base/executor.h"

namespace ebla::rpc {

template <class T>
class TimerHeap {
 public:
  using Handle = uint64_t;

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  MonotonicTime next() const { return heap_.empty() ? MonotonicTime::Max() : heap_.front().when; }

  Handle Push(MonotonicTime when, T value) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].value = std::move(value);
    heap_.push_back({when, next_order_++, slot});
    slots_[slot].position = static_cast<uint32_t>(heap_.size() - 1);
    SiftUp(heap_.size() - 1);
    return (static_cast<uint64_t>(slots_[slot].generation) << 32) | (slot + 1);
  }

  // Returns the removed value through `out` if given. False when the handle's value has left already.
  bool Remove(Handle handle, T* out = nullptr) {
    const uint32_t slot = static_cast<uint32_t>(handle) - 1;
    if (handle == 0 || slot >= slots_.size() || slots_[slot].position == kNowhere ||
        slots_[slot].generation != static_cast<uint32_t>(handle >> 32)) {
      return false;
    }
    T value = Take(slots_[slot].position);
    if (out != nullptr) *out = std::move(value);
    return true;
  }

  // The value of the earliest time. Not when empty().
  T PopTop() { return Take(0); }

  void Clear() { *this = TimerHeap(); }

 private:
  static constexpr uint32_t kNowhere = UINT32_MAX;
  struct Item {
    MonotonicTime when;
    uint64_t order;
    uint32_t slot;
    bool Before(const Item& other) const { return when != other.when ? when < other.when : order < other.order; }
  };
  struct Slot {
    T value{};
    uint32_t position = kNowhere;
    uint32_t generation = 0;
  };

  T Take(size_t position) {
    const uint32_t slot = heap_[position].slot;
    const Item last = heap_.back();
    heap_.pop_back();
    if (position < heap_.size()) {
      heap_[position] = last;
      slots_[last.slot].position = static_cast<uint32_t>(position);
      SiftUp(position);
      SiftDown(slots_[last.slot].position);
    }
    Slot& taken = slots_[slot];
    taken.position = kNowhere;
    ++taken.generation;
    free_.push_back(slot);
    return std::exchange(taken.value, T{});
  }

  void SiftUp(size_t position) {
    const Item item = heap_[position];
    while (position > 0) {
      const size_t parent = (position - 1) / 2;
      if (!item.Before(heap_[parent])) break;
      Place(position, heap_[parent]);
      position = parent;
    }
    Place(position, item);
  }

  void SiftDown(size_t position) {
    const Item item = heap_[position];
    for (size_t child; (child = 2 * position + 1) < heap_.size(); position = child) {
      if (child + 1 < heap_.size() && heap_[child + 1].Before(heap_[child])) ++child;
      if (!heap_[child].Before(item)) break;
      Place(position, heap_[child]);
    }
    Place(position, item);
  }

  void Place(size_t position, const Item& item) {
    heap_[position] = item;
    slots_[item.slot].position = static_cast<uint32_t>(position);
  }

  std::vector<Item> heap_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  uint64_t next_order_ = 0;
};

}  // namespace ebla::rpc
