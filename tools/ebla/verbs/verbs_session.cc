// Verbs on the shell itself: use, token, version, completion.
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

Status Use(Context& context, const std::string& table) {
  if (!table.empty()) {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN([[maybe_unused]] const TableInfo known, client.DescribeTable(table));
  }
  context.table_in_use = table;
  context.out.Ok(table.empty() ? "no table is in use" : "verbs on records take table " + table + "; leave TABLE out",
                 {{"table", table}});
  return {};
}

Status ShowToken(Context& context) {
  if (!context.session) {
    EBLA_ASSIGN(const Client client, context.connect());
    context.session = client.NewSession();
  }
  const std::string token = context.session->Token();
  context.out.json ? context.out.Value({{"token", token}}) : context.out.Line(token);
  return {};
}

Status ShowVersion(Context& context) {
  context.out.json ? context.out.Value({{"version", context.version}}) : context.out.Line("ebla " + context.version);
  return {};
}

// Asks the program itself, so that it knows every verb and option, and the tables and servers of the cluster. File
// names where nothing else may stand.
constexpr const char* kBashCompletion = R"sh(# Completion of ebla for bash: eval "$(ebla completion bash)"
_ebla() {
  local IFS=$'\n'
  COMPREPLY=($(ebla completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _ebla ebla)sh";

Status ShowCompletion(Context& context) {
  context.out.json ? context.out.Value({{"script", kBashCompletion}}) : context.out.Line(kBashCompletion);
  return {};
}

}  // namespace

void AddSessionVerbs(Verbs& verbs) {
  auto program = std::make_shared<std::string>();
  verbs
      .Add("completion", "Prints what has bash complete verbs, options, tables and servers", "completion bash",
           [program](Context& context) { return ShowCompletion(context); })
      .Argument("SHELL", TakeOneOf(*program, {"bash"}), "bash")
      .Notes("Packages install it. Else: eval \"$(ebla completion bash)\" in ~/.bashrc");
  auto table = std::make_shared<std::string>();
  verbs
      .Add("use", "Sets the table of the lines that follow; they then leave TABLE out", "use carts",
           [table](Context& context) { return Use(context, *table); })
      .Optional("TABLE", TakeText(*table), "The table; without it, lines name their table again")
      .Notes("It holds for get, mget, put, delete, incr, scan, load, dump and locate, in this shell or script.");
  verbs.Add("token", "Shows the token of this shell's session; --token continues it elsewhere", "token", ShowToken);
  verbs.Add("version", "Shows the version of this program", "version", ShowVersion);
}

}  // namespace ebla::shell
