#include "functions/redis/bits/bit_commands.h"

#include <algorithm>
#include <bit>

namespace ebla::redis {
namespace {

constexpr std::string_view kBadOffset = "ERR bit offset is not an integer or out of range";

bool BitAt(std::string_view bytes, size_t bit) {
  return bit / 8 < bytes.size() && ((static_cast<unsigned char>(bytes[bit / 8]) >> (7 - bit % 8)) & 1) != 0;
}

void PutBit(std::string& bytes, size_t bit, bool value) {
  const auto mask = static_cast<unsigned char>(1U << (7 - bit % 8));
  const auto byte = static_cast<unsigned char>(bytes[bit / 8]);
  bytes[bit / 8] = static_cast<char>(value ? byte | mask : byte & ~mask);
}

std::optional<size_t> ToBitOffset(std::string_view text, Reply& reply) {
  const std::optional<int64_t> offset = ToInteger(text);
  if (!offset || *offset < 0 || static_cast<size_t>(*offset) / 8 >= kStringBytesMax) {
    reply.Failure(kBadOffset);
    return std::nullopt;
  }
  return static_cast<size_t>(*offset);
}

std::string_view OldBytes(const Update& update) {
  return update.old ? std::string_view(update.old->bytes) : std::string_view();
}

// The range of BITCOUNT and BITPOS, in bits, without its end.
struct BitRange {
  size_t first = 0, end = 0;
  bool ends_given = false;
};

// The words from `at` on are [start [end [BYTE | BIT]]]. None: the reply has the error. With `counts` as BITCOUNT reads
// them, which requires an end, and for which a negative start behind a negative end is an empty range.
std::optional<BitRange> ToBitRange(const Words& words, size_t at, bool counts, std::string_view bytes, Reply& reply) {
  const int64_t size = std::ssize(bytes);
  BitRange range{.first = 0, .end = bytes.size() * 8};
  if (at >= words.size()) return range;
  const bool in_bits = at + 2 < words.size() && IsWord(words[at + 2], "BIT");
  const bool known = at + 2 >= words.size() || in_bits || IsWord(words[at + 2], "BYTE");
  if (words.size() > at + 3 || (counts && words.size() == at + 1)) {
    reply.Failure(kSyntax);
    return std::nullopt;
  }
  const int64_t length = in_bits ? size * 8 : size;
  const std::optional<int64_t> start = ToInteger(words[at]);
  const std::optional<int64_t> last = at + 1 < words.size() ? ToInteger(words[at + 1]) : length - 1;
  if (!start || !last) {
    reply.Failure(kNotAnInteger);
    return std::nullopt;
  }
  range.ends_given = at + 1 < words.size();
  if (counts && *start < 0 && *last < 0 && *start > *last) return BitRange{0, 0, range.ends_given};
  if (!known) {
    reply.Failure(kSyntax);
    return std::nullopt;
  }
  const int64_t from = std::max<int64_t>(*start < 0 ? length + *start : *start, 0);
  const int64_t to = std::min(std::max<int64_t>(*last < 0 ? length + *last : *last, 0), length - 1);
  if (from > to) return BitRange{0, 0, range.ends_given};
  const auto scale = static_cast<size_t>(in_bits ? 1 : 8);
  range.first = static_cast<size_t>(from) * scale;
  range.end = static_cast<size_t>(to + 1) * scale;
  return range;
}

}  // namespace

void SetBit(Update& update) {
  const std::optional<size_t> bit = ToBitOffset(update.words[2], update.reply);
  if (!bit) return;
  const std::string& value = update.words[3];
  if (value != "0" && value != "1") return void(update.reply.Failure("ERR bit is not an integer or out of range"));
  std::string bytes(OldBytes(update));
  const bool old = BitAt(bytes, *bit), grows = bytes.size() <= *bit / 8;
  update.reply.Number(old ? 1 : 0);
  if (!grows && old == (value == "1")) return;
  bytes.resize(std::max(bytes.size(), *bit / 8 + 1));
  PutBit(bytes, *bit, value == "1");
  update.PutInPlace(std::move(bytes));
}

void GetBit(Update& update) {
  const std::optional<size_t> bit = ToBitOffset(update.words[2], update.reply);
  if (bit) update.reply.Number(BitAt(OldBytes(update), *bit) ? 1 : 0);
}

void BitCount(Update& update) {
  if (!update.old) return void(update.reply.Number(0));
  const std::string_view bytes = OldBytes(update);
  const std::optional<BitRange> range = ToBitRange(update.words, 2, true, bytes, update.reply);
  if (!range) return;
  int64_t count = 0;
  size_t bit = range->first;
  for (; bit < range->end && bit % 8 != 0; ++bit) count += BitAt(bytes, bit) ? 1 : 0;
  for (; bit + 8 <= range->end; bit += 8) count += std::popcount(static_cast<unsigned char>(bytes[bit / 8]));
  for (; bit < range->end; ++bit) count += BitAt(bytes, bit) ? 1 : 0;
  update.reply.Number(count);
}

void BitPos(Update& update) {
  const std::string_view bytes = OldBytes(update);
  const std::optional<int64_t> wanted = ToInteger(update.words[2]);
  if (!wanted) return void(update.reply.Failure(kNotAnInteger));
  if (*wanted != 0 && *wanted != 1) return void(update.reply.Failure("ERR The bit argument must be 1 or 0."));
  if (!update.old) return void(update.reply.Number(*wanted == 1 ? -1 : 0));
  const std::optional<BitRange> range = ToBitRange(update.words, 3, false, bytes, update.reply);
  if (!range) return;
  if (range->first == range->end) return void(update.reply.Number(-1));
  for (size_t bit = range->first; bit < range->end; ++bit) {
    // Bytes of which none is what is wanted are passed over.
    const char none = *wanted == 1 ? '\0' : '\xff';
    if (bit % 8 == 0 && bit + 8 <= range->end && bytes[bit / 8] == none) {
      bit += 7;
    } else if (BitAt(bytes, bit) == (*wanted == 1)) {
      return void(update.reply.Number(static_cast<int64_t>(bit)));
    }
  }
  // Behind the value are zeros, unless an end was given.
  update.reply.Number(*wanted == 0 && !range->ends_given ? static_cast<int64_t>(bytes.size() * 8) : -1);
}

std::optional<std::string> BitOp(const std::string& operation, const std::vector<std::string_view>& values,
                                 Reply& reply) {
  const std::string name = ToUpper(operation);
  if (name != "AND" && name != "OR" && name != "XOR" && name != "NOT") {
    reply.Failure(kSyntax);
    return std::nullopt;
  }
  if (name == "NOT" && values.size() != 1) {
    reply.Failure("ERR BITOP NOT must be called with a single source key.");
    return std::nullopt;
  }
  size_t size = 0;
  for (const std::string_view value : values) size = std::max(size, value.size());
  std::string result(values[0]);
  result.resize(size);
  if (name == "NOT") {
    for (char& byte : result) byte = static_cast<char>(~byte);
    return result;
  }
  for (size_t i = 1; i < values.size(); ++i) {
    const std::string_view value = values[i];
    if (name == "AND") {
      for (size_t at = 0; at < value.size(); ++at) result[at] = static_cast<char>(result[at] & value[at]);
      std::fill(result.begin() + static_cast<ptrdiff_t>(value.size()), result.end(), '\0');
    } else if (name == "OR") {
      for (size_t at = 0; at < value.size(); ++at) result[at] = static_cast<char>(result[at] | value[at]);
    } else {
      for (size_t at = 0; at < value.size(); ++at) result[at] = static_cast<char>(result[at] ^ value[at]);
    }
  }
  return result;
}

// ---- BITFIELD -----------------------------------------------------------------------------------------------------

namespace {

struct FieldType {
  bool is_signed = false;
  int bits = 0;
};

enum class Overflow { kWrap, kSaturate, kFail };

struct FieldOperation {
  enum class Kind { kGet, kSet, kIncrement } kind = Kind::kGet;
  FieldType type;
  size_t offset = 0;
  int64_t argument = 0;
  Overflow overflow = Overflow::kWrap;
};

std::optional<FieldType> ToFieldType(std::string_view text, Reply& reply) {
  FieldType type;
  if (!text.empty()) type.is_signed = text.front() == 'i';
  const std::optional<int64_t> bits =
      text.starts_with('i') || text.starts_with('u') ? ToInteger(text.substr(1)) : std::nullopt;
  if (!bits || *bits < 1 || *bits > (type.is_signed ? 64 : 63)) {
    reply.Failure("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
    return std::nullopt;
  }
  type.bits = static_cast<int>(*bits);
  return type;
}

std::optional<size_t> ToFieldOffset(std::string_view text, const FieldType& type, Reply& reply) {
  const bool in_fields = text.starts_with('#');
  std::optional<int64_t> offset = ToInteger(in_fields ? text.substr(1) : text);
  int64_t end = 0;
  if (offset && in_fields && __builtin_mul_overflow(*offset, int64_t{type.bits}, &*offset)) offset.reset();
  if (!offset || *offset < 0 || __builtin_add_overflow(*offset, int64_t{type.bits}, &end) ||
      end > static_cast<int64_t>(kStringBytesMax) * 8) {
    reply.Failure(kBadOffset);
    return std::nullopt;
  }
  return static_cast<size_t>(*offset);
}

int64_t ReadField(std::string_view bytes, size_t offset, const FieldType& type) {
  uint64_t value = 0;
  for (int bit = 0; bit < type.bits; ++bit)
    value = value << 1 | (BitAt(bytes, offset + static_cast<size_t>(bit)) ? 1 : 0);
  if (type.is_signed && type.bits < 64 && (value >> (type.bits - 1) & 1) != 0) value |= ~uint64_t{0} << type.bits;
  return static_cast<int64_t>(value);
}

void WriteField(std::string& bytes, size_t offset, const FieldType& type, int64_t value) {
  for (int bit = 0; bit < type.bits; ++bit)
    PutBit(bytes, offset + static_cast<size_t>(bit), (static_cast<uint64_t>(value) >> (type.bits - 1 - bit) & 1) != 0);
}

// The sum as the field takes it; none: it does not fit, and is to fail.
std::optional<int64_t> Fit(__int128 sum, const FieldOperation& operation) {
  const FieldType& type = operation.type;
  const __int128 most = type.is_signed ? (__int128{1} << (type.bits - 1)) - 1 : (__int128{1} << type.bits) - 1;
  const __int128 least = type.is_signed ? -(__int128{1} << (type.bits - 1)) : 0;
  if (sum >= least && sum <= most) return static_cast<int64_t>(sum);
  if (operation.overflow == Overflow::kFail) return std::nullopt;
  if (operation.overflow == Overflow::kSaturate) return static_cast<int64_t>(sum > most ? most : least);
  const __int128 span = __int128{1} << type.bits;
  __int128 wrapped = (sum - least) % span;
  if (wrapped < 0) wrapped += span;
  return static_cast<int64_t>(wrapped + least);
}

// The words from the third on. None: the reply has the error.
std::optional<std::vector<FieldOperation>> ToOperations(const Words& words, Reply& reply) {
  const bool read_only = IsWord(words[0], "BITFIELD_RO");
  std::vector<FieldOperation> operations;
  Overflow overflow = Overflow::kWrap;
  for (size_t at = 2; at < words.size(); ++at) {
    const std::string name = ToUpper(words[at]);
    const size_t left = words.size() - at - 1;
    if (name == "OVERFLOW" && left >= 1) {
      const std::string kind = ToUpper(words[++at]);
      if (kind != "WRAP" && kind != "SAT" && kind != "FAIL")
        return reply.Failure("ERR Invalid OVERFLOW type specified"), std::nullopt;
      overflow = kind == "WRAP" ? Overflow::kWrap : kind == "SAT" ? Overflow::kSaturate : Overflow::kFail;
      continue;
    }
    const bool get = name == "GET" && left >= 2;
    if (!get && !((name == "SET" || name == "INCRBY") && left >= 3)) return reply.Failure(kSyntax), std::nullopt;
    if (!get && read_only) return reply.Failure("ERR BITFIELD_RO only supports the GET subcommand"), std::nullopt;
    FieldOperation& operation = operations.emplace_back();
    operation.kind = get             ? FieldOperation::Kind::kGet
                     : name == "SET" ? FieldOperation::Kind::kSet
                                     : FieldOperation::Kind::kIncrement;
    operation.overflow = overflow;
    const std::optional<FieldType> type = ToFieldType(words[at + 1], reply);
    if (!type) return std::nullopt;
    operation.type = *type;
    const std::optional<size_t> offset = ToFieldOffset(words[at + 2], *type, reply);
    if (!offset) return std::nullopt;
    operation.offset = *offset;
    at += 2;
    if (get) continue;
    const std::optional<int64_t> argument = ToInteger(words[++at]);
    if (!argument) return reply.Failure(kNotAnInteger), std::nullopt;
    operation.argument = *argument;
  }
  return operations;
}

}  // namespace

bool OnlyReads(const Words& words) {
  for (size_t at = 2; at < words.size(); ++at) {
    if (IsWord(words[at], "SET") || IsWord(words[at], "INCRBY")) return false;
  }
  return true;
}

void BitField(Update& update) {
  Reply failure(2);
  const auto operations = ToOperations(update.words, failure);
  if (!operations) return void(update.reply.Add(failure.bytes()));
  std::string bytes(OldBytes(update));
  // It grows to where the last write ends, whether or not that fits.
  size_t end = 0;
  for (const FieldOperation& operation : *operations) {
    if (operation.kind != FieldOperation::Kind::kGet)
      end = std::max(end, (operation.offset + static_cast<size_t>(operation.type.bits) + 7) / 8);
  }
  bool changes = bytes.size() < end;
  bytes.resize(std::max(bytes.size(), end));
  update.reply.Array(operations->size());
  for (const FieldOperation& operation : *operations) {
    const int64_t old = ReadField(bytes, operation.offset, operation.type);
    if (operation.kind == FieldOperation::Kind::kGet) {
      update.reply.Number(old);
      continue;
    }
    const bool set = operation.kind == FieldOperation::Kind::kSet;
    // An unsigned field takes what is set as the bits that it is.
    const __int128 given = set && !operation.type.is_signed
                               ? static_cast<__int128>(static_cast<uint64_t>(operation.argument))
                               : static_cast<__int128>(operation.argument);
    const std::optional<int64_t> value = Fit(set ? given : given + old, operation);
    if (!value) {
      update.reply.Null();
      continue;
    }
    changes |= *value != old;
    WriteField(bytes, operation.offset, operation.type, *value);
    update.reply.Number(set ? old : *value);
  }
  if (changes) update.PutInPlace(std::move(bytes));
}

}  // namespace ebla::redis
