#include "tests/chaos/gateways/registers_subject.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace ebla::chaos {
namespace {

using sim::Outcome;
using sim::WritePart;

// Sets the second key, and returns the value of the first.
constexpr char kLookAndSet[] =
    "local seen = redis.call('get', KEYS[1]) redis.call('set', KEYS[2], ARGV[1]) return seen";

// A command of one cell.
struct CellCommand {
  RedisClient::Words words;
  std::vector<WritePart> wants;  // what it sets out to do
  // The parts that were done, according to the answer.
  std::function<Result<std::vector<WritePart>>(const RedisValue& answer, std::vector<int64_t>& counters)> did;
};

WritePart PutOf(int cell, std::string value) {
  WritePart part;
  part.cell = cell;
  part.value = std::move(value);
  return part;
}

WritePart DeleteOf(int cell) {
  WritePart part;
  part.kind = WritePart::Kind::kDelete;
  part.cell = cell;
  return part;
}

WritePart Exists(int cell) {
  WritePart part;
  part.kind = WritePart::Kind::kCheck;
  part.cell = cell;
  part.condition = WritePart::Condition::kExists;
  return part;
}

Status Expect(bool right, const RedisValue& answer) {
  return right ? Status() : Error(Code::kInternal, "an answer that cannot be: " + answer.text);
}

CellCommand Get(const std::string& key, int cell) {
  return {{"GET", key}, {}, [cell](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
            return std::vector{Registers::Is(cell, answer.AsText())};
          }};
}

CellCommand Set(const std::string& key, int cell, const std::string& value) {
  return {{"SET", key, value},
          {PutOf(cell, value)},
          [=](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
            EBLA_TRY(Expect(answer.text == "OK", answer));
            return std::vector{PutOf(cell, value)};
          }};
}

CellCommand SetAndGet(const std::string& key, int cell, const std::string& value) {
  return {{"SET", key, value, "GET"},
          {PutOf(cell, value)},
          [=](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
            return std::vector{Registers::Is(cell, answer.AsText()), PutOf(cell, value)};
          }};
}

CellCommand IncrementBy(const std::string& key, int cell, int64_t delta) {
  WritePart part;
  part.kind = WritePart::Kind::kIncrement;
  part.cell = cell;
  part.delta = delta;
  return {{"INCRBY", key, std::to_string(delta)},
          {part},
          [part](const RedisValue& answer, std::vector<int64_t>& counters) -> Result<std::vector<WritePart>> {
            EBLA_ASSIGN(const int64_t sum, answer.AsNumber());
            counters.push_back(sum);
            return std::vector{part};
          }};
}

CellCommand Delete(const std::string& key, int cell) {
  return {{"DEL", key}, {DeleteOf(cell)}, [=](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
            EBLA_TRY(Expect(answer.text == "0" || answer.text == "1", answer));
            if (answer.text == "0") return std::vector{Registers::Is(cell, std::nullopt)};
            return std::vector{Exists(cell), DeleteOf(cell)};
          }};
}

CellCommand GetAndDelete(const std::string& key, int cell) {
  return {{"GETDEL", key}, {DeleteOf(cell)}, [=](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
            return std::vector{Registers::Is(cell, answer.AsText()), DeleteOf(cell)};
          }};
}

// SET with NX or XX. It is sent alone, because in a transaction the remaining commands happen even if it does not.
CellCommand SetIf(const std::string& key, int cell, const std::string& value, bool absent) {
  WritePart put = PutOf(cell, value);
  put.condition = absent ? WritePart::Condition::kAbsent : WritePart::Condition::kExists;
  return {{"SET", key, value, absent ? "NX" : "XX"},
          {put},
          [=](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
            if (answer.kind != RedisValue::Kind::kNil) return std::vector{put};
            return std::vector{absent ? Exists(cell) : Registers::Is(cell, std::nullopt)};
          }};
}

}  // namespace

class RegistersSubject::Client final : public Caller {
 public:
  Client(RegistersSubject& subject, int number)
      : Caller(subject.setting_, static_cast<uint64_t>(number)),
        subject_(subject),
        name_("c" + std::to_string(number)) {}

 protected:
  void Ask() override {
    DrawGroup();
    const uint64_t choice = random_.Below(100);
    if (choice < 10) {
      Pipeline();
    } else if (choice < 50) {
      One(choice < 16 ? SetIf(Key(0), 0, NewValue(), choice < 13) : AnyOf(AnyCell()));
    } else if (choice < 75) {
      Together();
    } else if (choice < 85) {
      Script();
    } else {
      Watched();
    }
  }

 private:
  void DrawGroup() { group_ = static_cast<int>(random_.Below(static_cast<uint64_t>(subject_.options_.groups))); }
  std::string Key(int cell) const { return subject_.Key(group_, cell); }
  int AnyCell() { return static_cast<int>(random_.Below(sim::kCellsPerGroup)); }
  int AnyText() {
    const int cell = static_cast<int>(random_.Below(sim::kCellsPerGroup - 1));
    return cell == sim::kCounterCell ? sim::kMortalCell : cell;
  }
  std::string NewValue() { return name_ + "." + std::to_string(++values_); }

  CellCommand AnyOf(int cell) {
    const uint64_t choice = random_.Below(100);
    if (choice < 45) return Get(Key(cell), cell);
    if (choice < 53) return Delete(Key(cell), cell);
    if (choice < 58) return GetAndDelete(Key(cell), cell);
    if (cell == sim::kCounterCell) return IncrementBy(Key(cell), cell, 1 + static_cast<int64_t>(random_.Below(9)));
    return choice < 70 ? SetAndGet(Key(cell), cell, NewValue()) : Set(Key(cell), cell, NewValue());
  }

  size_t Begin(const std::vector<CellCommand>& commands) {
    sim::Operation operation;
    operation.client = name_;
    operation.group = group_;
    for (const CellCommand& command : commands)
      operation.parts.insert(operation.parts.end(), command.wants.begin(), command.wants.end());
    return subject_.registers_.Begin(std::move(operation));
  }
  // `first`: what is known beside the commands' answers.
  void End(size_t number, const std::vector<CellCommand>& commands, const std::vector<RedisValue>& answers,
           std::vector<WritePart> first = {}) {
    std::vector<int64_t> counters;
    for (size_t i = 0; i < commands.size(); ++i) {
      const auto did = commands[i].did(answers[i], counters);
      if (!did) return Failed(number, commands[i].words.front(), did.error());
      first.insert(first.end(), did->begin(), did->end());
    }
    subject_.registers_.End(number, Outcome::kOk, std::move(first), std::move(counters));
    Ended("", Status());
  }
  void Failed(size_t number, const std::string& what, const Status& status) {
    subject_.registers_.End(number, NothingHappened(status) ? Outcome::kNotExecuted : Outcome::kUnknown);
    Ended(what, status);
  }

  void One(const CellCommand& command) {
    const size_t number = Begin({command});
    const auto answer = redis_.Call(command.words);
    if (!answer) return Failed(number, command.words.front(), answer.error());
    End(number, {command}, {*answer});
  }

  // Commands of several groups, sent at once: operations of their own.
  void Pipeline() {
    std::vector<CellCommand> commands;
    std::vector<RedisClient::Words> words;
    std::vector<size_t> numbers;
    for (uint64_t left = 2 + random_.Below(5); left > 0; --left) {
      DrawGroup();
      commands.push_back(AnyOf(AnyCell()));
      words.push_back(commands.back().words);
      numbers.push_back(Begin({commands.back()}));
    }
    const auto answers = redis_.Pipeline(words);
    for (size_t i = 0; i < commands.size(); ++i) {
      if (answers[i]) {
        End(numbers[i], {commands[i]}, {*answers[i]});
      } else {
        Failed(numbers[i], words[i].front(), answers[i].error());
      }
    }
  }

  std::vector<CellCommand> SomeCommands() {
    std::vector<CellCommand> commands;
    const bool look = random_.Below(3) == 0;
    for (int cell = 0; cell < sim::kCellsPerGroup; ++cell)
      if (look || random_.Below(3) != 0) commands.push_back(look ? Get(Key(cell), cell) : AnyOf(cell));
    if (commands.empty()) commands.push_back(Set(Key(0), 0, NewValue()));
    return commands;
  }
  static std::vector<RedisClient::Words> WordsOf(const std::vector<CellCommand>& commands) {
    std::vector<RedisClient::Words> words;
    for (const CellCommand& command : commands) words.push_back(command.words);
    return words;
  }

  void Together() {
    const std::vector<CellCommand> commands = SomeCommands();
    const size_t number = Begin(commands);
    const auto answers = redis_.Transact(WordsOf(commands));
    if (!answers) return Failed(number, "EXEC", answers.error());
    if (!*answers) return Failed(number, "EXEC", Status(Code::kInternal, "nil, where nothing is watched"));
    End(number, commands, **answers);
  }

  void Script() {
    const int seen = AnyText();
    const int set = seen == 0 ? 1 : 0;
    const std::string value = NewValue();
    const CellCommand command{{"EVAL", kLookAndSet, "2", Key(seen), Key(set), value},
                              {PutOf(set, value)},
                              [&](const RedisValue& answer, auto&) -> Result<std::vector<WritePart>> {
                                return std::vector{Registers::Is(seen, answer.AsText()), PutOf(set, value)};
                              }};
    One(command);
  }

  Result<std::optional<std::string>> Look(int cell) {
    const CellCommand look = Get(Key(cell), cell);
    const size_t number = Begin({look});
    const auto found = redis_.Call(look.words);
    if (!found) {
      Failed(number, "GET", found.error());
      return Error(found.error());
    }
    End(number, {look}, {*found});
    return found->AsText();
  }

  // The transaction's decision depends on the watched value, so either the value is the same when the transaction takes
  // effect, or nothing happens. If the same value was found before WATCH and after it, WATCH met it, too, because
  // values are unique. Then only a later change is a reason for nothing to happen.
  void Watched() {
    const int watched = AnyText();
    const auto before = Look(watched);
    if (!before) return;
    const Status watches = redis_.Watch({Key(watched)});
    if (!watches.ok()) return Ended("WATCH", watches);
    const auto after = Look(watched);
    if (!after) return redis_.Forget();
    const WritePart as_it_was = Registers::Is(watched, *after);
    const std::vector<CellCommand> commands = SomeCommands();
    const size_t number = Begin(commands);
    const auto answers = redis_.Transact(WordsOf(commands));
    if (!answers) return Failed(number, "EXEC", answers.error());
    // To WATCH, a missing key that was created and deleted again is unchanged.
    const bool met = *before == *after;
    if (*answers) return End(number, commands, **answers, met ? std::vector{as_it_was} : std::vector<WritePart>());
    subject_.registers_.End(number, met && *after ? Outcome::kRefused : Outcome::kNotExecuted, {as_it_was});
    Ended("", Status());
  }

  RegistersSubject& subject_;
  const std::string name_;
  int group_ = 0;
  uint64_t values_ = 0;
};

RegistersSubject::RegistersSubject(Setting setting, Options options)
    : setting_(std::move(setting)), options_(options), registers_(options.groups, options.forgets) {}

std::string RegistersSubject::Key(int group, int cell) const {
  static constexpr char kNames[] = {'a', 'b', 'n', 't'};
  return std::string(1, kNames[cell]) + ":{g" + std::to_string(group) + "-" + setting_.round + "}";
}

std::vector<std::string> RegistersSubject::Keys() const {
  std::vector<std::string> keys;
  for (int group = 0; group < options_.groups; ++group) keys.push_back(Key(group, 0));
  return keys;
}

void RegistersSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

Result<std::vector<std::string>> RegistersSubject::Judge() {
  RedisClient redis = JudgesClient(setting_);
  for (int group = 0; group < options_.groups; ++group) {
    for (int cell = 0; cell < sim::kCellsPerGroup; ++cell) {
      sim::Operation last;
      last.client = "judge";
      last.group = group;
      const size_t number = registers_.Begin(last);
      EBLA_ASSIGN(const RedisValue value, redis.Call({"GET", Key(group, cell)}));
      registers_.End(number, Outcome::kOk, {Registers::Is(cell, value.AsText())});
    }
  }
  Registers::Verdict verdict = registers_.Judge();
  forgotten_ = static_cast<size_t>(verdict.forgotten);
  for (std::string& group : verdict.undecided) verdict.problems.push_back("cannot be judged: " + std::move(group));
  return verdict.problems;
}

}  // namespace ebla::chaos
