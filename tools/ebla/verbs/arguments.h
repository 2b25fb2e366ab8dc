// tools/ebla/verbs/arguments.h
// From arguments as typed to the SDK's options: what verbs.h declares, for the files that define verbs.
// Threads: one.
#pragma once

#include "tools/ebla/format/parse.h"
#include "tools/ebla/verbs/verbs.h"

namespace ebla::shell {

template <class Options>
void WriteArguments::Fill(Options& options) const {
  if constexpr (requires { options.ack; }) {
    if (ack) options.ack = *ack;
  }
  if constexpr (requires { options.ttl; }) {
    if (ttl) options.ttl = *ttl;
  }
  if (if_version) options.if_version = *if_version;
  if constexpr (requires { options.if_absent; }) options.if_absent = if_absent;
  options.if_exists = if_exists;
}

template <class Options>
Status ReadArguments::Fill(Context& context, Options& options) const {
  if (read) options.read = *read;
  if (!token.empty()) {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(context.session, client.NewSession(token));
  }
  const bool wants_session = options.read.level() == Read::Level::kSession;
  if (wants_session && !context.session) {
    EBLA_ASSIGN(const Client client, context.connect());
    context.session = client.NewSession();
  }
  if (context.session) options.session = &*context.session;
  return {};
}

}  // namespace ebla::shell
