#include "functions/redis/keys/dump_commands.h"

#include <variant>

#include "functions/redis/keys/dump_format.h"

namespace ebla::redis {
namespace {

struct RestoreOptions {
  bool replaces = false;
  TimeFrom from = TimeFrom::kNow;
  bool idle = false, frequency = false;  // were given; Ebla keeps neither

  // Parses the words from `at` on. Returns the error, or an empty text.
  std::string_view Take(const Words& words, size_t at) {
    for (; at < words.size(); ++at) {
      if (IsWord(words[at], "REPLACE")) {
        replaces = true;
      } else if (IsWord(words[at], "ABSTTL")) {
        from = TimeFrom::kEpoch;
      } else if (IsWord(words[at], "IDLETIME") && at + 1 < words.size() && !frequency) {
        idle = true;
        const std::optional<int64_t> seconds = ToInteger(words[++at]);
        if (!seconds) return kNotAnInteger;
        if (*seconds < 0) return "ERR Invalid IDLETIME value, must be >= 0";
      } else if (IsWord(words[at], "FREQ") && at + 1 < words.size() && !idle) {
        frequency = true;
        const std::optional<int64_t> count = ToInteger(words[++at]);
        if (!count) return kNotAnInteger;
        if (*count < 0 || *count > 255) return "ERR Invalid FREQ value, must be >= 0 and <= 255";
      } else {
        return kSyntax;
      }
    }
    return {};
  }
};

std::string_view TextOf(DumpFault fault) {
  switch (fault) {
    case DumpFault::kDamaged: return "ERR DUMP payload version or checksum are wrong";
    case DumpFault::kNotAString: return "ERR RESTORE of anything but a string is not served by Ebla yet";
    case DumpFault::kMalformed: return "ERR Bad data format";
    case DumpFault::kTooLong: break;
  }
  return kTooLong;
}

}  // namespace

void Dump(Update& update) { update.old ? update.reply.Bulk(EncodeDump(update.old->bytes)) : update.reply.Null(); }

void Restore(Update& update) {
  RestoreOptions options;
  if (const std::string_view wrong = options.Take(update.words, 4); !wrong.empty())
    return void(update.reply.Failure(wrong));
  if (update.old && !options.replaces) return void(update.reply.Failure("BUSYKEY Target key name already exists."));
  const std::optional<int64_t> time = ToInteger(update.words[2]);
  if (!time) return void(update.reply.Failure(kNotAnInteger));
  if (*time < 0) return void(update.reply.Failure("ERR Invalid TTL value, must be >= 0"));
  auto value = DecodeDump(update.words[3], kStringBytesMax);
  if (const auto* const fault = std::get_if<DumpFault>(&value)) return void(update.reply.Failure(TextOf(*fault)));
  std::optional<int64_t> until;
  if (*time > 0) {
    until = ToExpiry(update.words[2], TimeUnit::kMilliseconds, options.from, true, update);
    if (!until) return;
  }
  update.Put(std::get<std::string>(std::move(value)), until);
  update.reply.Ok();
}

}  // namespace ebla::redis
