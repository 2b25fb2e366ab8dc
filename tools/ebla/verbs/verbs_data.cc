// Verbs on records: get, mget, put, delete, incr, scan; and token.
#include <fstream>
#include <iostream>
#include <iterator>

#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using std::chrono::milliseconds;

// The value of a put: as typed, unescaped with --escapes, or a file's bytes.
struct ValueArgument {
  std::string text, file;
  bool escapes = false;
  CLI::Option* given = nullptr;

  void AddTo(CLI::App* verb) {
    given = verb->add_option("VALUE", text, "The value, as it is");
    verb->add_option("--file", file, "Takes the value from this file; - is standard input")->type_name("PATH");
    verb->add_flag("--escapes", escapes, R"(\xNN and \\ in VALUE mean bytes)");
  }
  Result<std::string> Bytes() const {
    if (!file.empty() && given->count() > 0) return Error(Code::kInvalidArgument, "give VALUE or --file, not both");
    if (file.empty() && given->count() == 0)
      return Error(Code::kInvalidArgument, "VALUE is missing: give it, or --file");
    if (file.empty()) return escapes ? UnescapeBytes(text) : Result<std::string>(text);
    if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    std::ifstream input(file, std::ios::binary);
    if (!input) return Error(Code::kInvalidArgument, "cannot read the file " + file);
    return std::string(std::istreambuf_iterator<char>(input), {});
  }
};

void AddGet(Verbs& verbs) {
  struct Arguments {
    TableArgument table;
    std::string key;
    ReadArguments read;
    bool raw = false, verbose = false;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("get", "Shows the value of a key", "get carts user42 --read bounded=2s",
                             [args](Context& context) -> Status {
                               EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
                               GetOptions options{.deadline = context.deadline};
                               EBLA_TRY(args->read.Fill(context, options));
                               EBLA_ASSIGN(const Table table, args->table.Open(context));
                               Result<Record> record = table.Get(key, options);
                               if (!record && record.error().code() == Code::kNotFound) {
                                 return Error(Code::kNotFound, "no record under \"" + EscapeBytes(key) + "\"");
                               }
                               if (!record) return record.error();
                               Row row{key, *std::move(record)};
                               if (context.out.json) {
                                 context.out.Value(ToJson(row, true));
                               } else if (args->raw) {
                                 context.out.Raw(row.record.value);
                               } else {
                                 context.out.Line(Readable(row.record.value));
                                 if (args->verbose) {
                                   std::string about = "version " + row.record.version.ToString();
                                   if (row.record.expires) about += "  expires " + FormatTime(*row.record.expires);
                                   context.out.Line(about);
                                 }
                               }
                               return {};
                             });
  verb->add_option("TABLE", args->table.table)->required();
  verb->add_option("KEY", args->key, R"(\xNN is a byte)")->required();
  args->read.AddTo(verb);
  verb->add_flag("--raw", args->raw, "Writes the value's bytes, nothing else");
  verb->add_flag("-v,--verbose", args->verbose, "Shows version and expiry too");
}

void AddMultiGet(Verbs& verbs) {
  struct Arguments {
    TableArgument table;
    std::vector<std::string> keys;
    ReadArguments read;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "mget", "Shows the values of several keys", "mget carts user42 user43", [args](Context& context) -> Status {
        std::vector<std::string> keys;
        for (const std::string& text : args->keys) {
          EBLA_ASSIGN(std::string key, UnescapeBytes(text));
          keys.push_back(std::move(key));
        }
        GetOptions options{.deadline = context.deadline};
        EBLA_TRY(args->read.Fill(context, options));
        EBLA_ASSIGN(const Table table, args->table.Open(context));
        std::vector<Result<Record>> records = table.MultiGet(keys, options);
        Status worst;
        for (size_t i = 0; i < keys.size(); ++i) {
          if (records[i]) {
            Row row{keys[i], *std::move(records[i])};
            if (context.out.json) {
              context.out.Value(ToJson(row, true));
            } else {
              context.out.Line(EscapeBytes(row.key) + "\t" + ReadableLine(row.record.value));
            }
            continue;
          }
          Status& failed = records[i].error();
          const std::string name = "\"" + EscapeBytes(keys[i]) + "\"";
          failed = Status(failed.code(), failed.code() == Code::kNotFound ? "no record under " + name
                                                                          : name + ": " + failed.message());
          if (i + 1 < keys.size()) context.out.Failed(failed);
          if (ExitCode(failed) > ExitCode(worst) || i + 1 == keys.size()) worst = failed;
        }
        return worst;
      });
  verb->add_option("TABLE", args->table.table)->required();
  verb->add_option("KEY", args->keys)->required();
  args->read.AddTo(verb);
}

void AddPut(Verbs& verbs) {
  struct Arguments {
    TableArgument table;
    std::string key;
    ValueArgument value;
    WriteArguments write;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add("put", "Writes a value", R"(put carts user42 '{"items": 3}' --ack majority --ttl 30m)",
                             [args](Context& context) -> Status {
                               EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
                               EBLA_ASSIGN(const std::string value, args->value.Bytes());
                               PutOptions options{.deadline = context.deadline};
                               EBLA_TRY(args->write.Fill(options));
                               if (context.session) options.session = &*context.session;
                               EBLA_ASSIGN(const Table table, args->table.Open(context));
                               EBLA_ASSIGN(const Version version, table.Put(key, value, options));
                               if (version) {
                                 context.out.Ok("version " + version.ToString(), {{"version", version.ToString()}});
                               } else {
                                 context.out.Ok();  // at ANY it has none yet
                               }
                               return {};
                             });
  verb->add_option("TABLE", args->table.table)->required();
  verb->add_option("KEY", args->key, R"(\xNN is a byte)")->required();
  args->value.AddTo(verb);
  args->write.AddTo(verb, true, true);
}

void AddDelete(Verbs& verbs) {
  struct Arguments {
    TableArgument table;
    std::string key;
    WriteArguments write;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb =
      verbs.Add("delete", "Deletes a key", "delete carts user42 --if-exists", [args](Context& context) -> Status {
        EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
        DeleteOptions options{.deadline = context.deadline};
        EBLA_TRY(args->write.Fill(options));
        if (context.session) options.session = &*context.session;
        EBLA_ASSIGN(const Table table, args->table.Open(context));
        EBLA_TRY(table.Delete(key, options));
        context.out.Ok();
        return {};
      });
  verb->add_option("TABLE", args->table.table)->required();
  verb->add_option("KEY", args->key, R"(\xNN is a byte)")->required();
  args->write.AddTo(verb, false, false);
}

void AddIncrement(Verbs& verbs) {
  struct Arguments {
    TableArgument table;
    std::string key;
    int64_t delta = 1;
    WriteArguments write;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "incr", "Adds to a number and shows the sum", "incr carts visits 5", [args](Context& context) -> Status {
        EBLA_ASSIGN(const std::string key, UnescapeBytes(args->key));
        BatchOptions part;
        EBLA_TRY(args->write.Fill(part));
        WriteOptions options{.deadline = context.deadline};
        if (!args->write.ack.empty()) {
          EBLA_ASSIGN(options.ack, ParseAck(args->write.ack));
        }
        if (context.session) options.session = &*context.session;
        EBLA_ASSIGN(const Table table, args->table.Open(context));
        EBLA_ASSIGN(const BatchResult result,
                    table.Write(std::move(Batch().Increment(key, args->delta, part)), options));
        if (result.counters.empty()) return Error(Code::kInternal, "the server's reply holds no sum");
        context.out.Ok(std::to_string(result.counters.front()) + "  version " + result.version.ToString(),
                       {{"value", result.counters.front()}, {"version", result.version.ToString()}});
        return {};
      });
  verb->add_option("TABLE", args->table.table)->required();
  verb->add_option("KEY", args->key, R"(\xNN is a byte)")->required();
  verb->add_option("DELTA", args->delta, "May be negative; 1 when not given");
  args->write.AddTo(verb, true, true);
}

void AddScan(Verbs& verbs) {
  struct Arguments {
    TableArgument table;
    RangeArguments range;
    ReadArguments read;
    bool reverse = false, keys_only = false;
    uint64_t limit = 0;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = verbs.Add(
      "scan", "Shows records in order of their keys", "scan carts --prefix user4 --limit 10",
      [args](Context& context) -> Status {
        ScanOptions options{
            .reverse = args->reverse, .limit = args->limit, .keys_only = args->keys_only, .deadline = context.deadline};
        EBLA_ASSIGN(options.range, args->range.Range());
        EBLA_TRY(args->read.Fill(context, options));
        EBLA_ASSIGN(const Table table, args->table.Open(context));
        Scanner scan = table.Scan(options);
        while (!context.interrupted && scan.Next()) {
          if (context.out.json) {
            context.out.Value(ToJson(scan.row(), !args->keys_only));
          } else if (args->keys_only) {
            context.out.Line(EscapeBytes(scan.key()));
          } else {
            context.out.Line(EscapeBytes(scan.key()) + "\t" + ReadableLine(scan.record().value));
          }
        }
        return scan.status();
      });
  verb->add_option("TABLE", args->table.table)->required();
  args->range.AddTo(verb);
  verb->add_flag("--reverse", args->reverse, "From the end down");
  verb->add_option("--limit", args->limit, "Records at most")->check(CLI::NonNegativeNumber);
  verb->add_flag("--keys-only", args->keys_only, "Without values");
  args->read.AddTo(verb);
}

void AddToken(Verbs& verbs) {
  verbs.Add("token", "Shows the token of this shell's session, for --token elsewhere", "token",
            [](Context& context) -> Status {
              if (!context.session) {
                EBLA_ASSIGN(const Client client, context.connect());
                context.session = client.NewSession();
              }
              const std::string token = context.session->Token();
              if (context.out.json) {
                context.out.Value({{"token", token}});
              } else {
                context.out.Line(token);
              }
              return {};
            });
}

}  // namespace

void AddDataVerbs(Verbs& verbs) {
  AddGet(verbs);
  AddMultiGet(verbs);
  AddPut(verbs);
  AddDelete(verbs);
  AddIncrement(verbs);
  AddScan(verbs);
  AddToken(verbs);
}

}  // namespace ebla::shell
