#include "tools/ebla/cli/habits.h"

namespace ebla::shell {

const std::map<std::string, std::string, std::less<>>& Aliases() {
  static const std::map<std::string, std::string, std::less<>> aliases = {
      {"?", "help"},    {"del", "delete"}, {"info", "cluster info"}, {"list", "scan"},     {"ls", "table list"},
      {"rm", "delete"}, {"select", "use"}, {"set", "put"},           {"status", "health"}, {"tables", "table list"},
  };
  return aliases;
}

std::string AliasesOf(std::string_view verb) {
  std::string typed;
  for (const auto& [alias, meant] : Aliases()) {
    if (meant == verb) typed += (typed.empty() ? "" : ", ") + alias;
  }
  return typed;
}

std::string_view Equivalent(std::string_view word) {
  static const std::map<std::string_view, std::string_view> sentences = {
      {"auth", "--user USER --password-file FILE logs in"},
      {"dbsize", "table describe TABLE shows how many records a table has"},
      {"exists", "get TABLE KEY answers NOT_FOUND and exits with 1 if there is no record"},
      {"exit", "exit and quit leave the interactive shell, and end a script"},
      {"expire", "put TABLE KEY VALUE --ttl DURATION makes a record expire"},
      {"flushall", "table drop TABLE drops a table with all its records"},
      {"flushdb", "table drop TABLE drops a table with all its records"},
      {"history", "history shows earlier lines of the interactive shell"},
      {"keys", "scan TABLE --keys-only shows the keys"},
      {"mset", "load TABLE FILE puts many records"},
      {"ping", "health shows whether the cluster answers"},
      {"quit", "exit and quit leave the interactive shell, and end a script"},
      {"show", "table list shows the tables, table describe TABLE one of them"},
      {"ttl", "get TABLE KEY --verbose shows when a record expires"},
  };
  const auto found = sentences.find(word);
  return found == sentences.end() ? std::string_view() : found->second;
}

}  // namespace ebla::shell
