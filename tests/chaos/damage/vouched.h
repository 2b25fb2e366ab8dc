// tests/chaos/damage/vouched.h
// Waits until the inventory of a running server tells of all that was on the disk at a moment. A loss within the second
// before a crash may stay unseen (docs/design/storage.md), so a case damages nothing younger than that.
// How:     from outside, by the two files of the inventory (tabletserver/storage/wiredtiger/store_inventory.h). A file
//          that was written after the moment covers it, and so does the other one, once it needs as much of the log.
// Threads: a value.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace ebla::chaos {

class Vouched {
 public:
  // The moment is now.
  explicit Vouched(const std::string& data_dir);
  bool IsDone() const;
  // A server without both files, or whose log has not changed since, gives no sign. Then so long: the inventory's own
  // bound, as inventory_keeper.h has it.
  void Await(std::chrono::milliseconds limit = std::chrono::seconds(3)) const;

 private:
  struct Claim {
    uint64_t generation = 0;
    uint64_t needed = 0;
  };
  // None: there is no such file, or it is no inventory.
  static std::optional<Claim> Read(const std::string& file);

  std::array<std::string, 2> files_;
  std::chrono::steady_clock::time_point moment_;
  uint64_t generation_ = 0;  // the newest then
};

}  // namespace ebla::chaos
