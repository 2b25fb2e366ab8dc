// tools/ebla/format/parse.h
// Parses typed words into values: durations, sizes, levels, bytes with escapes, lines of words. Pure.
// Errors:  INVALID_ARGUMENT, with the text and what may be written instead.
// Threads: functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/duration_text.h"
#include "ebla/ebla.h"
#include "ebla/level_names.h"

namespace ebla::shell {

// "4096", "64KiB", "512MiB", "8GiB", "1TiB"; K, M, G, T alone mean the same.
Result<uint64_t> ParseBytes(std::string_view text);
// majority, all, primary, any, default.
Result<Ack> ParseAck(std::string_view text);
// strong, session, eventual, bounded=2s, default.
Result<Read> ParseRead(std::string_view text);
// "3.118", as shown by get and put.
Result<Version> ParseVersion(std::string_view text);

// Words between blanks. 'Single quotes' keep everything as it is; in "double quotes" \" is a quote; a backslash before
// a blank, a quote or # keeps it. Other backslashes stay, for UnescapeBytes. # at a word's start begins a comment.
Result<std::vector<std::string>> SplitWords(std::string_view line);

// Comma-separated; \, is a comma within one; the parts are unescaped.
Result<std::vector<std::string>> ParseList(std::string_view text);

std::string FormatBytes(uint64_t bytes);  // "1.5 GiB"
std::string FormatTime(Expiry time);      // "2026-11-20 10:15:00 UTC"

std::string ToBase64(std::string_view bytes);
Result<std::string> FromBase64(std::string_view text);

}  // namespace ebla::shell
