#include "tests/sim/clients/splitter.h"

#include <algorithm>
#include <utility>

namespace ebla::sim {

using std::chrono::milliseconds;

void Splitter::Next() {
  busy_ = false;
  if (finishing_) return;
  busy_ = true;
  Executor& executor = client_.executor();
  executor.After(milliseconds(100 + executor.Random() % 2500), [this, &executor] {
    if (finishing_) return Next();
    const bool other = !other_.empty() && executor.Random() % 3 == 0;
    if (other) return Split(other_, std::string(1, static_cast<char>('a' + executor.Random() % 26)) + "x");
    const bool hot = executor.Random() % 2 == 0;
    const auto group = 1 + static_cast<int>(executor.Random() % static_cast<uint64_t>(groups_ - 1));
    const std::string key = hot ? BelowLastWrite() : GroupPrefix(group);
    spared_(key) ? Next() : Split(table_, key);
  });
}

// The start of the group that was last written in the table. Instead of the first group's, the start of the second.
std::string Splitter::BelowLastWrite() const {
  const auto& operations = record_.history.operations;
  const auto last = std::ranges::find_if(operations.rbegin(), operations.rend(),
                                         [this](const Operation& op) { return !op.is_read && op.group < groups_; });
  return GroupPrefix(std::max(1, last == operations.rend() ? 1 : last->group));
}

void Splitter::Split(const std::string& table, const std::string& key) {
  client_.admin().SplitTablet(
      table, key, client::OnceCallback<Result<TabletSplit>>([this, table, key](Result<TabletSplit> split) {
        log_.Add("admin",
                 "split " + table + " at " + key + ": " + (split ? Status() : Status(split.error())).ToString());
        made_ += split.has_value();
        Next();
      }));
}

}  // namespace ebla::sim
