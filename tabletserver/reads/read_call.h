// tabletserver/reads/read_call.h
// Calls and answers of the read path.
// Threads: values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/functions.h"
#include "common/base/status.h"
#include "tabletserver/reads/tablet_handle.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/session_token.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

inline constexpr size_t kScanExaminedMax = 10'000;  // records per page
inline constexpr size_t kMultiGetReplyBytesMax = 8 << 20;

// The common part of every read.
struct ReadCall {
  TableId table;
  ReadLevel level = ReadLevel::kDefault;
  std::vector<TokenRange> token;  // SESSION
  Duration bounded{};             // BOUNDED: how old what is seen may be
  // The facts learnt since the read arrived, all about `asked`, the tablet that was asked last.
  TabletId asked;
  Epoch confirmed;  // a majority has confirmed this epoch
  // STRONG: the PRIMARY writes of that epoch that are waited for; those acknowledged later are not
  Version awaited;
  std::shared_ptr<const LoggedSlice> logged;  // SESSION: what the log held of its keys; shared, as calls are copied
  bool logged_refused = false;                // it is not to be had
  // an entry of this time is applied since the read met an expiry: what expires later lives
  TabletTime judged_at;
  MonotonicTime deadline = MonotonicTime::Max();

  // Facts of one tablet do not hold for another, although both may be in an epoch of the same number.
  void Ask(TabletId tablet) {
    if (std::exchange(asked, tablet) == tablet) return;
    confirmed = {};
    awaited = {};
    logged.reset();
    logged_refused = false;
    judged_at = {};
  }
};

// The common part of every answer.
struct ReadAnswer {
  Status status;                           // OK, NOT_FOUND; else as ReplyHeader.code
  std::shared_ptr<const TabletView> view;  // of the answering replica; null: none is here
  ReadLevel level = ReadLevel::kStrong;    // what the read was judged by: DEFAULT resolved
  Version applied;                         // covers everything the read saw; none: nothing applied does
  TabletTime time;
  int64_t retry_after_ms = -1;
};

struct GetCall : ReadCall {
  std::string key;
};
struct GetResult : ReadAnswer {
  std::optional<StoredRecord> record;
};

struct MultiGetCall : ReadCall {
  std::vector<std::string> keys;
};
struct MultiGetResult : ReadAnswer {
  struct Item {
    Code code = Code::kOk;  // OK, NOT_FOUND, INVALID_ARGUMENT, WRONG_TABLET, OVERLOADED
    StoredRecord record;
  };
  std::vector<Item> items;  // as many as keys, when the status is OK
};

struct ScanCall : ReadCall {
  KeyRange range;
  bool reverse = false;
  bool keys_only = false;
  size_t limit = 0;  // 0: none
  size_t page_bytes = 1 << 20;
};
struct ScanResult : ReadAnswer {
  std::vector<std::pair<std::string, StoredRecord>> records;
  KeyRange remaining;
  bool done = false;
};

struct FunctionCall : ReadCall {
  std::string key;
  KeyRange group;  // of the key, by its table's rule
  const Function* function = nullptr;
  std::string arguments;
  bool on_reader = false;  // it looks at more than the loop has time for
};
struct FunctionCallResult : ReadAnswer {
  std::string answer;
};

}  // namespace ebla::tabletserver
