#include "client/core/client_core.h"

#include <utility>

#include "client/core/read_operations.h"
#include "client/core/write_operation.h"

namespace ebla::client {

ClientCore::ClientCore(std::vector<Lane> lanes, CoreOptions options)
    : options_(std::move(options)),
      network_(std::move(lanes)),
      masters_(network_, options_.masters),
      write_gate_(network_) {}

void ClientCore::Close() {
  write_gate_.Close();
  network_.Clear();
}

void ClientCore::Describe(std::string name, Duration timeout, Once<Result<TableId>> done) {
  idl::DescribeTableRequest request;
  request.name = name;
  MasterClient::CallOptions options;
  options.deadline = timeout;
  masters_.Call<idl::DescribeTableRequest, idl::DescribeTableReply>(
      "describeTable", std::move(request), std::move(options),
      [name = std::move(name),
       done = std::move(done)](Result<MasterClient::Answer<idl::DescribeTableReply>> answer) mutable {
        if (!answer) {
          if (answer.error().code() == Code::kNoSuchTable) {
            return done(Error(Code::kNoSuchTable, "no table \"" + EscapeBytes(name) + "\""));
          }
          return done(Error(answer.error()));
        }
        done(TableId{static_cast<uint64_t>(answer->reply.table.schema.tableId)});
      });
}

void ClientCore::OpenTable(std::string name, Once<Result<TablePtr>> done) {
  Describe(name, options_.deadline,
           Once<Result<TableId>>([this, name, done = std::move(done)](Result<TableId> id) mutable {
             if (!id) return done(Error(id.error()));
             auto router = std::make_shared<Router>(network_, masters_, *id);
             done(std::make_shared<TableState>(std::move(name), std::move(router)));
           }));
}

void ClientCore::Reopen(TablePtr table, TableId refused, Duration timeout, Once<Result<std::shared_ptr<Router>>> done) {
  if (auto router = table->router(); router->table() != refused) return done(std::move(router));
  Describe(
      table->name(), timeout,
      Once<Result<TableId>>([this, table, refused, done = std::move(done)](Result<TableId> id) mutable {
        if (!id) return done(Error(id.error()));
        if (*id == refused) {
          return done(Error(Code::kNoSuchTable, "table \"" + table->name() + "\" (id " + std::to_string(refused.value) +
                                                    ") is refused by its servers"));
        }
        auto router = table->router();
        if (router->table() != *id) {
          router = std::make_shared<Router>(network_, masters_, *id);
          table->Replace(router);
        }
        done(std::move(router));
      }));
}

}  // namespace ebla::client
