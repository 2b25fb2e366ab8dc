#include "tests/chaos/gateways/bank_subject.h"

#include <map>
#include <utility>

namespace ebla::chaos {
namespace {

constexpr char kTransfer[] =
    "local number = redis.call('incr', KEYS[1]) local from = redis.call('decrby', KEYS[2], ARGV[1]) "
    "local to = redis.call('incrby', KEYS[3], ARGV[1]) redis.call('set', KEYS[4], number) return {number, from, to}";
constexpr char kState[] =
    "local all = {} for i = 1, #KEYS do all[i] = tonumber(redis.call('get', KEYS[i]) or '0') end return all";

Result<std::vector<int64_t>> Numbers(const std::vector<RedisValue>& values) {
  std::vector<int64_t> numbers;
  for (const RedisValue& value : values) {
    EBLA_ASSIGN(const int64_t number, value.AsNumber());
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

class BankSubject::Client final : public Caller {
 public:
  Client(BankSubject& subject, int number)
      : Caller(subject.setting_, 200 + static_cast<uint64_t>(number)),
        subject_(subject),
        name_("m" + std::to_string(number)),
        marks_(subject.banks_.size()) {}

 protected:
  void Ask() override {
    bank_ = static_cast<size_t>(random_.Below(subject_.banks_.size()));
    const uint64_t choice = random_.Below(100);
    if (choice < 20) return State(choice < 12);
    if (choice < 30) return ReadOne();
    Draw();
    if (choice < 55) return Transact({});
    if (choice < 75) return Watched();
    return Script();
  }

 private:
  // A mark of this client at a bank. Its key is another one after each transfer of unknown outcome.
  struct Mark {
    int generation = 0;
    int64_t last = 0;
  };

  Transfers& transfers() { return *subject_.banks_[bank_]; }
  std::string Key(const std::string& name) const { return subject_.Key(bank_, name); }
  std::string Account(int account) const { return subject_.Account(bank_, account); }

  void Draw() {
    transfer_ = {};
    transfer_.mark = name_ + "." + std::to_string(marks_[bank_].generation);
    transfer_.from = static_cast<int>(random_.Below(kAccounts));
    transfer_.to = (transfer_.from + 1 + static_cast<int>(random_.Below(kAccounts - 1))) % kAccounts;
    transfer_.amount = 1 + static_cast<int64_t>(random_.Below(100));
  }

  // `answers`: its number, and the balances of its two accounts after it.
  void Done(const char* what, const Result<std::vector<int64_t>>& answers) {
    transfer_.span.returned = NextEvent();
    if (answers) {
      transfer_.number = (*answers)[0];
      transfer_.from_after = (*answers)[1];
      transfer_.to_after = (*answers)[2];
      marks_[bank_].last = transfer_.number;
      transfers().Done(transfer_);
    } else if (!NothingHappened(answers.error())) {
      transfers().Unknown(transfer_, marks_[bank_].last);
      marks_[bank_] = {marks_[bank_].generation + 1, 0};
    }
    Ended(what, answers ? Status() : answers.error());
  }

  void Transact(std::optional<int64_t> from_before) {
    transfer_.from_before = from_before;
    const std::string amount = std::to_string(transfer_.amount);
    transfer_.span.invoked = NextEvent();
    const auto answers = redis_.Transact({{"INCR", Key("n")},
                                          {"DECRBY", Account(transfer_.from), amount},
                                          {"INCRBY", Account(transfer_.to), amount},
                                          {"COPY", Key("n"), Key(transfer_.mark), "REPLACE"}});
    if (!answers) return Done("EXEC", Error(answers.error()));
    if (*answers) return Done("EXEC", Numbers(**answers));
    Ended("EXEC", from_before ? Status() : Status(Code::kInternal, "nil, where nothing is watched"));
  }

  // Decided on a balance, as one would that must not become negative.
  void Watched() {
    if (const Status watches = redis_.Watch({Account(transfer_.from)}); !watches.ok()) return Ended("WATCH", watches);
    const Result<int64_t> balance = Read(transfer_.from);
    if (!balance) return redis_.Forget();
    Transact(*balance);
  }

  void Script() {
    transfer_.span.invoked = NextEvent();
    const auto answer = redis_.Call({"EVAL", kTransfer, "4", Key("n"), Account(transfer_.from), Account(transfer_.to),
                                     Key(transfer_.mark), std::to_string(transfer_.amount)});
    if (!answer) return Done("EVAL", Error(answer.error()));
    auto numbers = Numbers(answer->elements);
    if (numbers && numbers->size() != 3) numbers = Error(Code::kInternal, "the script answers otherwise");
    Done("EVAL", numbers);
  }

  void State(bool by_script) {
    RedisClient::Words keys = {Key("n")};
    for (int i = 0; i < kAccounts; ++i) keys.push_back(Account(i));
    Statement statement;
    statement.span.invoked = NextEvent();
    const Result<std::vector<int64_t>> numbers = by_script ? StateByScript(keys) : StateByMulti(keys);
    statement.span.returned = NextEvent();
    if (numbers && numbers->size() == keys.size()) {
      statement.number = numbers->front();
      statement.balances.assign(numbers->begin() + 1, numbers->end());
      transfers().Stated(std::move(statement));
    }
    // Nothing has happened either way.
    Ended("statement", numbers ? Status() : numbers.error());
  }
  Result<std::vector<int64_t>> StateByScript(const RedisClient::Words& keys) {
    RedisClient::Words words = {"EVAL", kState, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    EBLA_ASSIGN(const RedisValue answer, redis_.Call(words));
    return Numbers(answer.elements);
  }
  Result<std::vector<int64_t>> StateByMulti(const RedisClient::Words& keys) {
    RedisClient::Words words = {"MGET"};
    words.insert(words.end(), keys.begin(), keys.end());
    EBLA_ASSIGN(const auto answers, redis_.Transact({words}));
    if (!answers) return Error(Code::kInternal, "nil, where nothing is watched");
    return Numbers(answers->front().elements);
  }

  void ReadOne() { (void)Read(static_cast<int>(random_.Below(kAccounts))); }
  Result<int64_t> Read(int account) {
    AccountRead read{.span = {NextEvent()}, .account = account};
    const auto answer = redis_.Call({"GET", Account(account)});
    read.span.returned = NextEvent();
    const Result<int64_t> balance = answer ? answer->AsNumber() : Error(answer.error());
    Ended("GET", balance ? Status() : balance.error());
    if (!balance) return balance;
    read.balance = *balance;
    transfers().Read(read);
    return balance;
  }

  BankSubject& subject_;
  const std::string name_;
  std::vector<Mark> marks_;
  size_t bank_ = 0;
  Transfer transfer_;
};

BankSubject::BankSubject(Setting setting, Options options) : setting_(std::move(setting)), options_(options) {
  for (int i = 0; i < options_.banks; ++i) banks_.push_back(std::make_unique<Transfers>(kAccounts));
}

std::string BankSubject::Key(size_t bank, const std::string& name) const {
  return name + ":{bank" + std::to_string(bank) + "-" + setting_.round + "}";
}

std::vector<std::string> BankSubject::Keys() const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < banks_.size(); ++i) keys.push_back(Key(i, "n"));
  return keys;
}

size_t BankSubject::told() const {
  size_t sum = 0;
  for (const auto& transfers : banks_) sum += transfers->done();
  return sum;
}

void BankSubject::Enlist() {
  for (int i = 0; i < options_.clients; ++i) setting_.workers.Add(std::make_unique<Client>(*this, i));
}

Result<std::vector<std::string>> BankSubject::Judge() {
  RedisClient redis = JudgesClient(setting_);
  const auto number = [&](const std::string& key) -> Result<int64_t> {
    EBLA_ASSIGN(const RedisValue value, redis.Call({"GET", key}));
    return value.AsNumber();
  };
  std::vector<std::string> problems;
  for (size_t bank = 0; bank < banks_.size(); ++bank) {
    Statement last;
    last.span = {NextEvent(), NextEvent()};
    EBLA_ASSIGN(last.number, number(Key(bank, "n")));
    for (int account = 0; account < kAccounts; ++account) {
      EBLA_ASSIGN(const int64_t balance, number(Account(bank, account)));
      last.balances.push_back(balance);
    }
    std::map<std::string, int64_t> marks;
    for (const std::string& mark : banks_[bank]->OpenMarks()) {
      EBLA_ASSIGN(marks[mark], number(Key(bank, mark)));
    }
    for (const std::string& problem : banks_[bank]->Judge(last, marks))
      problems.push_back(Key(bank, "n") + ": " + problem);
  }
  return problems;
}

}  // namespace ebla::chaos
