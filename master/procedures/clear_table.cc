#include "master/procedures/clear_table.h"

namespace ebla::master {

std::string ClearTableName(const ServerName& server, TableId table) {
  return "clear data of table " + std::to_string(table.value) + " at server " + server;
}

ClearTable::ClearTable(const Context& context, ServerName server, TableId table)
    : context_(context), server_(std::move(server)), table_(table) {}

void ClearTable::Step(coordination::Callback<Progress> done) {
  if (!context_.servers.IsLive(server_)) {
    return done(Progress::Done(Error(Code::kUnavailable, "the server is not live; left for its return")));
  }
  const bool last = ++attempts_ >= kAttemptsMax;
  context_.tablet_server_client.DropTableData(server_, table_, [last, done = std::move(done)](Status status) mutable {
    done(status.ok() || last ? Progress::Done(std::move(status)) : Progress::Later(std::move(status)));
  });
}

}  // namespace ebla::master
