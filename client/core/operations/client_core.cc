#include "client/core/operations/client_core.h"

#include <utility>

#include "client/core/operations/multi_write.h"
#include "client/core/operations/read_operations.h"
#include "client/core/operations/write_operation.h"

namespace ebla::client {

ClientCore::ClientCore(std::vector<IoContext> io_contexts, CoreOptions options)
    : options_(std::move(options)),
      network_(std::move(io_contexts), options_.location),
      masters_(network_, options_.masters),
      write_admission_(network_) {}

void ClientCore::Close() {
  write_admission_.Close();
  network_.Clear();
}

void ClientCore::Describe(std::string name, Duration timeout, OnceCallback<Result<Described>> done) {
  idl::DescribeTableRequest request;
  request.name = name;
  MasterClient::CallOptions options;
  options.deadline = timeout;
  masters_.Call(
      std::move(request), std::move(options),
      [name = std::move(name),
       done = std::move(done)](Result<MasterClient::Answer<idl::DescribeTableReply>> answer) mutable {
        if (!answer) {
          if (answer.error().code() == Code::kNoSuchTable) {
            return done(Error(Code::kNoSuchTable, "no table \"" + EscapeBytes(name) + "\""));
          }
          return done(Error(answer.error()));
        }
        const idl::TableSchema& schema = answer->reply.table.schema;
        Described described{TableId{static_cast<uint64_t>(schema.tableId)}};
        if (schema.options.__isset.defaultReadLevel && schema.options.defaultReadLevel != idl::ReadLevel::DEFAULT) {
          described.default_read = static_cast<Read::Level>(schema.options.defaultReadLevel);
        }
        if (schema.options.__isset.defaultWriteLevel && schema.options.defaultWriteLevel != idl::WriteLevel::DEFAULT) {
          described.default_ack = static_cast<Ack>(schema.options.defaultWriteLevel);
        }
        done(described);
      });
}

void ClientCore::OpenTable(std::string name, OnceCallback<Result<TablePtr>> done) {
  Describe(
      name, options_.deadline,
      OnceCallback<Result<Described>>([this, name, done = std::move(done)](Result<Described> table) mutable {
        if (!table) return done(Error(table.error()));
        auto router = std::make_shared<Router>(network_, masters_, table->id);
        done(std::make_shared<TableState>(std::move(name), std::move(router), table->default_read, table->default_ack));
      }));
}

void ClientCore::Reopen(TablePtr table, TableId refused, Duration timeout,
                        OnceCallback<Result<std::shared_ptr<Router>>> done) {
  if (auto router = table->router(); router->table() != refused) return done(std::move(router));
  Describe(
      table->name(), timeout,
      OnceCallback<Result<Described>>([this, table, refused, done = std::move(done)](Result<Described> now) mutable {
        if (!now) return done(Error(now.error()));
        if (now->id == refused) {
          return done(Error(Code::kNoSuchTable, "table \"" + table->name() + "\" (id " + std::to_string(refused.value) +
                                                    ") is refused by its servers"));
        }
        auto router = table->router();
        if (router->table() != now->id) {
          router = std::make_shared<Router>(network_, masters_, now->id);
          table->Replace(router);
        }
        done(std::move(router));
      }));
}

void ClientCore::Get(TablePtr table, std::string_view key, const GetOptions& options, Callback<Result<Record>> done) {
  std::make_shared<GetOperation>(*this, std::move(table), key, options, std::move(done))->Start();
}

void ClientCore::Call(TablePtr table, std::string_view key, std::string_view function, std::string arguments,
                      const GetOptions& options, Callback<Result<std::string>> done) {
  std::make_shared<CallOperation>(*this, std::move(table), key, function, std::move(arguments), options,
                                  std::move(done))
      ->Start();
}

void ClientCore::GetEach(TablePtr table, std::vector<std::string> keys, const GetOptions& options,
                         EachCallback<Result<Record>> each) {
  MultiGetJob::Start(std::make_shared<MultiGetJob>(*this, std::move(table), std::move(keys), options, std::move(each)));
}

void ClientCore::ScanPage(TablePtr table, ScanOptions options, Callback<Result<ebla::ScanPage>> done) {
  std::make_shared<ScanOperation>(*this, std::move(table), std::move(options), std::move(done))->Start();
}

void ClientCore::Write(TablePtr table, Batch batch, const WriteOptions& options, Callback<Result<BatchResult>> done) {
  Status valid = CheckBatch(batch);
  std::make_shared<WriteOperation>(*this, std::move(table), ToIdl(std::move(batch)), options.ack,
                                   SessionAccess::Get(options.session), DeadlineOr(options.deadline))
      ->Start(std::move(valid), std::move(done));
}

void ClientCore::WriteEach(TablePtr table, std::vector<Batch::Part> parts, const WriteOptions& options,
                           EachCallback<Result<PartResult>> each) {
  MultiWriteJob::Start(
      std::make_shared<MultiWriteJob>(*this, std::move(table), std::move(parts), options, std::move(each)));
}

}  // namespace ebla::client
