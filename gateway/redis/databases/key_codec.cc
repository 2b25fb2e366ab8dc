#include "gateway/redis/databases/key_codec.h"

namespace ebla::gateway::redis {
namespace {

// No escaped text begins with either: it has \1 and \2 after \1.
constexpr std::string_view kTagged = "\1\3", kEmptyKey = "\1\4";

std::string Escaped(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (c == '\0' || c == '\1') escaped += '\1';
    escaped += c == '\0' ? '\1' : c == '\1' ? '\2' : c;
  }
  return escaped;
}

std::optional<std::string> Unescaped(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\0') return std::nullopt;
    if (text[at] != '\1') {
      plain += text[at];
      continue;
    }
    if (++at == text.size() || (text[at] != '\1' && text[at] != '\2')) return std::nullopt;
    plain += text[at] == '\1' ? '\0' : '\1';
  }
  return plain;
}

// Empty: it has none.
std::string_view TagOf(std::string_view key) {
  const size_t open = key.find('{');
  if (open == key.npos) return {};
  const size_t close = key.find('}', open + 1);
  return close == key.npos ? std::string_view() : key.substr(open + 1, close - open - 1);
}

}  // namespace

std::string GroupOf(std::string_view key) {
  if (key.empty()) return std::string(kEmptyKey);
  const std::string_view tag = TagOf(key);
  return tag.empty() ? Escaped(key) : std::string(kTagged) + Escaped(tag);
}

std::string RecordKey(std::string key) {
  constexpr std::string_view kSpecial("\0\1{", 3);
  if (!key.empty() && key.find_first_of(kSpecial) == key.npos) return key;
  std::string record = GroupOf(key);
  if (!TagOf(key).empty()) (record += kGroupDelimiter) += Escaped(key);
  return record;
}

std::optional<std::string> KeyOfRecord(std::string_view record) {
  if (record == kEmptyKey) return std::string();
  const bool tagged = record.starts_with(kTagged);
  const size_t end = tagged ? record.find(kGroupDelimiter) : 0;
  if (end == record.npos) return std::nullopt;
  auto key = Unescaped(tagged ? record.substr(end + 1) : record);
  // Another program may have written a record where no key of Redis lies.
  if (!key || key->empty() || TagOf(*key).empty() == tagged) return std::nullopt;
  if (tagged && GroupOf(*key) != record.substr(0, end)) return std::nullopt;
  return key;
}

std::vector<KeyRange> RangesOfPrefix(std::string_view prefix) {
  if (prefix.empty()) return {KeyRange()};
  if (!TagOf(prefix).empty()) return {KeyRange::Prefix(RecordKey(std::string(prefix)))};
  const KeyRange tagged = KeyRange::Prefix(std::string(kTagged));
  const KeyRange plain = KeyRange::Prefix(Escaped(prefix));
  return plain.start < tagged.start ? std::vector{plain, tagged} : std::vector{tagged, plain};
}

}  // namespace ebla::gateway::redis
