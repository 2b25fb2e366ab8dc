// master/catalog/access_rules.h
// Applies an operator's changes to users, roles and grants, or refuses them. Pure.
// Place:      leader/access_admin.h reads the node, changes it here, and writes it.
// Invariants: names are unlike each other among users and roles together; grants name tables that are there.
// Errors:     INVALID_ARGUMENT; NOT_FOUND, NO_SUCH_TABLE; CONDITION_FAILED: it is there already. Each names what.
// Threads:    functions of their arguments.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "idl/access_types.h"
#include "idl/master_types.h"
#include "master/catalog/image.h"

namespace ebla::master {

inline constexpr size_t kAccessBytesMax = 512 << 10;  // of the node: some 3,000 users
inline constexpr size_t kGrantsMax = 1'000;           // of one user or role

Result<idl::AccessNode> ChangeAccess(idl::AccessNode node, const std::vector<idl::AccessChange>& changes,
                                     const Image& image);

}  // namespace ebla::master
