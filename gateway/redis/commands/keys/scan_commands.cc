#include "gateway/redis/commands/keys/scan_commands.h"

#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <random>

#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/databases/key_codec.h"
#include "gateway/redis/wire/glob.h"

namespace ebla::gateway::redis {
namespace {

constexpr uint64_t kPageKeys = 1'000;
constexpr uint64_t kScanKeysMax = 10'000;   // of one SCAN, whatever its COUNT
constexpr size_t kKeysBytesMax = 64 << 20;  // of what KEYS answers
constexpr size_t kStepsPerKey = 4'096;      // that KEYS may take for each on the average
constexpr int kKeysAtOnce = 4;              // KEYS of all clients: their answers are large
constexpr size_t kRandomKeysMax = 10'000;   // among which RANDOMKEY chooses
constexpr std::chrono::seconds kPageDeadline{10};

static_assert(kMatchStepsMax > (kPatternBytesMax + 1) * (kKeyBytesMax + 1));

using SharedScan = std::shared_ptr<StoreCall>;

// Visits the keys of some ranges, which come in order, until the visitor returns false, then ends.
class Walk : public std::enable_shared_from_this<Walk> {
 public:
  using Visitor = std::move_only_function<bool(const Row&)>;
  using End = std::move_only_function<void(const Status&)>;

  // Ends early once the client has left.
  static void Start(const SharedScan& call, std::vector<KeyRange> ranges, uint64_t page_keys, Visitor visitor,
                    End end) {
    auto walk = std::make_shared<Walk>();
    walk->store_ = call->store;
    walk->gone_ = call->caller->gone;
    walk->page_keys_ = page_keys;
    walk->visitor_ = std::move(visitor);
    walk->end_ = std::move(end);
    walk->ranges_ = std::move(ranges);
    walk->NextRange();
  }

 private:
  void NextRange() {
    if (at_ == ranges_.size()) return end_({});
    KeyRange range = std::move(ranges_[at_++]);
    range.Empty() ? NextRange() : Next(std::move(range));
  }
  void Next(KeyRange range) {
    store_->ScanKeys(std::move(range), page_keys_, std::chrono::steady_clock::now() + kPageDeadline,
                     [self = shared_from_this()](Result<ScanPage> page) {
                       if (!page) return self->end_(page.error());
                       if (*self->gone_) return self->end_(Status(Code::kUnavailable, "the client has gone"));
                       for (const Row& row : page->rows) {
                         if (!self->visitor_(row)) return self->end_({});
                       }
                       page->done ? self->NextRange() : self->Next(std::move(page->remaining));
                     });
  }

  std::shared_ptr<Store> store_;
  std::shared_ptr<const std::atomic<bool>> gone_;
  std::vector<KeyRange> ranges_;
  size_t at_ = 0;  // of the next range
  uint64_t page_keys_ = kPageKeys;
  Visitor visitor_;
  End end_;
};

// ---- SCAN -----------------------------------------------------------------------------------------------------------

struct ScanOptionsOf {
  uint64_t cursor = 0;
  std::string pattern = "*";
  uint64_t count = 10;
  bool strings = true;  // which all values are
};

// Redis reads an empty word as 0, and lets a negative number wrap around.
std::optional<uint64_t> ToCursor(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const uint64_t cursor = std::strtoull(text.c_str(), &end, 10);
  const bool blank = !text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0;
  if (blank || end != text.c_str() + text.size() || errno == ERANGE) return std::nullopt;
  return cursor;
}

// None: the call has ended.
std::optional<ScanOptionsOf> ToScanOptions(StoreCall& call) {
  const Words& words = call.words;
  ScanOptionsOf options;
  const std::optional<uint64_t> cursor = ToCursor(words[1]);
  if (!cursor) return call.Fail("ERR invalid cursor"), std::nullopt;
  options.cursor = *cursor;
  for (size_t at = 2; at < words.size(); at += 2) {
    if (at + 1 == words.size()) return call.Fail(kSyntax), std::nullopt;
    if (IsWord(words[at], "COUNT")) {
      const std::optional<int64_t> count = ToInteger(words[at + 1]);
      if (!count) return call.Fail(kNotAnInteger), std::nullopt;
      if (*count < 1) return call.Fail(kSyntax), std::nullopt;
      options.count = std::min(static_cast<uint64_t>(*count), kScanKeysMax);
    } else if (IsWord(words[at], "MATCH")) {
      options.pattern = words[at + 1];
      if (options.pattern.size() > kPatternBytesMax) return call.Fail(kPatternTooLong), std::nullopt;
    } else if (IsWord(words[at], "TYPE")) {
      options.strings = IsWord(words[at + 1], "STRING");
    } else {
      return call.Fail(kSyntax), std::nullopt;
    }
  }
  return options;
}

std::vector<KeyRange> RangesOf(const std::string& pattern) {
  std::vector<KeyRange> ranges = RangesOfPrefix(PrefixOf(pattern));
  std::erase_if(ranges, [](const KeyRange& range) { return range.start.size() > kKeyBytesMax; });
  return ranges;
}

void ScanFrom(SharedScan call, const ScanOptionsOf& options, const std::string& start) {
  struct Found {
    std::vector<std::string> keys;
    uint64_t seen = 0;
    std::string last;
    bool more = false;
    size_t steps_left = kMatchStepsMax;
  };
  auto found = std::make_shared<Found>();
  std::vector<KeyRange> ranges = RangesOf(options.pattern);
  for (KeyRange& range : ranges) range = range.Intersect({start, ""});
  Walk::Start(
      call, std::move(ranges), options.count + 1,
      [found, options](const Row& row) {
        if (found->seen == options.count) return !(found->more = true);
        size_t& left = found->steps_left;
        const bool matches = options.strings && Matches(options.pattern, row.key, left);
        if (left == 0) return !(found->more = true);  // fewer than were asked for: the next call resumes at this key
        ++found->seen;
        found->last = row.key;
        if (matches) found->keys.push_back(row.key);
        return true;
      },
      [call, found](const Status& status) {
        if (!status.ok()) return call->Fail(status);
        Reply reply(call->protocol);
        reply.Array(2).Bulk(found->more ? std::to_string(call->shared().cursors->Remember(found->last)) : "0");
        reply.Array(found->keys.size());
        for (const std::string& key : found->keys) reply.Bulk(key);
        call->Answer(reply);
      });
}

}  // namespace

void Scan(SharedScan call) {
  const std::optional<ScanOptionsOf> options = ToScanOptions(*call);
  if (!options) return;
  if (options->cursor == 0) return ScanFrom(call, *options, "");
  if (const auto key = call->shared().cursors->Find(options->cursor))
    return ScanFrom(call, *options, KeyAfter(RecordKey(*key)));
  // Another gateway's, or one from long ago.
  auto start = std::make_shared<std::string>();
  Walk::Start(
      call, {KeyRange()}, kPageKeys,
      [start, cursor = options->cursor](const Row& row) {
        if (ScanCursors::Of(row.key) != cursor) return true;
        *start = KeyAfter(RecordKey(row.key));
        return false;
      },
      [call, options = *options, start](const Status& status) {
        status.ok() ? ScanFrom(call, options, *start) : call->Fail(status);
      });
}

void Keys(SharedScan call) {
  // One of those that run at once, until it is let go of.
  static std::atomic<int> running = 0;
  struct Found {
    ~Found() { --running; }
    Reply reply;
    size_t count = 0;
    size_t steps_left = kMatchStepsMax;
  };
  const std::string pattern = call->words[1];
  if (pattern.size() > kPatternBytesMax) return call->Fail(kPatternTooLong);
  if (++running > kKeysAtOnce) {
    --running;
    return call->Fail("OOM too many KEYS run already: try again, or use SCAN");
  }
  auto found = std::make_shared<Found>();
  Walk::Start(
      call, RangesOf(pattern), kPageKeys,
      [found, pattern](const Row& row) {
        size_t& left = found->steps_left;
        left = std::min(left + kStepsPerKey, kMatchStepsMax);
        if (!Matches(pattern, row.key, left)) return left > 0;
        found->reply.Bulk(row.key);
        ++found->count;
        return found->reply.bytes().size() <= kKeysBytesMax;
      },
      [call, found](const Status& status) {
        if (!status.ok()) return call->Fail(status);
        if (found->steps_left == 0) return call->Fail(kPatternTooSlow);
        if (found->reply.bytes().size() > kKeysBytesMax)
          return call->Fail("ERR there are too many such keys to show at a time: use SCAN");
        Reply reply(call->protocol);
        reply.Array(found->count).Add(found->reply.bytes());
        call->Answer(reply);
      });
}

void DbSize(SharedScan call) {
  auto count = std::make_shared<int64_t>(0);
  Walk::Start(
      call, {KeyRange()}, 10 * kPageKeys, [count](const Row&) { return ++*count > 0; },
      [call, count](const Status& status) { status.ok() ? call->Number(*count) : call->Fail(status); });
}

void RandomKey(SharedScan call) {
  struct Chosen {
    std::mt19937_64 random{std::random_device()()};
    size_t seen = 0;
    std::string key;
  };
  auto chosen = std::make_shared<Chosen>();
  Walk::Start(
      call, {KeyRange()}, kPageKeys,
      [chosen](const Row& row) {
        if (chosen->random() % ++chosen->seen == 0) chosen->key = row.key;
        return chosen->seen < kRandomKeysMax;
      },
      [call, chosen](const Status& status) {
        if (!status.ok()) return call->Fail(status);
        Reply reply(call->protocol);
        chosen->seen == 0 ? reply.Null() : reply.Bulk(chosen->key);
        call->Answer(reply);
      });
}

void FlushDb(SharedScan call) {
  if (!EndsWithFlushMode(call->words, 1)) return call->Fail(kSyntax);
  call->shared().flushes->Flush(call->store,
                                [call](const Status& status) { status.ok() ? call->Ok() : call->Fail(status); });
}

}  // namespace ebla::gateway::redis
