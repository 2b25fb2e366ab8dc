// Verbs on the shell itself: use, token, version.
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

}  // namespace

void AddSessionVerbs(Verbs& verbs) {
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
