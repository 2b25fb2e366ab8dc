#include "client/core/session/session_tokens.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "client/core/session/rules.h"

namespace ebla::client {

namespace {

bool SameSaying(const TokenRange& a, const TokenRange& b) {
  return a.applied == b.applied && a.pending_primary == b.pending_primary;
}

// The ranges of `ranges`, cut so that each is inside `range` or outside, and with empty ones where it has gaps.
std::vector<TokenRange> CutAndFill(const std::vector<TokenRange>& ranges, const KeyRange& range) {
  std::vector<TokenRange> cut;
  std::string filled_to = range.start;  // within `range`
  bool filled = false;
  const auto fill_until = [&](const std::string& until) {
    if (!filled && filled_to < until) cut.push_back({{filled_to, until}, {}, {}});
  };
  for (const TokenRange& old : ranges) {
    const KeyRange inside = old.range.Intersect(range);
    if (inside.Empty()) {
      if (old.range.start >= range.start && !filled) {  // beyond the range: close it first
        if (!range.end.empty()) fill_until(range.end);
        filled = true;
      }
      cut.push_back(old);
      continue;
    }
    if (old.range.start < inside.start)
      cut.push_back({{old.range.start, inside.start}, old.applied, old.pending_primary});
    fill_until(inside.start);
    cut.push_back({inside, old.applied, old.pending_primary});
    filled_to = inside.end;
    filled = inside.end.empty() || inside.end == range.end;
    if (inside.end != old.range.end) cut.push_back({{inside.end, old.range.end}, old.applied, old.pending_primary});
  }
  if (!filled && (range.end.empty() || filled_to < range.end)) cut.push_back({{filled_to, range.end}, {}, {}});
  return cut;
}

// `own`, or a later write of the same epoch, is among `judged`.
bool CoveredBy(const std::vector<Version>& judged, const Version& own) {
  return std::ranges::any_of(judged, [&](const Version& one) { return one.epoch == own.epoch && own.lsn <= one.lsn; });
}

}  // namespace

template <class Change>
void TableToken::Apply(const KeyRange& range, Change change) {
  if (coarse_ || range.Empty()) return;
  // The common case: the session stays in its range.
  for (TokenRange& known : ranges_) {
    if (known.range == range) {
      change(known);
      return;
    }
  }
  std::vector<TokenRange> merged;
  for (TokenRange& part : CutAndFill(ranges_, range)) {
    if (range.Contains(part.range)) change(part);
    if (!part.applied && part.pending_primary.empty()) continue;
    if (!merged.empty() && merged.back().range.end == part.range.start && !merged.back().range.end.empty() &&
        SameSaying(merged.back(), part)) {
      merged.back().range.end = part.range.end;
    } else {
      merged.push_back(std::move(part));
    }
  }
  ranges_ = std::move(merged);
  if (ranges_.size() > kSessionRangesMax) Coarsen();
}

void TableToken::Coarsen() {
  coarse_ = true;
  ranges_.clear();
}

void TableToken::Observe(const KeyRange& range, Version applied) {
  Apply(range, [&](TokenRange& part) {
    part.applied = std::max(part.applied, applied);
    // Writes of the applied epoch at or below the position are applied; for older epochs only the server can tell.
    std::erase_if(part.pending_primary, [&](const Version& own) {
      const bool same_epoch = own.epoch == applied.epoch || !rules::TokenKeepsPendingWrites();
      return same_epoch && own.lsn <= applied.lsn;
    });
  });
}

void TableToken::Wrote(const KeyRange& range, Version version) {
  bool too_many = false;
  Apply(range, [&](TokenRange& part) {
    if (part.applied.epoch == version.epoch && part.applied.lsn >= version.lsn) return;
    for (Version& own : part.pending_primary) {
      if (own.epoch == version.epoch) {
        own = std::max(own, version);
        return;
      }
    }
    part.pending_primary.push_back(version);
    std::ranges::sort(part.pending_primary);
    too_many = too_many || part.pending_primary.size() > kPendingMax;
  });
  if (too_many) Coarsen();
}

void TableToken::Judged(const std::vector<TokenRange>& sent, const KeyRange& range, Version applied) {
  Observe(range, applied);
  for (const TokenRange& named : sent) {
    if (named.pending_primary.empty()) continue;
    Apply(named.range.Intersect(range), [&](TokenRange& part) {
      std::erase_if(part.pending_primary, [&](const Version& own) { return CoveredBy(named.pending_primary, own); });
    });
  }
}

std::vector<Version> TableToken::Lost(const std::vector<TokenRange>& sent, const KeyRange& range, Version applied) {
  // Beyond what the answerer had applied it could not judge, and would have waited.
  const auto judged = [&](const Version& version) {
    return version.lsn <= applied.lsn || version.epoch < applied.epoch;
  };
  std::set<Version> dropped;
  for (const TokenRange& named : sent) {
    std::vector<Version> pending = named.pending_primary;
    std::erase_if(pending, [&](const Version& own) { return !judged(own); });
    Apply(named.range.Intersect(range), [&](TokenRange& part) {
      if (judged(named.applied) && part.applied <= named.applied) {
        if (applied < part.applied) dropped.insert(part.applied);
        part.applied = applied;
      }
      std::erase_if(part.pending_primary, [&](const Version& own) {
        if (!CoveredBy(pending, own)) return false;
        dropped.insert(own);
        return true;
      });
    });
  }
  Observe(range, applied);
  return {dropped.begin(), dropped.end()};
}

std::vector<TokenRange> TableToken::For(const KeyRange& touched) const {
  std::vector<TokenRange> overlapping;
  for (const TokenRange& part : ranges_) {
    if (part.range.Overlaps(touched)) overlapping.push_back(part);
  }
  return overlapping;
}

Result<TableToken> TableToken::FromRanges(std::vector<TokenRange> ranges) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    const bool after_last =
        i > 0 && (ranges[i - 1].range.end.empty() || ranges[i].range.start < ranges[i - 1].range.end);
    if (ranges[i].range.Empty() || after_last) {
      return Error(Code::kInvalidArgument, "not a session token: its ranges are not in order");
    }
  }
  TableToken token;
  token.ranges_ = std::move(ranges);
  return token;
}

// ---- The text: base64url over
//        1 byte    format, 1
//        varint    number of tables; then for each
//          varint    table id
//          varint    number of ranges + 1, or 0 when coarse; then for each
//            bytes     start (varint length, bytes)
//            bytes     end
//            varint    epoch, lsn applied
//            varint    number of pending PRIMARY versions; then epoch, lsn of each

namespace {

constexpr char kFormat = 1;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void PutVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void PutBytes(std::string& out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out.append(bytes);
}

void PutVersion(std::string& out, const Version& version) {
  PutVarint(out, version.epoch.value);
  PutVarint(out, version.lsn.value);
}

// Reads what the Put functions wrote; after a fault everything reads as nothing, and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    left_ = {};
    return 0;
  }
  // A number of things still to be read, each of at least one byte.
  uint64_t Count() {
    const uint64_t count = Varint();
    if (count <= left_.size()) return count;
    ok_ = false;
    return 0;
  }
  std::string Bytes() {
    const uint64_t size = Count();
    std::string bytes(left_.substr(0, size));
    left_.remove_prefix(size);
    return bytes;
  }
  Version ReadVersion() {
    Version version;
    version.epoch.value = Varint();
    version.lsn.value = Varint();
    return version;
  }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

std::string ToBase64Url(std::string_view bytes) {
  std::string text;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) text.push_back(kAlphabet[(bits >> (held - 6)) & 63]);
  }
  if (held > 0) text.push_back(kAlphabet[(bits << (6 - held)) & 63]);
  return text;
}

std::optional<std::string> FromBase64Url(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<char>((bits >> held) & 0xff));
    }
  }
  if (held >= 6 || (bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

TokenRange ReadRange(Reader& reader) {
  TokenRange range;
  range.range.start = reader.Bytes();
  range.range.end = reader.Bytes();
  range.applied = reader.ReadVersion();
  const uint64_t pending = reader.Count();
  for (uint64_t i = 0; i < pending && reader.ok(); ++i) range.pending_primary.push_back(reader.ReadVersion());
  return range;
}

}  // namespace

std::string EncodeTokens(const SessionTokens& tokens) {
  std::string bytes(1, kFormat);
  PutVarint(bytes, tokens.size());
  for (const auto& [table, token] : tokens) {
    PutVarint(bytes, table.value);
    if (token.coarse() || token.ranges().size() > kTokenRangesMax) {
      PutVarint(bytes, 0);
      continue;
    }
    PutVarint(bytes, token.ranges().size() + 1);
    for (const TokenRange& range : token.ranges()) {
      PutBytes(bytes, range.range.start);
      PutBytes(bytes, range.range.end);
      PutVersion(bytes, range.applied);
      PutVarint(bytes, range.pending_primary.size());
      for (const Version& own : range.pending_primary) PutVersion(bytes, own);
    }
  }
  return ToBase64Url(bytes);
}

Result<SessionTokens> DecodeTokens(std::string_view text) {
  const Error malformed(Code::kInvalidArgument, "not a session token: pass what Session::Token() returned, unchanged");
  const std::optional<std::string> bytes = FromBase64Url(text);
  if (!bytes || bytes->empty()) return Error(malformed);
  if (bytes->front() != kFormat) {
    return Error(Code::kInvalidArgument, "a session token of format " +
                                             std::to_string(static_cast<int>(bytes->front())) +
                                             ", which this build does not know");
  }
  Reader reader(std::string_view(*bytes).substr(1));
  SessionTokens tokens;
  const uint64_t tables = reader.Count();
  for (uint64_t i = 0; i < tables && reader.ok(); ++i) {
    TableToken& token = tokens[TableId{reader.Varint()}];
    const uint64_t count = reader.Varint();
    if (count == 0) {
      token.Coarsen();
      continue;
    }
    if (count - 1 > kTokenRangesMax) return Error(malformed);
    std::vector<TokenRange> ranges;
    for (uint64_t r = 0; r + 1 < count && reader.ok(); ++r) ranges.push_back(ReadRange(reader));
    EBLA_ASSIGN(token, TableToken::FromRanges(std::move(ranges)));
  }
  if (!reader.AtEnd()) return Error(malformed);
  return tokens;
}

}  // namespace ebla::client
