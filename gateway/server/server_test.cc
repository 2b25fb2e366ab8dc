// The server with a small protocol of its own, over real sockets: each command is a line.
//   say TEXT        answers TEXT          hold KEY TEXT   answers when the test says so
//   big N           answers N bytes       alone TEXT      the same as say, alone
//   last TEXT       as hold, alone, and the connection's last
//   open TEXT       as hold, alone, and holds the input
//   end             ends the connection
#include "gateway/server/server.h"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <sstream>
#include <thread>

#include "common/base/mutex.h"
#include "common/testing/eventually.h"
#include "gateway/server/metrics.h"
#include "gateway/testing/socket_client.h"

namespace ebla::gateway {
namespace {

using ebla::testing::Eventually;

// The commands that wait for the test, of all connections.
class Waiting {
 public:
  // `reply`: sends the text as the command's result.
  void Add(std::move_only_function<void(Reply)> reply, std::string text) {
    MutexLock lock(mutex_);
    held_.push_back({std::move(reply), std::move(text)});
  }
  size_t size() {
    MutexLock lock(mutex_);
    return held_.size();
  }
  void AddSink(std::weak_ptr<Sink> sink) {
    MutexLock lock(mutex_);
    sinks_.push_back(std::move(sink));
  }
  // To all clients, from this thread. How many are there.
  size_t Push(const std::string& text) {
    std::vector<std::weak_ptr<Sink>> sinks;
    {
      MutexLock lock(mutex_);
      sinks = sinks_;
    }
    size_t there = 0;
    for (const auto& weak : sinks) {
      const auto sink = weak.lock();
      if (sink == nullptr) continue;
      sink->Push(std::make_shared<const std::string>(text), nullptr);
      ++there;
    }
    return there;
  }
  // To the last client. How often it was taken.
  size_t Push(const std::string& text, size_t times) {
    std::shared_ptr<Sink> sink;
    {
      MutexLock lock(mutex_);
      sink = sinks_.back().lock();
    }
    size_t taken = 0;
    for (; times > 0 && sink != nullptr; --times)
      taken += sink->Push(std::make_shared<const std::string>(text), nullptr) ? 1 : 0;
    return taken;
  }
  void EndAll() {
    MutexLock lock(mutex_);
    for (const auto& weak : sinks_) {
      if (const auto sink = weak.lock()) sink->End();
    }
  }
  ConnectionVitals LastVitals() {
    MutexLock lock(mutex_);
    const auto sink = sinks_.back().lock();
    return sink == nullptr ? ConnectionVitals() : sink->vitals();
  }
  // From this thread, which is none of the loops'.
  void AnswerLast() {
    Held held;
    {
      MutexLock lock(mutex_);
      held = std::move(held_.back());
      held_.pop_back();
    }
    held.reply({.bytes = held.text + "\n", .last = held.text == "last"});
  }

 private:
  struct Held {
    std::move_only_function<void(Reply)> reply;
    std::string text;
  };
  Mutex mutex_;
  std::deque<Held> held_ EBLA_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Sink>> sinks_ EBLA_GUARDED_BY(mutex_);
};

class LineCommand final : public Command {
 public:
  LineCommand(const std::string& line, Waiting& waiting, std::weak_ptr<Sink> sink)
      : waiting_(waiting), sink_(std::move(sink)) {
    std::istringstream words(line);
    words >> verb_;
    if (verb_ == "hold") {
      keys_.resize(1);
      words >> keys_[0];
      views_ = {keys_[0]};
    }
    words >> text_;
  }

  size_t kind() const override { return 0; }
  std::span<const std::string_view> keys() const override { return views_; }
  bool alone() const override { return verb_ == "alone" || verb_ == "last" || verb_ == "flood" || holds_input(); }
  bool holds_input() const override { return verb_ == "open"; }
  bool ends_connection() const override { return verb_ == "end"; }
  void Run() override {
    if (verb_ == "hold" || verb_ == "last" || verb_ == "open")
      return waiting_.Add([this](Reply reply) { SendReply(std::move(reply)); }, text_);
    if (verb_ == "end") return SendReply({});
    if (verb_ == "flood") {  // of itself
      const auto sink = sink_.lock();
      sink->Push(std::make_shared<const std::string>(std::stoul(text_), 'x'), nullptr);
    }
    if (verb_ == "big") return SendReply({.bytes = std::string(std::stoul(text_), 'x')});
    SendReply({.bytes = text_ + "\n", .hits = 1});
  }

 private:
  Waiting& waiting_;
  const std::weak_ptr<Sink> sink_;
  std::string verb_, text_;
  std::vector<std::string> keys_;
  KeyViews views_;
};

class LineProtocol final : public Protocol {
 public:
  LineProtocol(Waiting& waiting, std::atomic<size_t>& cut, std::weak_ptr<Sink> sink)
      : waiting_(waiting), cut_(cut), sink_(std::move(sink)) {
    waiting.AddSink(sink_);
  }
  Taken Take(std::string_view bytes) override {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return {};
    ++cut_;
    return {.bytes = end + 1,
            .command = std::make_unique<LineCommand>(std::string(bytes.substr(0, end)), waiting_, sink_)};
  }

 private:
  Waiting& waiting_;
  std::atomic<size_t>& cut_;
  const std::weak_ptr<Sink> sink_;
};

class ServerTest : public ::testing::Test {
 protected:
  ~ServerTest() override {
    server_.reset();
    while (waiting_.size() > 0) waiting_.AnswerLast();
    for (auto& loop : loops_) loop->Stop();
  }
  void Start(ServerOptions options = {}, size_t loops = 2) {
    std::vector<rpc::EventLoop*> pointers;
    for (size_t i = 0; i < loops; ++i) {
      loops_.push_back(std::make_unique<rpc::EventLoop>("loop"));
      loops_.back()->Start();
      pointers.push_back(loops_.back().get());
    }
    statistics_.emplace(std::vector<std::string>{"line"}, loops);
    server_.emplace(
        std::move(options),
        [this](rpc::EventLoop&, const std::string&, std::weak_ptr<Sink> sink) {
          return std::make_unique<LineProtocol>(waiting_, cut_, std::move(sink));
        },
        pointers, *statistics_);
    ASSERT_TRUE(server_->Start().ok());
  }
  SocketClient Connect() { return SocketClient(server_->address()); }
  bool AwaitHeld(size_t count) {
    return Eventually([&] { return waiting_.size() == count; });
  }

  Waiting waiting_;
  std::atomic<size_t> cut_ = 0;  // commands
  std::vector<std::unique_ptr<rpc::EventLoop>> loops_;
  std::optional<Statistics> statistics_;
  std::optional<Server> server_;
};

TEST_F(ServerTest, AnswersInTheOrderOfTheCommands) {
  Start();
  SocketClient client = Connect();
  client.Send("hold a one\nsay two\nhold b three\nsay four\n");
  ASSERT_TRUE(AwaitHeld(2));
  waiting_.AnswerLast();
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(19), "one\ntwo\nthree\nfour\n");
}

TEST_F(ServerTest, OneKeyRunsInOrderAndOneThatIsAloneAlone) {
  Start();
  SocketClient client = Connect();
  client.Send("hold a one\nhold a two\nalone three\nsay four\n");
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(4), "one\n");
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(15), "two\nthree\nfour\n");
}

// The reply that lets the command start is the connection's last, and destroys the connection while the command starts.
TEST_F(ServerTest, ACommandMayEndItsConnectionAsItBegins) {
  Start({.pushed_bytes_max = 1 << 20});
  SocketClient client = Connect();
  client.Send("hold a one\nflood 2000000\n");
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_TRUE(client.Ended());
  SocketClient other = Connect();
  other.Send("say on\n");
  EXPECT_EQ(other.Read(3), "on\n");
}

TEST_F(ServerTest, WhatRunsWhenItsConnectionIsClosedEndsLater) {
  Start();
  SocketClient client = Connect();
  client.Send("hold a one\nhold b two\nhold a three\n");
  ASSERT_TRUE(AwaitHeld(2));
  waiting_.EndAll();
  EXPECT_TRUE(client.Ended());
  waiting_.AnswerLast();
  waiting_.AnswerLast();
  SocketClient other = Connect();
  other.Send("say on\n");
  EXPECT_EQ(other.Read(3), "on\n");
  EXPECT_EQ(waiting_.size(), 0u) << "what had not begun does not run";
}

TEST_F(ServerTest, TakesBytesHoweverTheyAreCutUp) {
  Start();
  SocketClient client = Connect();
  for (const char c : std::string("say hello\nsay world\n")) client.Send(std::string(1, c));
  EXPECT_EQ(client.Read(12), "hello\nworld\n");
}

TEST_F(ServerTest, ManyCommandsAtOnceAreAllAnswered) {
  Start();
  SocketClient client = Connect();
  std::string commands, replies;
  for (int i = 0; i < 20'000; ++i) {
    commands += "say " + std::to_string(i) + "\n";
    replies += std::to_string(i) + "\n";
  }
  std::thread sender([&] { client.Send(commands); });
  EXPECT_EQ(client.Read(replies.size()), replies);
  sender.join();
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().in_flight == 0; }));
  EXPECT_EQ(statistics_->Sum().kinds[0].commands, 20'000u);
  EXPECT_EQ(statistics_->Sum().kinds[0].hits, 20'000u);
}

TEST_F(ServerTest, NoMoreThanTheLimitAreInFlight) {
  Start({.in_flight_max = 8});
  SocketClient client = Connect();
  std::string commands;
  for (int i = 0; i < 20; ++i) commands += "hold k" + std::to_string(i) + " x\n";
  client.Send(commands);
  ASSERT_TRUE(AwaitHeld(8));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Eventually([&] { return waiting_.size() > 0; }));
    EXPECT_LE(waiting_.size(), 8u);
    waiting_.AnswerLast();
  }
  EXPECT_EQ(client.Read(40).size(), 40u);
}

TEST_F(ServerTest, OneThatDoesNotReadIsNotReadAndGoes) {
  Start({.held_bytes_max = 1 << 20, .unread_timeout = std::chrono::milliseconds(300)});
  SocketClient idle = Connect(), deaf = Connect();
  std::string commands;
  for (int i = 0; i < 1000; ++i) commands += "big 1000000\n";
  deaf.Send(commands);
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections_broken == 1; }));
  EXPECT_LT(statistics_->Sum().kinds[0].commands, 100u) << "it was not read any more";
  idle.Send("say hello\n");
  EXPECT_EQ(idle.Read(6), "hello\n");
}

// All commands become runnable at the same moment, and run only as the client takes the replies before.
TEST_F(ServerTest, NothingBeginsWhileTooManyRepliesWait) {
  Start({.held_bytes_max = 1 << 20}, 1);
  SocketClient client = Connect();
  std::string commands = "hold a one\nalone two\n";
  for (int i = 0; i < 60; ++i) commands += "big 1000000\n";
  client.Send(commands);
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(8), "one\ntwo\n");
  EXPECT_LT(statistics_->Sum().kinds[0].commands, 40u);
  EXPECT_EQ(client.Read(60'000'000).size(), 60'000'000u);
}

// The oldest has no reply yet, and those of others fill what may be held.
TEST_F(ServerTest, RepliesThatWaitForTheOldestDoNotKeepItFromRunning) {
  Start({.held_bytes_max = 1 << 20}, 1);
  SocketClient client = Connect();
  client.Send("hold a one\nhold a two\nbig 2000000\n");
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(2'000'008).size(), 2'000'008u);
}

TEST_F(ServerTest, WhoHoldsMostGoesWhenAllHoldTooMuch) {
  Start({.buffered_bytes_max = 7 << 20}, 1);
  SocketClient first = Connect(), second = Connect(), third = Connect();
  first.Send("say " + std::string(3 << 20, 'x'));
  ASSERT_TRUE(Eventually([&] { return statistics_->Sum().bytes_in > 3 << 20; }));
  second.Send("say " + std::string(2 << 20, 'y'));
  ASSERT_TRUE(Eventually([&] { return statistics_->Sum().bytes_in > 5 << 20; }));
  EXPECT_EQ(statistics_->Sum().connections_broken, 0u);
  third.Send("say " + std::string(5 << 19, 'z'));
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections_broken == 1; }));
  EXPECT_FALSE(first.Read(1).size() == 1) << "it held most";
  second.Send("\n");
  EXPECT_EQ(second.Read((2 << 20) + 1).size(), size_t{2 << 20} + 1);
  third.Send("\n");
  EXPECT_EQ(third.Read((5 << 19) + 1).size(), size_t{5 << 19} + 1);
}

// Replies that each client would take at once, in one turn of the loop, beside what another one has half sent.
TEST_F(ServerTest, WhatAllHoldWithinATurnOfTheLoopIsBounded) {
  Start({.buffered_bytes_max = 7 << 20}, 1);
  SocketClient half = Connect();
  half.Send("say " + std::string(5 << 20, 'x'));
  ASSERT_TRUE(Eventually([&] { return statistics_->Sum().bytes_in > 5 << 20; }));
  std::deque<SocketClient> clients;
  for (size_t i = 0; i < 4; ++i) {
    clients.emplace_back(server_->address()).Send("hold a " + std::string(1'000'000, 'x') + "\n");
    ASSERT_TRUE(AwaitHeld(i + 1));
  }
  std::promise<void> free;
  loops_[0]->Post([until = free.get_future().share()] { until.wait(); });
  for (size_t i = 0; i < 4; ++i) waiting_.AnswerLast();
  EXPECT_EQ(statistics_->Sum().connections_broken, 0u);
  free.set_value();
  EXPECT_TRUE(half.Ended()) << "it held most";
  for (SocketClient& client : clients) EXPECT_EQ(client.Read(1'000'001).size(), 1'000'001u);
}

TEST_F(ServerTest, RepliesOnTheirWayToABusyLoopAreBounded) {
  Start({.buffered_bytes_max = 7 << 20}, 1);
  std::deque<SocketClient> clients;
  for (size_t i = 0; i < 10; ++i) {
    clients.emplace_back(server_->address()).Send("hold a " + std::string(i == 0 ? 1'000'000 : 2'000'000, 'x') + "\n");
    ASSERT_TRUE(AwaitHeld(i + 1));
  }
  std::promise<void> free;
  loops_[0]->Post([until = free.get_future().share()] { until.wait(); });
  for (size_t i = 0; i < 10; ++i) waiting_.AnswerLast();
  free.set_value();
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections_broken == 6; }));
  for (const size_t i : {9, 8, 7}) EXPECT_EQ(clients[i].Read(2'000'001).size(), 2'000'001u) << "of the first to answer";
  EXPECT_EQ(clients[0].Read(1'000'001).size(), 1'000'001u) << "each may have a megabyte";
}

TEST_F(ServerTest, FurtherConnectionsAreClosed) {
  Start({.connections_max = 2});
  SocketClient first = Connect(), second = Connect();
  first.Send("say a\n");
  second.Send("say b\n");
  EXPECT_EQ(first.Read(2) + second.Read(2), "a\nb\n");
  EXPECT_TRUE(Connect().Ended());
  EXPECT_EQ(statistics_->Sum().connections_refused, 1u);
}

TEST_F(ServerTest, OneTooManyIsToldSo) {
  Start({.connections_max = 1, .refusal = "no room\n"});
  SocketClient first = Connect();
  first.Send("say a\n");
  EXPECT_EQ(first.Read(2), "a\n");
  EXPECT_EQ(Connect().Read(100), "no room\n");
}

TEST_F(ServerTest, OneIsEndedAtOnce) {
  Start();
  SocketClient client = Connect();
  client.Send("say one\nhold a two\n");
  EXPECT_EQ(client.Read(4), "one\n");
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.EndAll();
  EXPECT_TRUE(client.Ended());
  waiting_.AnswerLast();
}

TEST_F(ServerTest, NothingRunsBehindALastReply) {
  Start();
  for (const std::string begin : {"say one\n", "hold a one\n"}) {
    SocketClient client = Connect();
    client.Send(begin + "last last\n" + "hold b two\nsay three\n");
    if (begin.starts_with("hold")) {
      ASSERT_TRUE(AwaitHeld(1));
      waiting_.AnswerLast();
    }
    ASSERT_TRUE(AwaitHeld(1));
    client.Send("say four\n");
    waiting_.AnswerLast();
    EXPECT_EQ(client.Read(100), "one\nlast\n");
    EXPECT_EQ(waiting_.size(), 0u);
  }
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections == 0; }));
  EXPECT_EQ(statistics_->Sum().in_flight, 0u);
}

TEST_F(ServerTest, WhatIsBehindOneThatHoldsTheInputIsCutOnceItHasAnswered) {
  Start({}, 1);
  SocketClient client = Connect();
  client.Send("say one\nopen two\n");
  ASSERT_TRUE(AwaitHeld(1));
  EXPECT_EQ(client.Read(4), "one\n");
  std::string more;
  for (int i = 0; i < 100'000; ++i) more += "say x\n";
  std::thread sender([&] { client.Send(more); });
  EXPECT_EQ(cut_, 2u);
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(200'004).size(), 200'004u);
  sender.join();
  client.Send("open two\nsay three\n");
  client.EndSending();
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(100), "two\nthree\n") << "also when the client sends no more";
}

TEST_F(ServerTest, AConnectionSaysWhatItHolds) {
  Start();
  SocketClient client = Connect();
  client.Send("say a\nhalf");
  EXPECT_EQ(client.Read(2), "a\n");
  EXPECT_TRUE(Eventually([&] { return waiting_.LastVitals().read_bytes == 4; }));
  EXPECT_EQ(waiting_.LastVitals().local, server_->address().ToString());
  EXPECT_GT(waiting_.LastVitals().fd, 0);
}

TEST_F(ServerTest, OneThatAsksForItsEndGetsItsReplies) {
  Start();
  SocketClient client = Connect();
  client.Send("hold a one\nend\nsay never\n");
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(100), "one\n");
}

TEST_F(ServerTest, AConnectionMayGoBeforeItsAnswers) {
  Start();
  {
    SocketClient client = Connect();
    client.Send("hold a one\nhold a two\nhold b three\n");
    ASSERT_TRUE(AwaitHeld(2));
  }
  waiting_.AnswerLast();
  waiting_.AnswerLast();
  ASSERT_TRUE(AwaitHeld(1)) << "the second one of a runs";
  waiting_.AnswerLast();
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections == 0; }));
  EXPECT_EQ(statistics_->Sum().in_flight, 0u);
}

// It has said all that it has to say, and waits for the answers.
TEST_F(ServerTest, WhatCameBeforeTheEndOfTheStreamIsAnswered) {
  Start({.in_flight_max = 2});
  SocketClient client = Connect();
  client.Send("hold a one\nhold a two\nsay three\nsay four\nsay half");
  client.EndSending();
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  ASSERT_TRUE(AwaitHeld(1));
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(100), "one\ntwo\nthree\nfour\n") << "and then it ends";
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections == 0; }));
}

// It is gone, also for replies: what it has sent still runs.
TEST_F(ServerTest, WhatCameFromOneThatIsGoneRuns) {
  Start({.in_flight_max = 2});
  {
    SocketClient client = Connect();
    std::string commands = "hold a one\n";
    for (int i = 0; i < 300; ++i) commands += "big 100000\n";
    client.Send(commands);
    ASSERT_TRUE(Eventually([&] { return statistics_->Sum().bytes_in == commands.size(); }));
    client.ResetOnClose();
  }
  waiting_.AnswerLast();
  EXPECT_TRUE(Eventually([&] { return statistics_->Sum().connections == 0; }));
  EXPECT_EQ(statistics_->Sum().kinds[0].commands, 301u);
  EXPECT_EQ(statistics_->Sum().bytes_out, 0u);
}

TEST_F(ServerTest, WhatIsPushedComesWholeAndAfterTheRepliesThatThereAre) {
  Start();
  SocketClient client = Connect();
  client.Send("say one\nhold a three\n");
  ASSERT_TRUE(AwaitHeld(1));
  EXPECT_EQ(waiting_.Push("two\n"), 1u);
  EXPECT_EQ(client.Read(8), "one\ntwo\n");
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(6), "three\n");
  std::string all;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = std::to_string(i) + "\n";
    waiting_.Push(text);
    all += text;
  }
  EXPECT_EQ(client.Read(all.size()), all);
}

TEST_F(ServerTest, WhoTakesItsMessagesTooSlowlyGoes) {
  Start({.pushed_bytes_max = 1 << 20, .pushed_bytes_soft = 1 << 20});
  SocketClient deaf = Connect(), idle = Connect();
  deaf.Send("say a\n");
  idle.Send("say b\n");
  EXPECT_EQ(deaf.Read(2) + idle.Read(2), "a\nb\n");
  const std::string text(100'000, 'x');
  size_t taken = 0;
  const auto one_has_gone = [&] {
    waiting_.Push(text);
    taken += idle.Read(text.size()).size();
    return statistics_->Sum().connections_broken == 1;
  };
  EXPECT_TRUE(Eventually(one_has_gone));
  EXPECT_EQ(taken % text.size(), 0u);
  EXPECT_TRUE(Eventually([&] { return waiting_.Push("") == 1; }));
  waiting_.Push("end\n");
  EXPECT_EQ(idle.Read(4), "end\n");
}

// A busy loop takes nothing, so the bytes that other threads send to it are bounded on their way.
TEST_F(ServerTest, WhatIsOnItsWayToABusyLoopIsBounded) {
  Start({.pushed_bytes_max = 1 << 20}, 1);
  SocketClient client = Connect();
  client.Send("say a\n");
  EXPECT_EQ(client.Read(2), "a\n");
  std::promise<void> free;
  loops_[0]->Post([until = free.get_future().share()] { until.wait(); });
  const std::string text(100'000, 'x');
  EXPECT_EQ(waiting_.Push(text, 1'000), 10u) << "a megabyte";
  EXPECT_EQ(waiting_.Push(text, 1), 0u);
  free.set_value();
  EXPECT_TRUE(Eventually([&] { return waiting_.Push("", 1) == 0 && statistics_->Sum().connections_broken == 1; }));
}

TEST_F(ServerTest, ALittleTooSlowIsBorneForAWhile) {
  Start(
      {.pushed_bytes_max = 64 << 20, .pushed_bytes_soft = 1 << 16, .pushed_soft_for = std::chrono::milliseconds(300)});
  SocketClient deaf = Connect();
  deaf.Send("say a\n");
  EXPECT_EQ(deaf.Read(2), "a\n");
  const auto began = std::chrono::steady_clock::now();
  waiting_.Push(std::string(16 << 20, 'x'));
  EXPECT_TRUE(Eventually([&] { return waiting_.Push("y") == 0; }));
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(300));
  EXPECT_EQ(statistics_->Sum().connections_broken, 1u);
}

TEST_F(ServerTest, StopLetsWhatIsInFlightEnd) {
  Start();
  SocketClient client = Connect(), idle = Connect();
  client.Send("hold a one\n");
  ASSERT_TRUE(AwaitHeld(1));
  std::thread stopper([&] { server_->Stop(std::chrono::seconds(20)); });
  EXPECT_TRUE(idle.Ended());
  waiting_.AnswerLast();
  EXPECT_EQ(client.Read(100), "one\n");
  stopper.join();
}

TEST_F(ServerTest, MetricsSayWhatWasCounted) {
  Start();
  SocketClient client = Connect();
  client.Send("say a\n");
  EXPECT_EQ(client.Read(2), "a\n");
  const Metrics metrics({{"lines", &*statistics_}});
  std::map<std::string, double> values;
  for (const auto& family : metrics.Collect()) {
    if (family.metric.empty()) continue;
    values[family.name] =
        family.type == prometheus::MetricType::Counter ? family.metric[0].counter.value : family.metric[0].gauge.value;
    if (family.name == "ebla_gateway_command_seconds") values[family.name] = family.metric[0].histogram.sample_count;
  }
  EXPECT_EQ(values["ebla_gateway_connections"], 1);
  EXPECT_EQ(values["ebla_gateway_commands_total"], 1);
  EXPECT_EQ(values["ebla_gateway_hits_total"], 1);
  EXPECT_EQ(values["ebla_gateway_command_seconds"], 1);
  EXPECT_EQ(values["ebla_gateway_received_bytes_total"], 6);
}

TEST_F(ServerTest, WhatAlertsLookAtIsThereBeforeItsFirstUse) {
  Start();
  std::map<std::string, std::vector<double>> values;
  for (const auto& family : Metrics({{"lines", &*statistics_}}).Collect()) {
    for (const auto& metric : family.metric) values[family.name].push_back(metric.counter.value);
  }
  EXPECT_EQ(values["ebla_gateway_commands_total"], std::vector{0.0});
  EXPECT_EQ(values["ebla_gateway_errors_total"], std::vector{0.0});
  EXPECT_FALSE(values.contains("ebla_gateway_hits_total"));
  EXPECT_FALSE(values.contains("ebla_gateway_command_seconds"));
}

}  // namespace
}  // namespace ebla::gateway
