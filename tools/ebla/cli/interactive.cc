#include "tools/ebla/cli/interactive.h"

#include <readline/history.h>
#include <readline/readline.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

constexpr int kHistoryLines = 1000;

// Signal handlers and readline's C callbacks reach the shell through this pointer.
Shell* g_shell = nullptr;
volatile sig_atomic_t g_interrupts = 0;
volatile sig_atomic_t g_at_prompt = 0;

void OnInterrupt(int) {
  g_interrupts = g_interrupts + 1;
  if (g_at_prompt != 0) return;
  if (g_interrupts > 1) _exit(130);
  if (g_shell != nullptr) g_shell->Interrupt();
}

// Readline calls it when a signal interrupts its read, and some ten times a second while it waits, because a signal
// between two reads interrupts none.
int DropLine() {
  if (g_interrupts == 0) return 0;
  g_interrupts = 0;
  std::fputs("^C\n", rl_outstream);
  // First undoes the edits of a line that was recalled, so that the history keeps it unchanged.
  rl_revert_line(1, 0);
  using_history();
  rl_maybe_unsave_line();
  rl_replace_line("", 1);
  rl_on_new_line();
  rl_redisplay();
  return 0;
}

// Completion: readline asks for one candidate at a time.
std::vector<std::string> g_candidates;

char* NextCandidate(const char*, int state) {
  const auto at = static_cast<size_t>(state);
  return at < g_candidates.size() ? strdup(g_candidates[at].c_str()) : nullptr;
}

char** Candidates(const char* text, int start, int) {
  rl_attempted_completion_over = 1;  // never file names
  const auto words = SplitWords(std::string_view(rl_line_buffer, static_cast<size_t>(start)));
  if (!words) return nullptr;
  g_candidates = g_shell->Complete(*words, text);
  return rl_completion_matches(text, NextCandidate);
}

// The latest lines, as many as asked for; all of them where none are.
void ShowHistory(const std::vector<std::string>& words) {
  int count = history_length;
  if (words.size() > 1) count = std::min(count, std::max(0, std::atoi(words[1].c_str())));
  for (int i = history_length - count; i < history_length; ++i) {
    const HIST_ENTRY* entry = history_get(history_base + i);
    if (entry != nullptr) std::cout << "  " << entry->line << '\n';
  }
  std::cout.flush();
}

// At the prompt; Ctrl-C and the end of input mean no.
bool Ask(const std::string& question) {
  g_at_prompt = 1;
  char* typed = readline(question.c_str());
  g_at_prompt = 0;
  const bool yes = typed != nullptr && std::strcmp(typed, "yes") == 0;
  std::free(typed);
  return yes;
}

std::string HistoryFile() {
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home) + "/.ebla_history";
}

}  // namespace

void CatchInterrupts(Shell& shell) {
  g_shell = &shell;
  struct sigaction action{};
  action.sa_handler = OnInterrupt;  // without SA_RESTART: a read at the prompt must notice
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

int RunInteractive(Shell& shell) {
  CatchInterrupts(shell);
  rl_catch_signals = 0;
  rl_signal_event_hook = DropLine;
  rl_event_hook = DropLine;
  rl_readline_name = "ebla";
  rl_attempted_completion_function = Candidates;
  rl_basic_word_break_characters = " \t\n";
  using_history();
  stifle_history(kHistoryLines);
  const std::string history = HistoryFile();
  if (!history.empty()) read_history(history.c_str());

  shell.AskWith(Ask);
  std::cout << shell.Banner() << std::endl;

  int code = 0;
  while (true) {
    g_interrupts = 0;
    g_at_prompt = 1;
    const std::string prompt = shell.table_in_use().empty() ? "ebla> " : "ebla " + shell.table_in_use() + "> ";
    char* typed = readline(prompt.c_str());
    g_at_prompt = 0;
    g_interrupts = 0;
    if (typed == nullptr) break;
    const std::string line = typed;
    std::free(typed);
    if (Shell::Leaves(line)) break;
    const auto words = SplitWords(line);
    if (words && words->empty()) continue;
    add_history(line.c_str());
    if (words && words->front() == "history") {
      ShowHistory(*words);
      continue;
    }
    code = shell.RunLine(line);
  }
  std::cout << std::endl;
  if (!history.empty() && write_history(history.c_str()) == 0) {
    // Values may be secrets, so only the user may read the history.
    std::error_code ignored;
    std::filesystem::permissions(history, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                                 ignored);
  }
  return code;
}

}  // namespace ebla::shell
