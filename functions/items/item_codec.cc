#include "functions/items/item_codec.h"

#include <utility>

namespace ebla {
namespace {

constexpr char kFramed = 0x00;
constexpr char kItemKind = 0x01;
constexpr uint8_t kStale = 1, kWon = 2, kTailed = 4;
constexpr size_t kTailBytes = 8;
constexpr int kLsnBits = 40;
constexpr uint64_t kLsnMask = (uint64_t{1} << kLsnBits) - 1;
constexpr uint64_t kEpochEnd = uint64_t{1} << (64 - kLsnBits);

void AppendNumber(std::string& out, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift & 0xff));
}

uint32_t ReadNumber(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < sizeof number; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

Error UnknownRecord(const std::string& what) {
  return Error(Code::kInternal, "the record is " + what +
                                    ", which this gateway does not know: a newer one, or another program, wrote it");
}

}  // namespace

std::string EncodeItem(Item item) {
  const bool remembers = item.flags != 0 || item.stale || item.won;
  if (!remembers && (item.value.empty() || item.value.front() != kFramed)) return std::move(item.value);
  std::string record;
  record.reserve(kItemFrameBytesMax + item.value.size());
  record.push_back(kFramed);
  record.push_back(kItemKind);
  AppendNumber(record, item.flags);
  record.push_back(static_cast<char>((item.stale ? kStale : 0) | (item.won ? kWon : 0)));
  record += item.value;
  return record;
}

Result<Item> DecodeItem(std::string record) {
  Item item;
  if (record.empty() || record.front() != kFramed) {
    item.value = std::move(record);
    return item;
  }
  if (record.size() < 2 || record[1] != kItemKind)
    return UnknownRecord(record.size() < 2 ? "cut off" : "of kind " + std::to_string(static_cast<uint8_t>(record[1])));
  const bool tailed = record.size() >= kItemFrameBytesMax && (record[6] & kTailed) != 0;
  const size_t head = kItemFrameBytesMax + (tailed ? kTailBytes : 0);
  if (record.size() < head) return UnknownRecord("cut off");
  const auto state = static_cast<uint8_t>(record[6]);
  if ((state & ~(kStale | kWon | kTailed)) != 0) return UnknownRecord("in state " + std::to_string(state));
  item.flags = ReadNumber(std::string_view(record).substr(2));
  item.stale = (state & kStale) != 0;
  item.won = (state & kWon) != 0;
  record.erase(0, head);
  item.value = std::move(record);
  return item;
}

std::optional<uint64_t> CasOf(const Version& version) {
  if (version.epoch.value >= kEpochEnd || version.lsn.value > kLsnMask) return std::nullopt;
  return version.epoch.value << kLsnBits | version.lsn.value;
}

std::optional<Version> VersionOf(uint64_t cas) {
  const Version version{Epoch{cas >> kLsnBits}, Lsn{cas & kLsnMask}};
  if (!version.epoch || !version.lsn) return std::nullopt;
  return version;
}

}  // namespace ebla
