// tools/ebla/verbs/tablet_argument.h
// A tablet as every verb takes it: `carts user42` names the tablet that holds a key, `17` names a tablet by its id.
// Place:   verbs_tablet.cc, verbs_merge.cc and verbs_stats.cc add it to their verbs.
// Errors:  INVALID_ARGUMENT: neither form; NOT_FOUND: no tablet has that id; NO_SUCH_TABLE.
// Threads: one.
#pragma once

#include <optional>
#include <string>

#include "tools/ebla/verbs/verbs.h"

namespace ebla::shell {

// A tablet that the leading master knows.
struct NamedTablet {
  TabletId id;
  std::string table;
  KeyRange range;
  std::string key;  // the tablet holds it
};

struct TabletArgument {
  std::string table;  // or the id of a tablet
  std::optional<std::string> key;

  // Adds TABLE and KEY, and --table and --key, which mean the same.
  void AddTo(Verb& verb);
  // The id, where TABLE is one and no key follows. A table whose name is a number needs a key.
  std::optional<TabletId> Id() const;
  Result<NamedTablet> Find(const Client& client) const;
  // INVALID_ARGUMENT unless the arguments have one of the two forms.
  Status Check() const;
};

// `tablet 17 of carts ["a","m")`.
std::string NameOfTablet(TabletId id, const std::string& table, const KeyRange& range);

}  // namespace ebla::shell
