#include "functions/redis/strings/string_commands.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace ebla::redis {
namespace {

std::string_view Bytes(const Update& update) {
  return update.old ? std::string_view(update.old->bytes) : std::string_view();
}

void ReplyOld(Update& update) {
  if (update.old) {
    update.reply.Bulk(update.old->bytes);
  } else {
    update.reply.Null();
  }
}

// The options of SET and GETEX for time, and those of SET for conditions.
struct TimeOptions {
  bool if_absent = false, if_present = false, get = false, keep_time = false, persist = false;
  const std::string* time = nullptr;
  TimeUnit unit = TimeUnit::kSeconds;
  TimeFrom from = TimeFrom::kNow;
};

bool TakeTime(TimeOptions& options, const Words& words, size_t& at) {
  static constexpr struct {
    std::string_view name;
    TimeUnit unit;
    TimeFrom from;
  } kTimes[] = {{"EX", TimeUnit::kSeconds, TimeFrom::kNow},
                {"PX", TimeUnit::kMilliseconds, TimeFrom::kNow},
                {"EXAT", TimeUnit::kSeconds, TimeFrom::kEpoch},
                {"PXAT", TimeUnit::kMilliseconds, TimeFrom::kEpoch}};
  for (const auto& time : kTimes) {
    if (!IsWord(words[at], time.name)) continue;
    // The same once more replaces it; of two kinds neither counts.
    const bool other = options.time != nullptr && (options.unit != time.unit || options.from != time.from);
    if (other || options.keep_time || options.persist || at + 1 == words.size()) return false;
    options.time = &words[++at];
    options.unit = time.unit;
    options.from = time.from;
    return true;
  }
  return false;
}

std::optional<TimeOptions> SetOptions(const Words& words) {
  TimeOptions options;
  for (size_t at = 3; at < words.size(); ++at) {
    if (IsWord(words[at], "NX") && !options.if_present) {
      options.if_absent = true;
    } else if (IsWord(words[at], "XX") && !options.if_absent) {
      options.if_present = true;
    } else if (IsWord(words[at], "GET")) {
      options.get = true;
    } else if (IsWord(words[at], "KEEPTTL") && options.time == nullptr) {
      options.keep_time = true;
    } else if (!TakeTime(options, words, at)) {
      return std::nullopt;
    }
  }
  return options;
}

constexpr size_t kFloatDigitsMax = 5119;  // of what is written and read
// A number of thousands of digits takes milliseconds to write.
constexpr size_t kBriefDigitsMax = 64;
constexpr long double kBriefMax = 1e64L;

// Redis's text of a long double: digits, no exponent, and no zeros at the end of a fraction.
std::string FloatText(long double number) {
  char text[5200];  // the longest is one of some 4,950 digits
  std::string out(text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.17Lf", number)));
  if (out.find('.') != out.npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

std::optional<long double> ToFloat(const std::string& text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text.front())) || text.size() > kFloatDigitsMax)
    return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const long double number = std::strtold(text.c_str(), &end);
  const bool out_of_range = errno == ERANGE && (std::isinf(number) || number == 0);
  if (end != text.c_str() + text.size() || std::isnan(number) || out_of_range) return std::nullopt;
  return number;
}

}  // namespace

bool IsBlindSet(const Words& words) {
  const std::optional<TimeOptions> options = SetOptions(words);
  return options && !options->if_absent && !options->if_present && !options->get && !options->keep_time;
}

std::optional<bool> SetCondition(const Words& words) {
  const std::optional<TimeOptions> options = SetOptions(words);
  if (!options || options->get || options->keep_time || options->if_absent == options->if_present) return std::nullopt;
  return options->if_present;
}

void Set(Update& update) {
  const std::optional<TimeOptions> options = SetOptions(update.words);
  if (!options) return void(update.reply.Failure(kSyntax));
  std::optional<int64_t> expires;
  if (options->time != nullptr) {
    expires = ToExpiry(*options->time, options->unit, options->from, true, update);
    if (!expires) return;
  }
  if (options->keep_time && update.old) expires = update.old->expires_ms;
  if (options->get) ReplyOld(update);
  if ((options->if_absent && update.old) || (options->if_present && !update.old)) {
    if (!options->get) update.reply.Null();
    return;
  }
  // A time by the calendar may be over: then it is no put.
  update.Put(options->from == TimeFrom::kNow ? update.Take(2) : update.words[2], expires);
  if (!options->get) update.reply.Ok();
}

void SetNx(Update& update) {
  if (!update.old) update.Put(update.words[2], std::nullopt);
  update.reply.Number(update.old ? 0 : 1);
}

void SetEx(Update& update) {
  const TimeUnit unit = IsWord(update.words[0], "SETEX") ? TimeUnit::kSeconds : TimeUnit::kMilliseconds;
  const std::optional<int64_t> expires = ToExpiry(update.words[2], unit, TimeFrom::kNow, true, update);
  if (!expires) return;
  update.Put(update.Take(3), expires);
  update.reply.Ok();
}

void Get(Update& update) { ReplyOld(update); }

void GetEx(Update& update) {
  TimeOptions options;
  for (size_t at = 2; at < update.words.size(); ++at) {
    if (IsWord(update.words[at], "PERSIST") && options.time == nullptr) {
      options.persist = true;
    } else if (!TakeTime(options, update.words, at)) {
      return void(update.reply.Failure(kSyntax));
    }
  }
  if (!update.old) return void(update.reply.Null());
  std::optional<int64_t> expires;
  if (options.time != nullptr) {
    expires = ToExpiry(*options.time, options.unit, options.from, true, update);
    if (!expires) return;
  }
  ReplyOld(update);
  if (options.time != nullptr || (options.persist && update.old->expires_ms)) update.PutOld(expires);
}

void GetDel(Update& update) {
  ReplyOld(update);
  update.Delete();
}

void GetSet(Update& update) {
  ReplyOld(update);
  update.Put(update.words[2], std::nullopt);
}

std::optional<int64_t> IncrementBy(const Words& words) {
  const bool down = words[0].starts_with('D') || words[0].starts_with('d');
  const std::optional<int64_t> given = words.size() == 3 ? ToInteger(words[2]) : 1;
  if (!given || (down && *given == std::numeric_limits<int64_t>::min())) return std::nullopt;
  return down ? -*given : *given;
}

void Increment(Update& update) {
  const std::optional<int64_t> by = IncrementBy(update.words);
  if (!by)
    return void(update.reply.Failure(ToInteger(update.words[2]) ? "ERR decrement would overflow" : kNotAnInteger));
  const std::optional<int64_t> old = update.old ? ToInteger(update.old->bytes) : int64_t{0};
  if (!old) return void(update.reply.Failure(kNotAnInteger));
  int64_t sum = 0;
  if (__builtin_add_overflow(*old, *by, &sum))
    return void(update.reply.Failure("ERR increment or decrement would overflow"));
  update.PutKeepingTime(std::to_string(sum));
  update.reply.Number(sum);
}

void IncrementByFloat(Update& update) {
  const size_t digits = std::max(Bytes(update).size(), update.words[2].size());
  if (update.others_wait && digits > kBriefDigitsMax) return void(update.declined = true);
  const std::optional<long double> old = update.old ? ToFloat(update.old->bytes) : 0.0L;
  const std::optional<long double> by = ToFloat(update.words[2]);
  if (!old || !by) return void(update.reply.Failure("ERR value is not a valid float"));
  const long double sum = *old + *by;
  if (!std::isfinite(sum)) return void(update.reply.Failure("ERR increment would produce NaN or Infinity"));
  if (update.others_wait && std::abs(sum) > kBriefMax) return void(update.declined = true);
  const std::string text = FloatText(sum);
  update.PutKeepingTime(text);
  update.reply.Bulk(text);
}

void Append(Update& update) {
  std::string bytes(Bytes(update));
  if (bytes.size() + update.words[2].size() > kStringBytesMax) return void(update.reply.Failure(kTooLong));
  bytes += update.words[2];
  update.reply.Number(std::ssize(bytes));
  update.PutInPlace(std::move(bytes));
}

void StrLen(Update& update) { update.reply.Number(std::ssize(Bytes(update))); }

void GetRange(Update& update) {
  const std::optional<int64_t> first = ToInteger(update.words[2]), last = ToInteger(update.words[3]);
  if (!first || !last) return void(update.reply.Failure(kNotAnInteger));
  const std::string_view bytes = Bytes(update);
  const int64_t size = std::ssize(bytes);
  if (*first < 0 && *last < 0 && *first > *last) return void(update.reply.Bulk(""));
  const int64_t from = std::max<int64_t>(*first < 0 ? size + *first : *first, 0);
  const int64_t to = std::min(std::max<int64_t>(*last < 0 ? size + *last : *last, 0), size - 1);
  if (size == 0 || from > to) return void(update.reply.Bulk(""));
  update.reply.Bulk(bytes.substr(static_cast<size_t>(from), static_cast<size_t>(to - from + 1)));
}

void SetRange(Update& update) {
  const std::optional<int64_t> offset = ToInteger(update.words[2]);
  if (!offset) return void(update.reply.Failure(kNotAnInteger));
  if (*offset < 0) return void(update.reply.Failure("ERR offset is out of range"));
  const std::string& part = update.words[3];
  std::string bytes(Bytes(update));
  if (part.empty()) return void(update.reply.Number(std::ssize(bytes)));
  if (*offset > static_cast<int64_t>(kStringBytesMax - part.size())) return void(update.reply.Failure(kTooLong));
  const auto at = static_cast<size_t>(*offset);
  bytes.resize(std::max(bytes.size(), at + part.size()));
  bytes.replace(at, part.size(), part);
  update.reply.Number(std::ssize(bytes));
  update.PutInPlace(std::move(bytes));
}

// ---- LCS ------------------------------------------------------------------------------------------------------------

namespace {

struct LcsOptions {
  bool length = false, ranges = false, with_lengths = false;
  int64_t least = 0;
};

// A stretch that both have; the ends are included.
struct CommonRange {
  size_t a_first, a_last, b_first, b_last;
  size_t length() const { return a_last - a_first + 1; }
};

std::optional<LcsOptions> ToLcsOptions(const Words& words, Reply& reply) {
  LcsOptions options;
  for (size_t at = 3; at < words.size(); ++at) {
    if (IsWord(words[at], "LEN")) {
      options.length = true;
    } else if (IsWord(words[at], "IDX")) {
      options.ranges = true;
    } else if (IsWord(words[at], "WITHMATCHLEN")) {
      options.with_lengths = true;
    } else if (IsWord(words[at], "MINMATCHLEN") && at + 1 < words.size()) {
      const std::optional<int64_t> least = ToInteger(words[++at]);
      if (!least) return reply.Failure(kNotAnInteger), std::nullopt;
      options.least = std::max<int64_t>(*least, 0);
    } else {
      return reply.Failure(kSyntax), std::nullopt;
    }
  }
  if (options.length && options.ranges) {
    reply.Failure("ERR If you want both the length and indexes, please just use IDX.");
    return std::nullopt;
  }
  return options;
}

void ReplyRanges(const std::vector<CommonRange>& ranges, const LcsOptions& options, size_t length, Reply& reply) {
  reply.Map(2).Bulk("matches").Array(ranges.size());
  for (const CommonRange& range : ranges) {
    reply.Array(options.with_lengths ? 3 : 2);
    reply.Array(2).Number(static_cast<int64_t>(range.a_first)).Number(static_cast<int64_t>(range.a_last));
    reply.Array(2).Number(static_cast<int64_t>(range.b_first)).Number(static_cast<int64_t>(range.b_last));
    if (options.with_lengths) reply.Number(static_cast<int64_t>(range.length()));
  }
  reply.Bulk("len").Number(static_cast<int64_t>(length));
}

}  // namespace

void Lcs(const Words& words, std::string_view a, std::string_view b, Reply& reply) {
  const std::optional<LcsOptions> options = ToLcsOptions(words, reply);
  if (!options) return;
  if (a.size() * b.size() > kLcsProductMax) {
    reply.Failure("ERR LCS of values whose lengths have a product above " + std::to_string(kLcsProductMax) +
                  " is not served by Ebla");
    return;
  }
  const size_t width = b.size() + 1;
  std::vector<uint32_t> table((a.size() + 1) * width);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      table[i * width + j] = a[i - 1] == b[j - 1] ? table[(i - 1) * width + j - 1] + 1
                                                  : std::max(table[(i - 1) * width + j], table[i * width + j - 1]);
    }
  }
  const size_t length = table.back();
  if (options->length) return void(reply.Number(static_cast<int64_t>(length)));
  // From the end back.
  std::string common;
  std::vector<CommonRange> ranges;
  std::optional<CommonRange> range;
  const auto end_range = [&] {
    if (range && static_cast<int64_t>(range->length()) >= options->least) ranges.push_back(*range);
    range.reset();
  };
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      common.push_back(a[i - 1]);
      --i, --j;
      if (range && range->a_first == i + 1 && range->b_first == j + 1) {
        range->a_first = i, range->b_first = j;
      } else {
        end_range();
        range = CommonRange{i, i, j, j};
      }
    } else {
      table[(i - 1) * width + j] > table[i * width + j - 1] ? --i : --j;
    }
  }
  end_range();
  if (options->ranges) return ReplyRanges(ranges, *options, length, reply);
  reply.Bulk(std::string(common.rbegin(), common.rend()));
}

}  // namespace ebla::redis
