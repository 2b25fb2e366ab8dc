// gateway/redis/commands/scripts/script_host.h
// The commands that a script calls, on the transaction view of its transaction.
// Keys:     those that EVAL declares, because other keys were not loaded, and may be of another group.
// Refused:  commands that visit all keys or change the connection, because a script is part of a transaction.
// Messages: are published once the transaction is committed. Until then PUBLISH counts this gateway's subscribers
//           alone.
// Threads:  the run's.
#pragma once

#include <set>
#include <span>
#include <string>

#include "gateway/redis/scripts/scripts.h"
#include "gateway/redis/transactions/transaction.h"

namespace ebla::gateway::redis {

class TransactionHost final : public ScriptHost {
 public:
  // `context`: of a transaction (`effects`) that runs these scripts; outlives this, as `keys` do. `until`: the run's
  // end.
  TransactionHost(const StoreContext& context, std::span<const std::string> keys, bool read_only, Until until);

  std::string Call(const Words& words, int protocol) override;
  void Log(int level, std::string_view text) override;
  bool Stopped() const override { return running_.killed(); }

 private:
  // None: the command needs the store.
  std::optional<std::string> AnswerHere(const CommandInfo& command, const Words& words, int protocol);
  std::string Publish(const CommandInfo& command, const Words& words, int protocol);
  Status MayPublish(const std::string& channel) const;
  std::string CallStore(const CommandInfo& command, const Words& words, int protocol);

  const StoreContext& context_;
  const std::set<std::string_view> keys_;
  const bool read_only_;
  const Until until_;
  const Scripts::Running running_;
};

}  // namespace ebla::gateway::redis
