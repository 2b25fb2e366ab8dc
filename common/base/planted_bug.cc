#include "common/base/planted_bug.h"

namespace ebla {

namespace rules::planted {

// The bug that the predicates of rules.h check.
#define EBLA_X(name) \
  extern bool name;  \
  bool name = false;
EBLA_PLANTED_BUG_LIST(EBLA_X)
#undef EBLA_X

}  // namespace rules::planted

namespace {

bool none_planted = true;

constexpr std::array kSwitches = {&none_planted,
#define EBLA_X(name) &rules::planted::name,
                                  EBLA_PLANTED_BUG_LIST(EBLA_X)
#undef EBLA_X
};

}  // namespace

void Plant(PlantedBug bug) {
  for (bool* const on : kSwitches) *on = false;
  *kSwitches[static_cast<size_t>(bug)] = true;
}

bool Planted(PlantedBug bug) { return *kSwitches[static_cast<size_t>(bug)]; }

}  // namespace ebla
