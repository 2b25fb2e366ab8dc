#include "master/procedures/push_schema.h"

#include "master/catalog/table_rules.h"

namespace ebla::master {

std::string PushSchemaName(const std::string& table) { return "push schema of table " + table; }

Result<Change> AlterTable(const Image& image, const std::string& name, const idl::TableOptions& options) {
  const TableEntry* table = image.Table(name);
  if (!table || table->node.state == idl::TableState::DROPPING) {
    return NoTable(name);
  }
  idl::TableNode node = table->node;
  EBLA_ASSIGN(node.schema.options, AlterOptions(node.schema.options, options));
  Change change;
  if (node.schema.options == table->node.schema.options) return change;
  ++node.schema.schemaVersion;
  change.PutTable(std::move(node));
  return change;
}

PushSchema::PushSchema(const Context& context, std::string table) : context_(context), table_(std::move(table)) {}

std::set<ServerName> PushSchema::Holders(TableId table) const {
  std::set<ServerName> holders;
  for (const auto& [start, id] : context_.image().TabletsOf(table)) {
    const idl::TabletInfo& info = context_.image().Tablet(id)->node.info;
    holders.insert(info.voters.begin(), info.voters.end());
    holders.insert(info.learners.begin(), info.learners.end());
  }
  return holders;
}

void PushSchema::Step(coordination::Callback<Progress> done) {
  const TableEntry* table = context_.image().Table(table_);
  if (!table || table->node.state == idl::TableState::DROPPING) {
    return done(Progress::Done(Error(Code::kNoSuchTable, "table " + table_ + " was dropped")));
  }
  const idl::TableSchema schema = table->node.schema;
  std::map<ServerName, Incarnation> outdated;
  for (const ServerName& name : Holders(table->id())) {
    const Server* server = context_.servers.Find(name);
    if (!server || !server->live) continue;
    const auto told = obeyed_.find(name);
    if (told != obeyed_.end() && told->second == std::pair(server->incarnation(), schema.schemaVersion)) continue;
    outdated[name] = server->incarnation();
  }
  if (outdated.empty()) return done(Progress::Done());
  done_ = std::move(done);
  failure_ = {};
  waiting_ = outdated.size();
  for (const auto& [name, incarnation] : outdated) {
    context_.tablet_server_client.Alter(
        name, schema, if_alive_([this, name, incarnation, version = schema.schemaVersion](Status status) {
          if (status.ok()) {
            obeyed_[name] = {incarnation, version};
          } else {
            failure_ = Error(status.code(), "server " + name + ": " + status.message());
          }
          if (--waiting_ > 0) return;
          auto done = std::move(done_);
          done(failure_.ok() ? Progress::Again() : Progress::Later(failure_));
        }));
  }
}

}  // namespace ebla::master
