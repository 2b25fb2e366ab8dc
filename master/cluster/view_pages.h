// master/cluster/view_pages.h
// Views of the cluster as text (balancer/planner/view_json.h) that one answer does not hold, kept until they have been
// asked for in pages.
// Invariants: all pages of one id are of one text, however the cluster changes meanwhile. At most kCachedMax are kept,
//             each for kCachedFor after it was asked for last; one that fits a page is not kept at all.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <map>
#include <string>

#include "common/base/executor.h"
#include "common/base/status.h"

namespace ebla::master {

class ViewPages {
 public:
  static constexpr size_t kCachedMax = 2;
  static constexpr Duration kCachedFor = std::chrono::seconds(60);

  struct Page {
    int64_t id = 0;    // for the next; 0: there is none
    size_t bytes = 0;  // of the whole
    std::string text;
  };

  explicit ViewPages(size_t page_bytes) : page_bytes_(page_bytes) {}

  // The first page; `id` is not 0, and used for no other text that is kept.
  Page Begin(int64_t id, std::string text, MonotonicTime now);
  // CONDITION_FAILED: it is kept no more, or has no such place.
  Result<Page> Next(int64_t id, int64_t offset, MonotonicTime now);

 private:
  struct CachedView {
    std::string text;
    MonotonicTime last_used;
  };
  const size_t page_bytes_;
  std::map<int64_t, CachedView> cached_;
};

}  // namespace ebla::master
