#include "tools/ebla/verbs/verbs.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <sstream>
#include <thread>

#include "common/base/key_range.h"

namespace ebla::shell {

namespace {

std::vector<std::string> Words(std::string_view text) {
  std::istringstream input{std::string(text)};
  return {std::istream_iterator<std::string>(input), {}};
}

}  // namespace

bool Sleep(const Context& context, std::chrono::milliseconds duration) {
  using Clock = std::chrono::steady_clock;
  for (const auto until = Clock::now() + duration; Clock::now() < until;) {
    if (context.interrupted) return false;
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(50), until - Clock::now()));
  }
  return !context.interrupted;
}

CLI::App* Subcommand(CLI::App* app, std::string_view name) {
  for (CLI::App* subcommand : app->get_subcommands({})) {
    if (subcommand->get_name() == name) return subcommand;
  }
  return nullptr;
}

CLI::App* Verbs::Add(std::string_view words, const std::string& summary, const std::string& example, Run run) {
  CLI::App* app = &root_;
  const std::vector<std::string> path = Words(words);
  for (size_t i = 0; i < path.size(); ++i) {
    CLI::App* next = Subcommand(app, path[i]);
    if (next == nullptr) {
      next = app->add_subcommand(path[i], i + 1 == path.size() ? summary : "");
      if (i + 1 < path.size()) {
        next->require_subcommand(1);
        next->fallthrough();  // or the options of every verb would be unknown behind its words
      }
    }
    app = next;
  }
  app->footer("Example:\n  " + example);
  app->fallthrough();
  app->callback([this, run = std::move(run)] { chosen_ = run; });
  list_.emplace_back(words, summary);
  return app;
}

CLI::App* Verbs::Find(const std::vector<std::string>& words) const {
  CLI::App* app = &root_;
  for (const std::string& word : words) {
    app = Subcommand(app, word);
    if (app == nullptr) return nullptr;
  }
  return app;
}

void AddAllVerbs(Verbs& verbs) {
  AddDataVerbs(verbs);
  AddFileVerbs(verbs);
  AddTableVerbs(verbs);
  AddTabletVerbs(verbs);
  AddServerVerbs(verbs);
  AddClusterVerbs(verbs);
  AddMergeVerbs(verbs);
  AddConflictVerbs(verbs);
  AddBalanceVerbs(verbs);
  AddHealthVerbs(verbs);
  AddHotVerbs(verbs);
  AddCheckVerbs(verbs);
  AddWatchVerbs(verbs);
  AddProcedureVerbs(verbs);
  AddPresplitVerbs(verbs);
  AddCompactVerbs(verbs);
  AddStatsVerbs(verbs);
}

CLI::Validator Positive() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        uint64_t number = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
        return whole && number > 0 ? "" : "\"" + text + "\" is no number from 1 on";
      },
      "");
}

Status CheckServer(const Client& client, const ServerName& name) {
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client.ListServers());
  std::string all;
  for (const ServerSummary& server : servers) {
    if (server.name == name) return {};
    all += (all.empty() ? "" : ", ") + server.name;
  }
  return Error(Code::kNotFound,
               "there is no server " + name + (all.empty() ? "; none has ever joined" : "; there are " + all));
}

Result<Table> TableArgument::Open(Context& context) const {
  EBLA_ASSIGN(const Client client, context.connect());
  return client.OpenTable(table);
}

void WriteArguments::AddTo(CLI::App* verb, bool with_ttl, bool with_absent) {
  verb->add_option("--ack", ack, "When it is acknowledged: majority, all, primary or any")->type_name("LEVEL");
  if (with_ttl) verb->add_option("--ttl", ttl, "Expires after this long, as 30m; 0: never")->type_name("DURATION");
  if (with_absent) verb->add_flag("--if-absent", if_absent, "Only where there is no record");
  verb->add_flag("--if-exists", if_exists, "Only where there is a record");
  verb->add_option("--if-version", if_version, "Only where the record has this version")->type_name("VERSION");
}

void ReadArguments::AddTo(CLI::App* verb) {
  verb->add_option("--read", read, "How fresh: strong, session, bounded=2s or eventual")->type_name("LEVEL");
  verb->add_option("--token", token, "Goes on in the session of this token")->type_name("TOKEN");
}

void RangeArguments::AddTo(CLI::App* verb) {
  verb->add_option("--prefix", prefix, "Keys that begin so")->type_name("KEY");
  verb->add_option("--start", start, "From this key on")->type_name("KEY");
  verb->add_option("--end", end, "Up to this key, which is not included")->type_name("KEY");
}

Result<KeyRange> RangeArguments::Range() const {
  KeyRange range;
  EBLA_ASSIGN(range.start, UnescapeBytes(start));
  EBLA_ASSIGN(range.end, UnescapeBytes(end));
  if (!range.end.empty() && range.start > range.end) {
    return Error(Code::kInvalidArgument, "--start lies after --end");
  }
  if (prefix.empty()) return range;
  EBLA_ASSIGN(const std::string bytes, UnescapeBytes(prefix));
  KeyRange within = KeyRange::Prefix(bytes).Intersect(range);
  return within.Empty() ? KeyRange{bytes, bytes} : within;
}

}  // namespace ebla::shell
