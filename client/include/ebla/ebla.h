// client/include/ebla/ebla.h
// The whole public SDK of Ebla in one include.
//
//   auto client = ebla::Client::Connect({.masters = {"127.0.0.1:7400"}});       // Result<Client>
//   auto carts = client->OpenTable("carts");                                     // Result<Table>
//   auto put = carts->Put("user42", "...", {.ack = ebla::Ack::kMajority, .ttl = 30min});
//   auto got = carts->Get("user42", {.read = ebla::Read::Bounded(2s)});          // Result<Record>
//
// Place:   applications and tools include this, nothing under client/core/.
// Errors:  every call returns a Status or a Result; nothing throws. See client/include/ebla/options.h for what a
//          deadline means.
// Threads: Client, Table and Session may be shared by threads and copied cheaply; a Scanner belongs to one thread.
#pragma once

#include "ebla/access.h"   // IWYU pragma: export
#include "ebla/admin.h"    // IWYU pragma: export
#include "ebla/client.h"   // IWYU pragma: export
#include "ebla/options.h"  // IWYU pragma: export
#include "ebla/session.h"  // IWYU pragma: export
#include "ebla/table.h"    // IWYU pragma: export
