// tools/ebla/verbs/verbs.h
// The shell's verbs: each says its words, options, an example, and what it does. A group of verbs is one file with one
// Add function; a new group is a file and a line in AddAllVerbs.
// Place:   shell.h parses a line with them and runs the one chosen; main.cc does so once.
// Threads: one.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"
#include "tools/ebla/format/output.h"

namespace ebla::shell {

// What a verb works with.
struct Context {
  // Connects on first use, so that help and usage errors need no cluster.
  std::function<Result<Client>()> connect;
  Output& out;
  std::atomic<bool>& interrupted;  // Ctrl-C: long verbs stop at the next chance
  std::optional<Session> session;  // of this shell, once something asked for it
  std::chrono::milliseconds deadline{0};
  int exit_code = 0;  // of a verb that was done, and whose answer is a grade
};

// Waits so long; false: Ctrl-C meanwhile.
bool Sleep(const Context& context, std::chrono::milliseconds duration);

class Verbs {
 public:
  using Run = std::function<Status(Context&)>;

  explicit Verbs(CLI::App& root) : root_(root) {}

  // `words`: "table create". The verb's options are added to what this returns; `run` is called once they are parsed.
  CLI::App* Add(std::string_view words, const std::string& summary, const std::string& example, Run run);
  const Run& chosen() const { return chosen_; }
  // "table create" and so on, in order, each with its summary.
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }
  // The parser of a verb or of a group of them; null when there is none.
  CLI::App* Find(const std::vector<std::string>& words) const;

 private:
  CLI::App& root_;
  Run chosen_;
  std::vector<std::pair<std::string, std::string>> list_;
};

void AddDataVerbs(Verbs& verbs);       // get, mget, put, delete, incr, scan, token
void AddTableVerbs(Verbs& verbs);      // table create, alter, drop, list, describe
void AddTabletVerbs(Verbs& verbs);     // tablet list, transfer, split, move, recover
void AddServerVerbs(Verbs& verbs);     // server list, drain, undrain, maintenance, resume, remove
void AddClusterVerbs(Verbs& verbs);    // cluster info and adopt, locate
void AddMergeVerbs(Verbs& verbs);      // tablet merge, table merge-small
void AddFileVerbs(Verbs& verbs);       // load, dump
void AddConflictVerbs(Verbs& verbs);   // conflict list, export, apply, forget
void AddBalanceVerbs(Verbs& verbs);    // balance explain
void AddHealthVerbs(Verbs& verbs);     // health
void AddCheckVerbs(Verbs& verbs);      // check
void AddHotVerbs(Verbs& verbs);        // hot
void AddWatchVerbs(Verbs& verbs);      // cluster watch
void AddProcedureVerbs(Verbs& verbs);  // procedure list, show, cancel
void AddPresplitVerbs(Verbs& verbs);   // table presplit
void AddCompactVerbs(Verbs& verbs);    // table compact
void AddStatsVerbs(Verbs& verbs);      // tablet stats
void AddAllVerbs(Verbs& verbs);

// The parser of a word after `app`'s; null when there is none.
CLI::App* Subcommand(CLI::App* app, std::string_view name);

// ---- for verbs ----

// Of an argument: a whole number from 1 on.
CLI::Validator Positive();

// NOT_FOUND, with those that there are, where none of the cluster's tablet servers has that name.
Status CheckServer(const Client& client, const ServerName& name);

// What is to be said of a move that is cancelled and that somebody begins again; empty: nobody does.
std::string BegunAgain(const ProcedureInfo& move);

// What procedure list calls the kinds of what is under way.
const std::vector<std::string>& ProcedureKinds();

struct TableArgument {
  std::string table;
  Result<Table> Open(Context& context) const;
};

// --ack, --ttl, --if-absent, --if-exists, --if-version, as typed.
struct WriteArguments {
  std::string ack, ttl, if_version;
  bool if_absent = false;
  bool if_exists = false;

  void AddTo(CLI::App* verb, bool with_ttl, bool with_absent);
  template <class Options>
  Status Fill(Options& options) const;
};

// --read and --token.
struct ReadArguments {
  std::string read, token;

  void AddTo(CLI::App* verb);
  template <class Options>
  Status Fill(Context& context, Options& options) const;
};

// --prefix, --start, --end.
struct RangeArguments {
  std::string prefix, start, end;

  void AddTo(CLI::App* verb);
  Result<KeyRange> Range() const;
};

}  // namespace ebla::shell
