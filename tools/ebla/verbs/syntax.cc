#include "tools/ebla/verbs/syntax.h"

#include <algorithm>
#include <charconv>

#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

// Keeps what `parse` makes of the text.
template <class To, class Parse>
Take Parsed(To& to, Parse parse) {
  return [&to, parse](std::string_view text) -> Status {
    EBLA_ASSIGN(to, parse(text));
    return {};
  };
}

Error Wrong(std::string_view text, const std::string& instead) {
  return Error(Code::kInvalidArgument, "\"" + std::string(text) + "\" " + instead);
}

}  // namespace

Take TakeText(std::string& to) {
  return [&to](std::string_view text) -> Status {
    to = text;
    return {};
  };
}

Take TakeText(std::optional<std::string>& to) {
  return [&to](std::string_view text) -> Status {
    to = text;
    return {};
  };
}

Take TakeTexts(std::vector<std::string>& to) {
  return [&to](std::string_view text) -> Status {
    to.emplace_back(text);
    return {};
  };
}

Take TakeBytes(std::string& to) { return Parsed(to, UnescapeBytes); }
Take TakeBytes(std::optional<std::string>& to) { return Parsed(to, UnescapeBytes); }

Take TakeEachBytes(std::vector<std::string>& to) {
  return [&to](std::string_view text) -> Status {
    EBLA_ASSIGN(std::string bytes, UnescapeBytes(text));
    to.push_back(std::move(bytes));
    return {};
  };
}

Take TakeListOfBytes(std::vector<std::string>& to) { return Parsed(to, ParseList); }

Take TakeDuration(std::chrono::milliseconds& to, std::chrono::milliseconds least) {
  return [&to, least](std::string_view text) -> Status {
    EBLA_ASSIGN(to, ParseDuration(text));
    if (to < least) return Wrong(text, "is too short: write " + FormatDuration(least) + " or more");
    return {};
  };
}

Take TakeDuration(std::optional<std::chrono::milliseconds>& to) { return Parsed(to, ParseDuration); }
Take TakeSize(std::optional<uint64_t>& to) { return Parsed(to, ParseBytes); }
Take TakeLevel(std::optional<Ack>& to) { return Parsed(to, ParseAck); }
Take TakeLevel(std::optional<Read>& to) { return Parsed(to, ParseRead); }
Take TakeVersion(std::optional<Version>& to) { return Parsed(to, ParseVersion); }

Take TakeOneOf(std::string& to, std::vector<std::string> choices) {
  return [&to, choices = std::move(choices)](std::string_view text) -> Status {
    if (std::ranges::find(choices, text) == choices.end()) {
      std::string all;
      for (const std::string& choice : choices) all += (all.empty() ? "" : ", ") + choice;
      return Wrong(text, "is not one of " + all);
    }
    to = text;
    return {};
  };
}

Result<int64_t> ParseWhole(std::string_view text, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (whole && number >= least && number <= most) return number;
  const std::string from = std::to_string(least);
  return Wrong(text, "is not a whole number " + (most == std::numeric_limits<int64_t>::max() && least >= 0
                                                     ? "of " + from + " or more"
                                                     : "from " + from + " to " + std::to_string(most)));
}

std::string Parameter::LongName() const {
  const size_t comma = name.find(',');
  return comma == std::string::npos ? name : name.substr(comma + 1);
}

bool Parameter::Answers(std::string_view typed) const {
  const size_t comma = name.find(',');
  return typed == LongName() || (comma != std::string::npos && typed == name.substr(0, comma)) ||
         std::ranges::find(once_named, typed) != once_named.end();
}

Verb& Verb::Argument(std::string name, Take take, std::string help) {
  parameters_.push_back({std::move(name), "", std::move(help), std::move(take), true, false, {}});
  return *this;
}

Verb& Verb::Optional(std::string name, Take take, std::string help) {
  parameters_.push_back({std::move(name), "", std::move(help), std::move(take), false, false, {}});
  return *this;
}

Verb& Verb::Repeated(std::string name, Take take, std::string help) {
  parameters_.push_back({std::move(name), "", std::move(help), std::move(take), true, true, {}});
  return *this;
}

Verb& Verb::Option(std::string name, std::string value, Take take, std::string help) {
  parameters_.push_back({std::move(name), std::move(value), std::move(help), std::move(take), false, false, {}});
  return *this;
}

Verb& Verb::Required(std::string name, std::string value, Take take, std::string help) {
  parameters_.push_back({std::move(name), std::move(value), std::move(help), std::move(take), true, false, {}});
  return *this;
}

Verb& Verb::Several() {
  parameters_.back().repeated = true;
  return *this;
}

Verb& Verb::Flag(std::string name, bool& to, std::string help) {
  const Take set = [&to](std::string_view) -> Status {
    to = true;
    return {};
  };
  parameters_.push_back({std::move(name), "", std::move(help), set, false, false, {}});
  return *this;
}

Verb& Verb::Dangerous(bool& yes, std::vector<std::string> once_named) {
  Flag("--yes", yes, "Does not ask for confirmation");
  parameters_.back().once_named = std::move(once_named);
  return *this;
}

Verb& Verb::Notes(std::string text) {
  notes_ += (notes_.empty() ? "" : "\n\n") + std::move(text);
  return *this;
}

Verb& Verb::OnTableInUse() {
  on_table_in_use_ = true;
  return *this;
}

Verb& Verb::StopsOnInterrupt() {
  stops_on_interrupt_ = true;
  return *this;
}

}  // namespace ebla::shell
