#include "tests/chaos/gateways/redis_client.h"

#include <charconv>
#include <utility>

namespace ebla::chaos {
namespace {

using Kind = RedisValue::Kind;

int64_t NumberOf(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Takes one answer off the bytes. False: it is not whole.
bool TakeValue(std::string_view& bytes, RedisValue& value) {
  const size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return false;
  const char type = bytes.front();
  const std::string_view line = bytes.substr(1, end - 1);
  bytes.remove_prefix(end + 2);
  if (type == '+' || type == '-' || type == ':') {
    value.kind = type == ':' ? Kind::kInteger : type == '-' ? Kind::kError : Kind::kText;
    value.text = line;
    return true;
  }
  const int64_t count = NumberOf(line);
  if (count < 0) return true;
  if (type == '$') {
    const auto length = static_cast<size_t>(count);
    if (bytes.size() < length + 2) return false;
    value.kind = Kind::kText;
    value.text = bytes.substr(0, length);
    bytes.remove_prefix(length + 2);
    return true;
  }
  value.kind = Kind::kArray;
  for (int64_t i = 0; i < count; ++i)
    if (!TakeValue(bytes, value.elements.emplace_back())) return false;
  return true;
}

std::optional<size_t> RedisAnswerLength(std::string_view bytes) {
  std::string_view rest = bytes;
  RedisValue value;
  if (!TakeValue(rest, value)) return std::nullopt;
  return bytes.size() - rest.size();
}

std::string EncodeWords(const RedisClient::Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return bytes;
}

Status MeaningOf(const std::string& error) {
  for (const auto& [begin, code] : {std::pair("CLUSTERDOWN", Code::kUnavailable),
                                    {"OOM", Code::kOverloaded},
                                    {"UNKNOWNOUTCOME", Code::kUnknownOutcome}})
    if (error.starts_with(begin)) return Error(code, error);
  return Error(Code::kInternal, error);
}

Result<RedisValue> ValueOf(const std::string& answer) {
  std::string_view bytes = answer;
  RedisValue value;
  TakeValue(bytes, value);
  if (value.kind == Kind::kError) return Error(MeaningOf(value.text));
  return value;
}

}  // namespace

bool NothingHappened(const Status& status) {
  return status.code() == Code::kUnavailable || status.code() == Code::kOverloaded;
}

std::optional<std::string> RedisValue::AsText() const {
  return kind == Kind::kNil ? std::nullopt : std::optional(text);
}

Result<int64_t> RedisValue::AsNumber() const {
  if (kind == Kind::kNil) return 0;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (kind == Kind::kArray || error != std::errc() || end != text.data() + text.size())
    return Error(Code::kInternal, "not a number: " + text);
  return number;
}

RedisClient::RedisClient(const Gateways& gateways, ConnectionOptions options, std::string database)
    : connection_(gateways, options, RedisAnswerLength), database_(std::move(database)) {}

Status RedisClient::SelectDatabase() {
  if (connection_.open()) return Status::Ok();
  if (watching_) return Error(Code::kUnavailable, "the connection that watches is gone");
  const auto selected = connection_.Exchange(EncodeWords({"SELECT", database_}), 1);
  if (!selected) return Error(Code::kUnavailable, "no database is selected: " + selected.error().message());
  if (selected->front() == "+OK\r\n") return Status::Ok();
  connection_.Close();
  const Status why = MeaningOf(selected->front().substr(1));
  return Error(why.code() == Code::kInternal ? Code::kInternal : Code::kUnavailable, why.message());
}

Result<std::vector<std::string>> RedisClient::Say(const std::string& bytes, size_t answers) {
  EBLA_TRY(SelectDatabase());
  return connection_.Exchange(bytes, answers);
}

std::vector<Result<RedisValue>> RedisClient::Pipeline(const std::vector<Words>& commands) {
  std::string bytes;
  for (const Words& words : commands) bytes += EncodeWords(words);
  std::vector<std::string> answered;
  Status status = SelectDatabase();
  if (status.ok()) status = connection_.Exchange(bytes, commands.size(), answered);
  std::vector<Result<RedisValue>> values;
  for (const std::string& answer : answered) values.push_back(ValueOf(answer));
  while (values.size() < commands.size()) values.emplace_back(Error(status));
  return values;
}

Result<RedisValue> RedisClient::Call(const Words& words) {
  EBLA_ASSIGN(const auto answers, Say(EncodeWords(words), 1));
  return ValueOf(answers.front());
}

Status RedisClient::Watch(const Words& keys) {
  Words words = {"WATCH"};
  words.insert(words.end(), keys.begin(), keys.end());
  EBLA_ASSIGN(const RedisValue answer, Call(words));
  if (answer.text != "OK") return Error(Code::kInternal, "WATCH answers " + answer.text);
  watching_ = true;
  return Status::Ok();
}

void RedisClient::Forget() {
  if (watching_) connection_.Close();
  watching_ = false;
}

Result<std::optional<std::vector<RedisValue>>> RedisClient::Transact(const std::vector<Words>& commands) {
  std::string bytes = EncodeWords({"MULTI"});
  for (const Words& words : commands) bytes += EncodeWords(words);
  bytes += EncodeWords({"EXEC"});
  auto answers = Say(bytes, commands.size() + 2);
  watching_ = false;
  if (!answers) return Error(answers.error());
  // EXEC reports commands that cannot be queued.
  EBLA_ASSIGN(RedisValue executed, ValueOf(answers->back()));
  if (executed.kind == Kind::kNil) return std::nullopt;
  if (executed.elements.size() != commands.size())
    return Error(Code::kInternal, "EXEC answers so many commands: " + std::to_string(executed.elements.size()));
  for (const RedisValue& element : executed.elements)
    // A single command reports by itself that it could not be executed.
    if (element.kind == Kind::kError)
      return Error(commands.size() == 1 ? MeaningOf(element.text) : Status(Code::kInternal, element.text));
  return std::move(executed.elements);
}

}  // namespace ebla::chaos
