// tabletserver/storage/wiredtiger/wt_run_scan.h
// Rows in the order of their keys, from a buffer and from sorted runs. A newer source replaces an older one's rows.
// How:     a heap of sources by their next keys.
// Errors:  WiredTiger's numbers; the end of the rows is none.
// Threads: those of the session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tabletserver/storage/buffer/table_buffer.h"
#include "tabletserver/storage/runs/run_set.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtRunScan {
 public:
  struct Options {
    KeyRange range;
    bool reverse = false;
    PageUse use = PageUse::kOnce;
    bool deleted = false;  // shows deleted rows, too
    bool counted = false;  // bytes_passed() counts
  };
  // `buffer` has the range and direction of the options; null: the runs alone. The newest run is first. All of them
  // outlive the scan.
  WtRunScan(WtSession& session, BufferScan* buffer, const std::vector<RunOfTable>& runs, const Options& options);

  int Start();
  bool valid() const { return !heap_.empty(); }
  // Only while valid(); the views are valid until Next(). A deleted row has no bytes.
  std::string_view key() const { return heap_.front()->key; }
  std::optional<std::string_view> row() const { return row_; }
  int Next();
  // Keys and rows of runs that the scan has passed by, also of rows that newer ones replace.
  int64_t bytes_passed() const { return bytes_passed_; }
  // After a damaged block: the run that has it.
  std::optional<RunNumber> damaged() const { return damaged_; }

 private:
  struct Source {
    size_t age = 0;  // a smaller one replaces a greater one's rows
    BufferScan* buffer = nullptr;
    const RunOfTable* run = nullptr;
    std::optional<WtCursor> cursor = {};
    std::string_view key = {};
  };
  struct After {
    bool reverse;
    bool operator()(const Source* a, const Source* b) const {
      const int order = a->key.compare(b->key);
      if (order != 0) return reverse ? order < 0 : order > 0;
      return a->age > b->age;
    }
  };

  int Open(Source& source);
  bool IsBeyond(std::string_view key) const {
    return options_.reverse ? key < options_.range.start : !options_.range.end.empty() && key >= options_.range.end;
  }
  // Puts a source that has moved into the heap, unless it has no further row; rows in holes are passed over.
  int Push(Source& source, int moved);
  int Note(const Source& source, int error);
  int Step(Source& source);
  int Count(Source& source);
  // The first source moves on, and with it older ones that are at the same key.
  int Pass();
  int Settle();

  WtSession& session_;
  const Options options_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Source*> heap_;
  std::optional<std::string_view> row_;
  std::vector<Source*> moving_;  // scratch of Pass()
  int64_t bytes_passed_ = 0;
  std::optional<RunNumber> damaged_;
};

}  // namespace ebla::tabletserver
