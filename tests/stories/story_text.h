// tests/stories/story_text.h
// The words of a story's commands, and the notation of versions, levels, times and entries in stories.
// Invariants: an unknown or left-over argument is an error, never ignored. Parsers throw, and the caller of a command
//             turns that into the story's failure.
// Threads:    one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tabletserver/tablet/tablet_core.h"

namespace ebla::stories {

using Lines = std::vector<std::string>;

std::vector<std::string> SplitWords(const std::string& text);
// "a,b,c"; empty: none.
std::vector<std::string> SplitNames(const std::string& text);

// The words of a command: flags ("created_empty"), settings ("epoch=2"), in any order. A word that is not taken is an
// error.
class Arguments {
 public:
  explicit Arguments(std::vector<std::string> words) : words_(std::move(words)) {}
  bool Flag(const std::string& name);
  std::string Text(const std::string& name, const std::string& fallback);
  uint64_t Number(const std::string& name, uint64_t fallback);
  std::string Word();  // the next word that is no setting; empty: none
  const std::vector<std::string>& left() const { return words_; }

 private:
  std::vector<std::string> words_;
};

Version ParseVersion(const std::string& text);  // "1.3" or "none"
tabletserver::AckLevel ParseLevel(const std::string& text);
// put KEY VALUE | delete KEY | incr KEY DELTA | check KEY, then: if absent|exists|VERSION, ttl MS
tabletserver::Write ParseWrite(const std::vector<std::string>& words);
Status ParseFailure(const std::string& text);  // none, overloaded, internal
// client=N seq=N [first=N] [learnt=MS] [level=L] [deadline=MS], and the parts that follow.
tabletserver::WriteRequest ParseRequest(Arguments& arguments, const std::vector<std::vector<std::string>>& parts,
                                        MonotonicTime now);
// [table] voters, primary and the further words of a Configure: epoch=N primary=NAME [voters=a,b] [learners=c]
// [created_empty] [fenced] [transfer] [presumed=E.L] [start=KEY] [end=KEY]
tabletserver::ConfigureReplica ParseConfigure(Arguments& arguments, const std::string& primary);

std::string Show(Version version);
std::string Show(TabletTime time);  // milliseconds since the rig's morning
std::string Show(const tabletserver::LogEntry& entry);
std::string Show(const std::string& key, const tabletserver::StoredRecord& record);
std::string Show(const tabletserver::ControlReply& reply);
std::string Show(const tabletserver::WriteReply& reply);
std::string Show(const tabletserver::PurgeReply& reply);

}  // namespace ebla::stories
