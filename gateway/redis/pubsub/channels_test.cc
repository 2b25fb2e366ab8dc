// The cost of one message, however many patterns it matches and however little its subscribers take.
#include "gateway/redis/pubsub/channels.h"

#include <gtest/gtest.h>

namespace ebla::gateway::redis {
namespace {

// Takes so many bytes, and then nothing more.
struct SmallSink final : Sink {
  bool Push(std::shared_ptr<const std::string> more, Wanted) override {
    for (const auto& before : pushed) kept += before.expired() ? 0 : 1;
    pushed.push_back(more);
    bytes += more->size();
    return bytes <= bytes_max;
  }
  void End() override {}
  ConnectionVitals vitals() const override { return {}; }

  size_t bytes_max = 32 << 20;
  size_t bytes = 0;
  std::vector<std::weak_ptr<const std::string>> pushed;
  size_t kept = 0;  // frames that still existed when the next one arrived
};

class ChannelsTest : public ::testing::Test {
 protected:
  // With as many and as long names as one connection may have.
  void ListenToPatterns(const std::shared_ptr<SmallSink>& sink, size_t count) {
    auto subscriber = std::make_shared<Subscriber>();
    subscriber->sink = sink;
    for (size_t i = 0; i < count; ++i)
      channels_.Add(ChannelKind::kPattern, "*" + std::string(i % 200, '?') + std::string(i / 200, '*'), subscriber);
  }

  Channels channels_;
  const std::shared_ptr<SmallSink> slow_ = std::make_shared<SmallSink>(), other_ = std::make_shared<SmallSink>();
};

TEST_F(ChannelsTest, AMessageIsMadeForOnePatternAfterTheOtherAndNotForWhoTakesNoMore) {
  ListenToPatterns(slow_, 40'000);
  ListenToPatterns(other_, 3);
  const std::string channel(200, 'c'), message(1 << 20, 'm');
  EXPECT_EQ(channels_.Deliver(ChannelKind::kChannel, channel, message), 31 + 3);
  EXPECT_EQ(slow_->pushed.size(), 32u);
  EXPECT_EQ(other_->pushed.size(), 3u);
  EXPECT_EQ(slow_->kept + other_->kept, 0u);
  EXPECT_EQ(channels_.Reached(ChannelKind::kChannel, channel), 40'003);
}

TEST_F(ChannelsTest, EveryNameAndPatternIsFoundOnce) {
  ListenToPatterns(slow_, 1'000);
  const auto subscriber = std::make_shared<Subscriber>();
  for (const char* name : {"", "a", "b"}) channels_.Add(ChannelKind::kChannel, name, subscriber);
  channels_.Add(ChannelKind::kPattern, "", subscriber);
  EXPECT_EQ(channels_.Names(ChannelKind::kChannel, "*"), (std::vector<std::string>{"", "a", "b"}));
  EXPECT_EQ(channels_.Names(ChannelKind::kPattern, "*")->size(), 1'001u);
  EXPECT_EQ(channels_.Reached(ChannelKind::kChannel, ""), 1 + 1 + 5) << "its own, the empty one, and those of stars";
}

TEST_F(ChannelsTest, AMessageIsNotHeldUpByPatternsThatTakeLong) {
  const std::string as(4'000, 'a');
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->sink = other_;
  for (int i = 0; i < 2'000; ++i)
    channels_.Add(ChannelKind::kPattern, "*" + as.substr(2'000) + std::to_string(i), subscriber);
  channels_.Add(ChannelKind::kPattern, "*aaa*", subscriber);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(channels_.Deliver(ChannelKind::kChannel, as, "m"), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_FALSE(channels_.Names(ChannelKind::kPattern, "*" + as + "b"));
}

}  // namespace
}  // namespace ebla::gateway::redis
