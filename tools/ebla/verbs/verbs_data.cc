// Verbs on records: get, mget, put, delete, incr, scan.
#include <fstream>
#include <iostream>

#include "common/base/read_all.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

constexpr const char* kKey = R"(\xNN is a byte, \\ a backslash)";

// The value of a put: as typed, unescaped with --escapes, or a file's bytes.
struct ValueArgument {
  std::optional<std::string> text;
  std::string file;
  bool escapes = false;

  void AddTo(Verb& verb) {
    verb.Optional("VALUE", TakeText(text), "The value, as it is typed");
    verb.Option("--file", "PATH", TakeText(file), "Takes the value from this file; - is standard input");
    verb.Flag("--escapes", escapes, R"(In VALUE, \xNN is a byte and \\ a backslash)");
  }
  Result<std::string> Bytes() const {
    if (!file.empty() && text) return Error(Code::kInvalidArgument, "give VALUE or --file, not both");
    if (file.empty() && !text) return Error(Code::kInvalidArgument, "VALUE is missing: give it, or --file");
    if (file.empty()) return escapes ? UnescapeBytes(*text) : Result<std::string>(*text);
    if (file == "-") return ReadAll(std::cin);
    std::ifstream input(file, std::ios::binary);
    std::string value = ReadAll(input);
    if (!input.is_open() || input.bad()) return Error(Code::kInvalidArgument, "cannot read the file " + file);
    return value;
  }
};

struct GetArguments {
  TableArgument table;
  std::string key;
  ReadArguments read;
  bool raw = false, verbose = false;
};

Status Get(const GetArguments& args, Context& context) {
  GetOptions options{.deadline = context.deadline};
  EBLA_TRY(args.read.Fill(context, options));
  EBLA_ASSIGN(const Table table, args.table.Open(context));
  Result<Record> record = table.Get(args.key, options);
  if (!record) return record.error();
  Row row{args.key, *std::move(record)};
  if (context.out.json) {
    context.out.Value(RowToJson(row, true));
  } else if (args.raw) {
    context.out.Raw(row.record.value);
  } else {
    context.out.Line(Readable(row.record.value));
    if (args.verbose) {
      std::string about = "version " + row.record.version.ToString();
      if (row.record.expires) about += "  expires " + FormatTime(*row.record.expires);
      context.out.Line(about);
    }
  }
  return {};
}

void AddGet(Verbs& verbs) {
  auto args = std::make_shared<GetArguments>();
  Verb& verb = verbs.Add("get", "Shows the value of a key", "get carts user42 --read bounded=2s",
                         [args](Context& context) { return Get(*args, context); });
  verb.Argument("TABLE", TakeText(args->table.table)).Argument("KEY", TakeBytes(args->key), kKey).OnTableInUse();
  args->read.AddTo(verb);
  verb.Flag("--raw", args->raw, "Writes the bytes of the value and nothing else");
  verb.Flag("-v,--verbose", args->verbose, "Also shows the version and when the record expires");
  verb.Notes(R"(A value is shown as text: \xNN is a byte that is not text, \\ a backslash.)");
}

struct MultiGetArguments {
  TableArgument table;
  std::vector<std::string> keys;
  ReadArguments read;
};

// With --json all of them are one array, in the order in which they were asked for.
Status MultiGet(const MultiGetArguments& args, Context& context) {
  GetOptions options{.deadline = context.deadline};
  EBLA_TRY(args.read.Fill(context, options));
  EBLA_ASSIGN(const Table table, args.table.Open(context));
  std::vector<Result<Record>> records = table.MultiGet(args.keys, options);
  Json all = Json::Array();
  Status worst;
  for (size_t i = 0; i < args.keys.size(); ++i) {
    const std::string& key = args.keys[i];
    if (records[i]) {
      Row row{key, *std::move(records[i])};
      if (context.out.json) {
        all.push_back(RowToJson(row, true));
      } else {
        context.out.Line(ReadableLine(row.key) + "\t" + ReadableLine(row.record.value));
      }
      continue;
    }
    Status failed = records[i].error();
    if (failed.code() != Code::kNotFound)
      failed = Status(failed.code(), "\"" + EscapeBytes(key) + "\": " + failed.message());
    if (context.out.json) {
      all.push_back(MissingJson(key, failed));
    } else if (i + 1 < args.keys.size()) {
      context.out.Failed(failed);
    }
    if (ExitCode(failed) > ExitCode(worst) || i + 1 == args.keys.size()) worst = failed;
  }
  if (!context.out.json) return worst;
  context.out.Value(all);
  context.exit_code = ExitCode(worst);
  return {};
}

void AddMultiGet(Verbs& verbs) {
  auto args = std::make_shared<MultiGetArguments>();
  Verb& verb = verbs.Add("mget", "Shows the values of several keys", "mget carts user42 user43",
                         [args](Context& context) { return MultiGet(*args, context); });
  verb.Argument("TABLE", TakeText(args->table.table)).Repeated("KEY", TakeEachBytes(args->keys), kKey).OnTableInUse();
  args->read.AddTo(verb);
}

struct PutArguments {
  TableArgument table;
  std::string key;
  ValueArgument value;
  WriteArguments write;
};

Status Put(const PutArguments& args, Context& context) {
  EBLA_ASSIGN(const std::string value, args.value.Bytes());
  PutOptions options{.deadline = context.deadline};
  args.write.Fill(options);
  if (context.session) options.session = &*context.session;
  EBLA_ASSIGN(const Table table, args.table.Open(context));
  EBLA_ASSIGN(const Version version, table.Put(args.key, value, options));
  if (version) {
    context.out.Ok("version " + version.ToString(), {{"version", version.ToString()}});
  } else {
    context.out.Ok({}, {{"version", nullptr}});  // at ANY it has none yet
  }
  return {};
}

void AddPut(Verbs& verbs) {
  auto args = std::make_shared<PutArguments>();
  Verb& verb = verbs.Add("put", "Writes a value", R"(put carts user42 '{"items": 3}' --ack majority --ttl 30m)",
                         [args](Context& context) { return Put(*args, context); });
  verb.Argument("TABLE", TakeText(args->table.table)).Argument("KEY", TakeBytes(args->key), kKey).OnTableInUse();
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
  Verb& verb =
      verbs.Add("delete", "Deletes a key", "delete carts user42 --if-exists", [args](Context& context) -> Status {
        DeleteOptions options{.deadline = context.deadline};
        args->write.Fill(options);
        if (context.session) options.session = &*context.session;
        EBLA_ASSIGN(const Table table, args->table.Open(context));
        EBLA_TRY(table.Delete(args->key, options));
        context.out.Ok();
        return {};
      });
  verb.Argument("TABLE", TakeText(args->table.table)).Argument("KEY", TakeBytes(args->key), kKey).OnTableInUse();
  args->write.AddTo(verb, false, false);
}

struct IncrementArguments {
  TableArgument table;
  std::string key;
  int64_t delta = 1;
  WriteArguments write;
};

Status Increment(const IncrementArguments& args, Context& context) {
  BatchOptions part;
  args.write.Fill(part);
  WriteOptions options{.deadline = context.deadline};
  if (args.write.ack) options.ack = *args.write.ack;
  if (context.session) options.session = &*context.session;
  EBLA_ASSIGN(const Table table, args.table.Open(context));
  EBLA_ASSIGN(const BatchResult result, table.Write(std::move(Batch().Increment(args.key, args.delta, part)), options));
  if (result.counters.empty()) return Error(Code::kInternal, "the server's reply holds no sum");
  context.out.Ok(std::to_string(result.counters.front()) + "  version " + result.version.ToString(),
                 {{"value", result.counters.front()}, {"version", result.version.ToString()}});
  return {};
}

void AddIncrement(Verbs& verbs) {
  auto args = std::make_shared<IncrementArguments>();
  Verb& verb = verbs.Add("incr", "Adds to a number and shows the sum", "incr carts visits 5",
                         [args](Context& context) { return Increment(*args, context); });
  verb.Argument("TABLE", TakeText(args->table.table)).Argument("KEY", TakeBytes(args->key), kKey).OnTableInUse();
  verb.Optional("DELTA", TakeWhole(args->delta, std::numeric_limits<int64_t>::min()),
                "What to add; it may be negative (1)");
  args->write.AddTo(verb, true, true);
}

struct ScanArguments {
  TableArgument table;
  RangeArguments range;
  ReadArguments read;
  bool reverse = false, keys_only = false;
  uint64_t limit = 0;
};

Status Scan(const ScanArguments& args, Context& context) {
  ScanOptions options{
      .reverse = args.reverse, .limit = args.limit, .keys_only = args.keys_only, .deadline = context.deadline};
  EBLA_ASSIGN(options.range, args.range.Range());
  EBLA_TRY(args.read.Fill(context, options));
  EBLA_ASSIGN(const Table table, args.table.Open(context));
  Scanner scan = table.Scan(options);
  while (!context.interrupted && scan.Next()) {
    if (context.out.json) {
      context.out.Value(RowToJson(scan.row(), !args.keys_only));
    } else if (args.keys_only) {
      context.out.Line(ReadableLine(scan.key()));
    } else {
      context.out.Line(ReadableLine(scan.key()) + "\t" + ReadableLine(scan.record().value));
    }
  }
  return scan.status();
}

void AddScan(Verbs& verbs) {
  auto args = std::make_shared<ScanArguments>();
  Verb& verb = verbs.Add("scan", "Shows records in the order of their keys", "scan carts --prefix user4 --limit 10",
                         [args](Context& context) { return Scan(*args, context); });
  verb.StopsOnInterrupt().Argument("TABLE", TakeText(args->table.table)).OnTableInUse();
  args->range.AddTo(verb);
  verb.Flag("--reverse", args->reverse, "Starts at the last key");
  verb.Option("--limit", "RECORDS", TakeWhole(args->limit), "Stops after so many records; 0 means no limit");
  verb.Flag("--keys-only", args->keys_only, "Omits the values");
  args->read.AddTo(verb);
  verb.Notes("With --json each record is a separate line, because a table may be larger than memory.");
}

}  // namespace

void AddDataVerbs(Verbs& verbs) {
  AddGet(verbs);
  AddMultiGet(verbs);
  AddPut(verbs);
  AddDelete(verbs);
  AddIncrement(verbs);
  AddScan(verbs);
}

}  // namespace ebla::shell
