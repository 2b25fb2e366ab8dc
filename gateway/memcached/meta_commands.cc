#include "gateway/memcached/meta_commands.h"

#include <optional>
#include <utility>

#include "functions/memcached/numbers.h"
#include "gateway/memcached/operations.h"
#include "gateway/store/items.h"

namespace ebla::gateway::memcached {
namespace {

class MetaCommand : public CacheCommand {
 public:
  using CacheCommand::CacheCommand;

 protected:
  const MetaFlags& flags() const { return request_.meta; }
  Workplace at() const { return {environment_.store, executor_, until_}; }

  // Returns k and O as the client sent them.
  void Echo(const MetaFlags::Flag& flag, std::string& line) const {
    if (flag.name == 'O') line.append(" O").append(flag.token);
    if (flag.name != 'k') return;
    line.append(" k").append(request_.key_as_sent);
    if (flags().base64) line.append(" b");
  }
  std::string WithEcho(std::string_view code) const {
    std::string line(code);
    for (const MetaFlags::Flag& flag : flags().all) Echo(flag, line);
    return line;
  }
  // The life of an item that this command creates. N allows the creation; the later one of N and T sets the life.
  std::optional<int64_t> CreatedTtl() const { return flags().InOrder('N', 'T') ? flags().new_ttl : flags().vivify_ttl; }
  // Appends the values of the flags, in their order, and of the finding only those in `shown`. A t sees the changes of
  // a T or N before it.
  void AppendAsked(std::string_view shown, const Finding& found, std::string& line) const {
    const int64_t now_ms = environment_.store.NowMs();
    std::optional<int64_t> expires_ms = found.expires_ms;
    for (const MetaFlags::Flag& flag : flags().all) {
      Echo(flag, line);
      if (flag.name == 'T') expires_ms = ExpiresMs(*flags().new_ttl, now_ms);
      if (flag.name == 'N' && found.created) expires_ms = ExpiresMs(*flags().vivify_ttl, now_ms);
      switch (shown.contains(flag.name) ? flag.name : 0) {
        case 's': line.append(" s").append(std::to_string(found.size)); break;
        case 'f': line.append(" f").append(std::to_string(found.flags)); break;
        case 'c': line.append(" c").append(std::to_string(CasOf(found.version).value_or(0))); break;
        case 't': line.append(" t").append(std::to_string(SecondsLeft(expires_ms, now_ms))); break;
        default: break;
      }
    }
  }
  // Answers unless the command is quiet.
  void AnswerQuietly(std::string_view line, Reply reply) {
    if (!flags().quiet) return AnswerLine(line, std::move(reply));
    AnswerBytes(std::move(reply));
  }
};

class MetaGetCommand final : public MetaCommand {
 public:
  using MetaCommand::MetaCommand;

 protected:
  void Begin() override {
    ItemOrder order{.verb = ItemOrder::Verb::kLook,
                    .new_ttl = flags().new_ttl,
                    .created_ttl = CreatedTtl(),
                    .recache_ttl = flags().recache_ttl,
                    .recache_by_new_ttl = flags().InOrder('T', 'R'),
                    .value_wanted = flags().value};
    if (order.new_ttl) return Look(std::move(order));
    // A get that may change something must see whether another client has won or created the item.
    const Freshness freshness = order.created_ttl || order.recache_ttl ? Freshness::kLatest : Freshness::kAsConfigured;
    environment_.store.Get(
        request_.keys[0], freshness, until_, [this, order = std::move(order)](Result<Record> record) mutable {
          Result<std::optional<FoundItem>> found = ItemIn(std::move(record));
          if (!found.has_value()) return Fail(found.error());
          Finding finding;
          const ItemStep step = Decide(order, environment_.store.NowMs(), *std::move(found), finding);
          if (step.kind == ItemStep::Kind::kNothing) return Answer(finding);
          Look(std::move(order));
        });
  }

 private:
  void Look(ItemOrder order) {
    Change(std::move(order), [this](Finding found) { Answer(found); });
  }
  void Answer(const Finding& found) {
    if (found.outcome == Outcome::kNotFound) return AnswerQuietly(WithEcho("EN"), {.misses = 1});
    if (flags().Has('c') && !CasOf(found.version))
      return Fail({Code::kInternal, "the version " + found.version.ToString() + " does not fit into a cas number"});
    std::string line = flags().value ? "VA " + std::to_string(found.value.size()) : "HD";
    AppendAsked("sfct", found, line);
    if (found.sent_before) line.append(" Z");
    if (found.stale) line.append(" X");
    if (found.won) line.append(" W");
    Reply reply{.hits = found.created ? 0u : 1u, .misses = found.created ? 1u : 0u};
    if (flags().value) line.append("\r\n").append(found.value);
    AnswerLine(line, std::move(reply));
  }
};

class MetaSetCommand final : public MetaCommand {
 public:
  using MetaCommand::MetaCommand;

 protected:
  void Begin() override {
    StoreOrder order{.key = request_.keys[0],
                     .value = std::move(request_.value),
                     .flags = request_.flags,
                     .exptime = request_.exptime,
                     .mode = Mode(),
                     .cas = flags().cas,
                     .accept_older = flags().invalidate};
    StoreItem(at(), std::move(order), [this](Result<Stored> stored) {
      if (!stored.has_value()) return Fail(stored.error());
      Answer(*stored);
    });
  }

 private:
  StoreMode Mode() const {
    switch (flags().mode) {
      case 'E':
      case 'e': return StoreMode::kAdd;
      case 'A':
      case 'a': return StoreMode::kAppend;
      case 'P':
      case 'p': return StoreMode::kPrepend;
      case 'R':
      case 'r': return StoreMode::kReplace;
      default: return StoreMode::kSet;
    }
  }
  void Answer(const Stored& stored) {
    const std::optional<uint64_t> cas = CasOf(stored.version);
    std::string line = stored.outcome == Outcome::kExists      ? "EX"
                       : stored.outcome == Outcome::kNotFound  ? "NF"
                       : stored.outcome == Outcome::kNotStored ? "NS"
                                                               : "HD";
    for (const MetaFlags::Flag& flag : flags().all) {
      if (flag.name == 'c') line.append(" c").append(std::to_string(cas.value_or(0)));
      Echo(flag, line);
    }
    if (stored.outcome == Outcome::kDone) return AnswerQuietly(line, {.hits = 1});
    AnswerLine(line, {.misses = 1});
  }
};

class MetaDeleteCommand final : public MetaCommand {
 public:
  using MetaCommand::MetaCommand;

 protected:
  void Begin() override {
    if (flags().invalidate) {
      return Change({.verb = ItemOrder::Verb::kInvalidate, .cas = flags().cas, .new_ttl = flags().new_ttl},
                    [this](Finding found) { Answer(found.outcome); });
    }
    RemoveItem(at(), request_.keys[0], flags().cas,
               [this](Result<Outcome> outcome) { outcome.has_value() ? Answer(*outcome) : Fail(outcome.error()); });
  }

 private:
  void Answer(Outcome outcome) {
    if (outcome == Outcome::kNotFound) return AnswerLine(WithEcho("NF"), {.misses = 1});
    if (outcome == Outcome::kExists) return AnswerLine(WithEcho("EX"));
    AnswerQuietly(WithEcho("HD"), {.hits = 1});
  }
};

class MetaArithmeticCommand final : public MetaCommand {
 public:
  using MetaCommand::MetaCommand;

 protected:
  void Begin() override {
    const char mode = flags().mode;
    ItemOrder order{.verb = mode == 'D' || mode == '-' ? ItemOrder::Verb::kDecrement : ItemOrder::Verb::kIncrement,
                    .delta = flags().delta.value_or(1),
                    .initial = flags().initial.value_or(0),
                    .cas = flags().cas == 0 ? std::nullopt : flags().cas,
                    .new_ttl = flags().new_ttl,
                    .created_ttl = CreatedTtl()};
    Change(std::move(order), [this](Finding counted) { Answer(counted); });
  }

 private:
  void Answer(const Finding& counted) {
    if (counted.outcome == Outcome::kNotFound) return AnswerLine(WithEcho("NF"), {.misses = 1});
    if (counted.outcome == Outcome::kExists) return AnswerLine(WithEcho("EX"));
    if (counted.outcome != Outcome::kDone)
      return AnswerError("CLIENT_ERROR cannot increment or decrement non-numeric value");
    const std::string number = std::to_string(counted.number);
    std::string line = flags().value ? "VA " + std::to_string(number.size()) : "HD";
    AppendAsked("ct", counted, line);
    if (flags().value) line.append("\r\n").append(number);
    if (counted.created) return AnswerLine(line, {.misses = 1});
    AnswerQuietly(line, {.hits = 1});
  }
};

class MetaDebugCommand final : public MetaCommand {
 public:
  using MetaCommand::MetaCommand;

 protected:
  void Begin() override {
    environment_.store.Get(request_.keys[0], Freshness::kAsConfigured, until_, [this](Result<Record> record) {
      const Result<std::optional<FoundItem>> found = ItemIn(std::move(record));
      if (!found.has_value()) return Fail(found.error());
      if (!found->has_value()) return AnswerLine("EN", {.misses = 1});
      const FoundItem& item = **found;
      const int64_t left = SecondsLeft(item.expires_ms, environment_.store.NowMs());
      AnswerLine("ME " + request_.key_as_sent + " exp=" + std::to_string(left) +
                     " cas=" + std::to_string(CasOf(item.version).value_or(0)) +
                     " size=" + std::to_string(request_.keys[0].size() + item.item.value.size()),
                 {.hits = 1});
    });
  }
};

}  // namespace

std::unique_ptr<Command> MakeMetaCommand(Environment& environment, Executor& executor, Request request) {
  switch (request.verb) {
    case Verb::kMetaGet: return std::make_unique<MetaGetCommand>(environment, executor, std::move(request));
    case Verb::kMetaSet: return std::make_unique<MetaSetCommand>(environment, executor, std::move(request));
    case Verb::kMetaDelete: return std::make_unique<MetaDeleteCommand>(environment, executor, std::move(request));
    case Verb::kMetaArithmetic:
      return std::make_unique<MetaArithmeticCommand>(environment, executor, std::move(request));
    default: return std::make_unique<MetaDebugCommand>(environment, executor, std::move(request));
  }
}

}  // namespace ebla::gateway::memcached
