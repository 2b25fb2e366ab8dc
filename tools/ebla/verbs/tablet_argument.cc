#include "tools/ebla/verbs/tablet_argument.h"

#include <algorithm>

#include "tools/ebla/format/output.h"

namespace ebla::shell {

void TabletArgument::AddTo(Verb& verb) {
  const Take take_table = [this](std::string_view text) -> Status {
    if (!table.empty()) return Error(Code::kInvalidArgument, "the table is given twice");
    table = text;
    return {};
  };
  const Take take_key = [this](std::string_view text) -> Status {
    if (key) return Error(Code::kInvalidArgument, "the key is given twice");
    EBLA_ASSIGN(key, UnescapeBytes(text));
    return {};
  };
  verb.Optional("TABLE", take_table, "The tablet's table; or its id, as tablet list shows it, and no KEY")
      .Optional("KEY", take_key, R"(A key that the tablet holds; \xNN is a byte)")
      .Option("--table", "TABLE", take_table, "The same as TABLE")
      .Option("--key", "KEY", take_key, "The same as KEY");
}

std::optional<TabletId> TabletArgument::Id() const {
  if (key) return std::nullopt;
  const Result<int64_t> id = ParseWhole(table, 1, std::numeric_limits<int64_t>::max());
  return id ? std::optional(TabletId{static_cast<uint64_t>(*id)}) : std::nullopt;
}

Status TabletArgument::Check() const {
  if (Id() || (key && !table.empty())) return {};
  if (table.empty())
    return Error(Code::kInvalidArgument, "name a tablet: its table and a key that it holds, or its id");
  return Error(Code::kInvalidArgument, "which tablet of table \"" + EscapeBytes(table) +
                                           "\"? Add a key that it holds, or write its id instead");
}

Result<NamedTablet> TabletArgument::Find(const Client& client) const {
  EBLA_TRY(Check());
  if (key) {
    EBLA_ASSIGN(TabletPlace place, client.Locate(table, *key));
    return NamedTablet{place.id, table, std::move(place.range), *key};
  }
  EBLA_ASSIGN(TabletSummary tablet, client.DescribeTablet(*Id()));
  // No record has the empty key, at which the first tablet of a table begins.
  const std::string& start = tablet.range.start;
  const std::string first = start.empty() ? std::string(1, '\0') : start;
  return NamedTablet{tablet.id, std::move(tablet.table), std::move(tablet.range), first};
}

std::string NameOfTablet(TabletId id, const std::string& table, const KeyRange& range) {
  return "tablet " + std::to_string(id.value) + " of " + table + " " + RangeCell(range);
}

}  // namespace ebla::shell
