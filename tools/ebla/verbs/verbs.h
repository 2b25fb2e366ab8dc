// tools/ebla/verbs/verbs.h
// The shell's verbs. Each has its words, options, an example, and a function. A group of verbs is one file with one Add
// function; a new group is a file and a line in AddAllVerbs.
// Place:   cli/shell.h parses a line with them and runs the chosen one; main.cc does so once.
// Threads: one.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"
#include "tools/ebla/format/output.h"
#include "tools/ebla/verbs/syntax.h"

namespace ebla::shell {

// The client, the output and the settings of a verb that runs.
struct Context {
  // Connects on first use, so that help and usage errors need no cluster.
  std::function<Result<Client>()> connect;
  Output& out;
  std::atomic<bool>& interrupted;  // Ctrl-C: long verbs stop at the next chance
  std::optional<Session> session;  // of this shell, once something asked for it
  std::chrono::milliseconds deadline{0};
  int exit_code = 0;  // of a verb that was done, and whose answer is a grade
  // Asks a person for a yes; empty if there is no terminal.
  std::function<bool(const std::string& question)> ask{};
  std::string version{};       // of this program
  std::string table_in_use{};  // TABLE of verbs on records; empty: they name it themselves
};

// Waits so long; false: Ctrl-C meanwhile.
bool Sleep(const Context& context, std::chrono::milliseconds duration);

// OK if a dangerous verb may run: `yes` was typed, or a person confirms now. `what` names the effect, as in "drops
// table carts". INVALID_ARGUMENT: --yes is missing; CONDITION_FAILED: the person did not confirm.
Status Confirm(const Context& context, bool yes, const std::string& what);

class Verbs {
 public:
  Verbs() = default;
  Verbs(const Verbs&) = delete;
  Verbs& operator=(const Verbs&) = delete;

  // `words`: "table create". Its parameters are added to what this returns.
  Verb& Add(std::string_view words, std::string_view summary, std::string_view example, Verb::Run run);
  // In the order in which they were added.
  const std::deque<Verb>& all() const { return all_; }
  // Null: there is none of these words.
  const Verb* Find(std::string_view words) const;
  bool IsGroup(std::string_view word) const;                       // "table"
  std::vector<std::string> NamesIn(std::string_view group) const;  // sorted; of the empty group: all first words

 private:
  std::deque<Verb> all_;  // stays where it is while it grows
};

void AddSessionVerbs(Verbs& verbs);    // use, token, version, completion
void AddDataVerbs(Verbs& verbs);       // get, mget, put, delete, incr, scan
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
void AddScrubVerbs(Verbs& verbs);      // scrub
void AddHotVerbs(Verbs& verbs);        // hot
void AddWatchVerbs(Verbs& verbs);      // cluster watch
void AddProcedureVerbs(Verbs& verbs);  // procedure list, show, cancel
void AddBackupVerbs(Verbs& verbs);     // backup create, list, verify, restore, schedule, delete
void AddCertVerbs(Verbs& verbs);       // cert create-ca, create-server, create-client, revoke
void AddAccessVerbs(Verbs& verbs);     // user, role, grant, revoke
void AddLimitVerbs(Verbs& verbs);      // limit user, table, list
void AddPresplitVerbs(Verbs& verbs);   // table presplit
void AddCompactVerbs(Verbs& verbs);    // table compact
void AddStatsVerbs(Verbs& verbs);      // tablet stats
void AddAllVerbs(Verbs& verbs);

// ---- for verbs ----

// NOT_FOUND, with those that there are, where none of the cluster's tablet servers has that name.
Status CheckServer(const Client& client, const ServerName& name);

// The warning that a drain will start a cancelled move again; empty: none will.
std::string RestartNotice(const ProcedureInfo& move);

// The kinds of procedures, as procedure list names them.
const std::vector<std::string>& ProcedureKinds();

struct TableArgument {
  std::string table;
  Result<Table> Open(Context& context) const;
};

// --ack, --ttl, --if-absent, --if-exists, --if-version.
struct WriteArguments {
  std::optional<Ack> ack;
  std::optional<std::chrono::milliseconds> ttl;
  std::optional<Version> if_version;
  bool if_absent = false;
  bool if_exists = false;

  void AddTo(Verb& verb, bool with_ttl, bool with_absent);
  template <class Options>
  void Fill(Options& options) const;
};

// --read and --token.
struct ReadArguments {
  std::optional<Read> read;
  std::string token;

  void AddTo(Verb& verb);
  template <class Options>
  Status Fill(Context& context, Options& options) const;
};

// --prefix, --start, --end.
struct RangeArguments {
  std::string prefix, start, end;

  void AddTo(Verb& verb);
  Result<KeyRange> Range() const;
};

}  // namespace ebla::shell
