// common/base/functions.h
// Functions that tablet servers apply where records lie, in one step with the rest of a write. A function sees one
// record, or the records of one key group, as they are after everything in the log. It returns the changes, and an
// answer. A client names the function and a key, and gives it arguments.
// Place:      a server's binary fills in Functions; tabletserver/tablet/write_evaluator.h calls them.
// Invariants: 1. A function depends on its input alone, keeps nothing between calls, and never throws. It may be
//                applied again to another state, if the first application was never answered.
//             2. A function of one record takes no longer than some copies of the largest value. A function of a group
//                takes as long as its looks at rows, which are bounded.
//             3. Whatever a function changes lies in its key's group.
// Errors:     a function's error refuses the write with INVALID_ARGUMENT, and is logged like any refusal. The client
//             then runs a function of one record itself, between a read and a conditional write.
//             An error of GroupRows is to be returned as it is.
// Threads:    any; Functions is filled in before its first use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"

namespace ebla {

// Limits of one function, and of a batch's functions together. A larger answer is refused, because the log and the
// dedup window keep an answer until its client acknowledges it.
inline constexpr size_t kFunctionAnswerBytesMax = 16 << 10;
inline constexpr size_t kFunctionAnswersBytesMax = 64 << 10;
// Limits of the functions of one batch together: rows that they look at, expired ones among them, and effects. The
// bytes of rows and changes are bounded as those of a batch.
inline constexpr size_t kFunctionRowsMax = 10'000;
inline constexpr size_t kFunctionEffectsMax = 1'000;
// Limits of one call of a function that reads: its answer, and the rows that it sees.
inline constexpr size_t kReadAnswerBytesMax = 1 << 20;
inline constexpr size_t kReadRowsBytesMax = 8 << 20;

struct FunctionRow {
  std::string key;
  std::string value;                  // empty in a scan of keys alone
  Version version;                    // none: made by this very batch
  std::optional<int64_t> expires_ms;  // after now_ms; none: never
};

struct RowScan {
  KeyRange keys;  // cut to the group
  bool reverse = false;
  bool keys_only = false;
  size_t limit = SIZE_MAX;
};

// The records of a key group. Whatever has expired by now_ms is not among them.
class GroupRows {
 public:
  virtual ~GroupRows() = default;

  virtual const KeyRange& group() const = 0;
  // INVALID_ARGUMENT: the key lies outside the group, or the functions of the batch have looked at too much.
  virtual Result<std::optional<FunctionRow>> Get(std::string_view key) = 0;
  virtual Result<std::vector<FunctionRow>> Scan(const RowScan& scan) = 0;
  // Looks at each of them.
  virtual Result<size_t> Count(const KeyRange& keys) = 0;
};

struct FunctionInput {
  struct Record {
    std::string_view value;
    Version version;                    // none: made by this very batch
    std::optional<int64_t> expires_ms;  // above now_ms; none: never
  };
  std::string_view arguments;    // as the function understands them
  int64_t now_ms = 0;            // tablet time, in milliseconds since 1970, as all times here
  std::optional<Record> record;  // of the key; of a function that reads never: it looks by itself
  std::string_view key = {};
  // The version that the changes will have. No version is ever used twice in a table's history, and a key's versions
  // only grow, so that a function may hand it out as a fencing token.
  Version change_version = {};
  GroupRows* rows = nullptr;  // null: a function of one record
};

struct FunctionResult {
  enum class Change : uint8_t { kNone, kPut, kDelete };
  Change change = Change::kNone;  // of the key that the client names
  std::string value;              // of kPut
  // Expiry of kPut; 0: never. No value: as before, or never if there was no record. A moment that has passed hides the
  // record at once.
  std::optional<int64_t> expires_ms;
  std::string answer;
  bool expires_after = false;  // expires_ms is a duration after now_ms, rather than a moment that a client has named
  // Changes of other keys of the group, in order: a later change of a key replaces an earlier one.
  struct RowChange {
    std::string key;
    bool is_delete = false;
    std::string value = {};
    int64_t expires_ms = 0;  // 0: never
  };
  std::vector<RowChange> others = {};

  bool ChangesSomething() const { return change != Change::kNone || !others.empty(); }
};

using FunctionBody = std::function<Result<FunctionResult>(const FunctionInput& input)>;

enum class FunctionScope : uint8_t {
  kRecord,
  kGroup,
  kReadGroup,  // changes nothing; a read (tablet.thrift, call) takes it to any replica, at any level
};

struct Function {
  FunctionScope scope = FunctionScope::kRecord;
  FunctionBody run;
};

class Functions {
 public:
  void Add(std::string name, FunctionBody of_a_record) {
    Add(std::move(name), FunctionScope::kRecord, std::move(of_a_record));
  }
  void Add(std::string name, FunctionScope scope, FunctionBody run) {
    functions_.insert_or_assign(std::move(name), Function{scope, std::move(run)});
  }
  // Null: there is none of that name.
  const Function* Find(std::string_view name) const {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Function, std::less<>> functions_;
};

}  // namespace ebla
