#include "tests/sim/cluster/network.h"

#include <algorithm>
#include <string_view>

#include "common/rpc/message_codec.h"
#include "idl/ReplicationService.h"

namespace ebla::sim {
namespace {

// The strict binary protocol: four bytes of version and kind, four of the name's length, the method's name.
std::string_view MethodOf(std::string_view message) {
  if (message.size() < 8) return {};
  return message.substr(8, static_cast<unsigned char>(message[7]));
}

bool BeginsCopy(std::string_view message) {
  const auto head = rpc::ParseMessageHead(message);
  idl::CopyRequest request;
  if (!head.has_value()) return false;
  const Result<bool> read = rpc::codec::Read(head->protocol, message.substr(head->body_offset), 1, request);
  return read.has_value() && *read && request.__isset.first;
}

}  // namespace

// ---- chance --------------------------------------------------------------------------------------------------------

Duration Network::Within(Duration most) {
  return Duration(static_cast<int64_t>(scheduler_.Random(static_cast<uint64_t>(std::max<int64_t>(1, most.count())))));
}

bool Network::Chance(double share) {
  return share > 0 && static_cast<double>(scheduler_.Random(1'000'000)) < share * 1'000'000;
}

Duration Network::Delay(const std::string& from, const std::string& to) {
  Duration delay = conditions_.delay_min + Within(conditions_.delay_max - conditions_.delay_min);
  if (const auto slow = slow_.find({from, to}); slow != slow_.end()) delay += slow->second;
  return Chance(conditions_.slow) ? delay + Within(conditions_.slow_max) : delay;
}

void Network::NoteSent(const std::string& from) {
  const auto [first, last] = awaited_.equal_range(from);
  for (auto at = first; at != last;) {
    if (--at->second.left > 0) {
      ++at;
      continue;
    }
    executor_.Post(std::move(at->second.task));
    at = awaited_.erase(at);
  }
}

void Network::NoteOrder(const std::string& method, const rpc::Endpoint& to, const std::string& message) {
  const bool order = method == "configure" || method == "drop" || method == "fence";
  if (!order && !(method == "copy" && BeginsCopy(message))) return;
  std::deque<Order>& sent = sent_to_[{to.host, method}];
  sent.push_back({to, message});
  if (sent.size() > kSentToMax) sent.pop_front();
  if (!order) return;
  orders_.push_back({to, message});
  if (orders_.size() > kOrdersMax) orders_.pop_front();
}

bool Network::Arrives(const rpc::Endpoint& to, const std::string& message) {
  const auto found = nodes_.find(to);
  const std::shared_ptr<Node> target = found == nodes_.end() ? nullptr : found->second.lock();
  if (target == nullptr || target->dead_) return false;
  target->Arrive({}, message, false);
  return true;
}

bool Network::RepeatOrder() {
  if (orders_.empty()) return false;
  const Order& order = orders_[scheduler_.Random(orders_.size())];
  return Arrives(order.to, order.message);
}

bool Network::RepeatTo(const std::string& to, const std::string& method) {
  bool any = false;
  for (const Order& order : sent_to_[{to, method}]) any |= Arrives(order.to, order.message);
  return any;
}

// ---- held back ------------------------------------------------------------------------------------------------------

void Network::SetSlow(const std::string& from, const std::string& to, Duration longer) {
  if (longer > Duration(0)) {
    slow_[{from, to}] = longer;
  } else {
    slow_.erase({from, to});
  }
}

void Network::HoldBack(const std::string& method, const std::string& to, Task held) {
  held_[{method, to}].on_first = std::move(held);
}

void Network::LoseFurther(const std::string& method, const std::string& to) {
  if (const auto held = held_.find({method, to}); held != held_.end()) held->second.keeping = false;
}

void Network::LetGo(const std::string& method, const std::string& to) {
  const auto held = held_.extract({method, to});
  if (held.empty()) return;
  for (const auto& [endpoint, node] : nodes_) {
    if (endpoint.host != to) continue;
    for (const std::string& message : held.mapped().messages) Arrives(endpoint, message);
    return;
  }
}

void Network::MendAll() {
  cut_.clear();
  slow_.clear();
  held_.clear();
}

bool Network::HasCalled(const std::string& from, const std::string& to, MonotonicTime since) const {
  const auto last = called_.find({from, to});
  return last != called_.end() && last->second >= since;
}

bool Network::IsCut(const std::string& from, const std::string& to) {
  if (!cut_.contains({from, to})) return false;
  ++counters_.cut;
  return true;
}

std::shared_ptr<Network::Node> Network::Join(std::string name, rpc::Endpoint endpoint,
                                             const rpc::Dispatcher* dispatcher, testing::SimExecutor& executor) {
  auto node = std::make_shared<Node>(*this, std::move(name), endpoint, dispatcher, executor);
  if (dispatcher != nullptr) nodes_[endpoint] = node;
  return node;
}

// ---- the caller's side ---------------------------------------------------------------------------------------------

class Network::Node::Link final : public rpc::Channel {
 public:
  Link(std::weak_ptr<Node> node, rpc::Endpoint to, Executor& executor)
      : node_(std::move(node)), to_(std::move(to)), executor_(executor) {}

  void Call(rpc::EncodedCall call, Duration timeout, Done done) override {
    if (const auto node = node_.lock()) node->Send(to_, std::move(call), timeout, std::move(done), executor_);
  }

 private:
  const std::weak_ptr<Node> node_;
  const rpc::Endpoint to_;
  Executor& executor_;
};

std::shared_ptr<rpc::Channel> Network::Node::Connect(const rpc::Endpoint& endpoint, Executor& executor) {
  return std::make_shared<Link>(weak_from_this(), endpoint, executor);
}

void Network::Node::Send(const rpc::Endpoint& to, rpc::EncodedCall call, Duration timeout, rpc::Channel::Done done,
                         Executor& executor) {
  if (dead_) return;
  ++network_.counters_.calls;
  network_.NoteSent(name_);
  const uint64_t id = next_call_++;
  Call& sent = calls_[id];
  sent.done = std::move(done);
  sent.executor = &executor;
  sent.timeout = executor.After(timeout, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->Finish(id, Error(Code::kDeadlineExceeded, "no answer in time"));
  });

  const std::string method(MethodOf(call.message));
  network_.called_[{name_, to.host}] = network_.scheduler_.Now();
  network_.NoteOrder(method, to, call.message);
  if (!network_.awaited_.empty()) network_.NoteSent(Called(name_, method, to.host));
  const NetworkConditions& conditions = network_.conditions_;
  const auto found = network_.nodes_.find(to);
  const std::shared_ptr<Node> target = found == network_.nodes_.end() ? nullptr : found->second.lock();
  if (target == nullptr || target->dead_) {
    return FinishLater(id, network_.Delay(name_, to.host), Code::kUnavailable, "connection refused");
  }
  if (network_.IsCut(name_, target->name_)) {
    if (network_.Chance(0.5))
      FinishLater(id, network_.Within(std::chrono::seconds(1)), Code::kUnknownOutcome, "link cut");
    return;
  }
  if (const auto held = network_.held_.find({method, target->name_}); held != network_.held_.end()) {
    if (held->second.keeping) held->second.messages.push_back(std::move(call.message));
    if (held->second.on_first) network_.executor_.Post(std::exchange(held->second.on_first, {}));
    if (network_.Chance(0.5))
      FinishLater(id, network_.Within(std::chrono::seconds(1)), Code::kUnknownOutcome, "connection broken");
    return;
  }
  const Duration delay = network_.Delay(name_, target->name_);
  const Caller caller{weak_from_this(), id, name_, method};
  const auto arrive_after = [&](Duration after, bool answered) {
    network_.executor_.After(after,
                             [target = std::weak_ptr(target), caller, message = call.message, answered]() mutable {
                               const auto node = target.lock();
                               if (node != nullptr) node->Arrive(caller, std::move(message), answered);
                             });
  };
  if (network_.Chance(conditions.lost / 2)) {  // the other half: its answer
    ++network_.counters_.lost;
    if (network_.Chance(0.5)) FinishLater(id, delay, Code::kUnknownOutcome, "connection broken");
    return;
  }
  if (network_.Chance(conditions.late)) {
    ++network_.counters_.late;
    FinishLater(id, delay, Code::kUnknownOutcome, "connection broken");
    return arrive_after(delay + network_.Within(conditions.late_max), false);
  }
  if (network_.Chance(conditions.twice)) {
    ++network_.counters_.twice;
    arrive_after(delay + network_.Within(conditions.late_max), false);
    if (method == "write") {
      // A write that arrives twice is not answered: a refusal of the second arrival would deny the first one's effect.
      FinishLater(id, delay, Code::kUnknownOutcome, "connection broken");
      return arrive_after(delay, false);
    }
  }
  arrive_after(delay, true);
}

void Network::Node::FinishLater(uint64_t call, Duration delay, Code code, const char* why) {
  // From the wire to the process, which may be paused.
  network_.executor_.After(delay, [weak = weak_from_this(), call, code, why] {
    const auto self = weak.lock();
    if (self == nullptr || self->dead_) return;
    const auto waiting = self->calls_.find(call);
    if (waiting == self->calls_.end()) return;
    waiting->second.executor->Post([weak, call, code, why] {
      if (const auto node = weak.lock()) node->Finish(call, Error(code, why));
    });
  });
}

void Network::Node::Finish(uint64_t call, Result<std::string> result) {
  const auto found = calls_.find(call);
  if (dead_ || found == calls_.end()) return;
  Call finished = std::move(found->second);
  calls_.erase(found);
  finished.executor->Cancel(finished.timeout);
  finished.done(std::move(result));
}

// ---- the answering side --------------------------------------------------------------------------------------------

void Network::Node::Arrive(const Caller& caller, std::string message, bool answered) {
  if (dead_) {
    const auto sender = caller.node.lock();
    if (answered && sender != nullptr) {
      sender->FinishLater(caller.call, network_.Delay(name_, caller.name), Code::kUnknownOutcome, "connection reset");
    }
    return;
  }
  const uint64_t work = next_work_++;
  if (answered) work_[work] = caller;
  executor_.Post([weak = weak_from_this(), work, answered, message = std::move(message)] {
    const auto self = weak.lock();
    if (self == nullptr || self->dead_) return;
    self->dispatcher_->Dispatch(message, [weak, work, answered](Result<std::string_view> reply) {
      const auto node = weak.lock();
      if (node == nullptr || node->dead_ || !answered) return;
      const auto taken = node->work_.extract(work);
      if (!taken.empty()) node->Answer(taken.mapped(), reply.has_value() ? std::string(*reply) : std::string());
    });
  });
}

void Network::Node::Answer(const Caller& caller, std::string reply) {
  if (!network_.awaited_.empty()) network_.NoteSent(Answered(name_, caller.method));
  const auto sender = caller.node.lock();
  if (sender == nullptr || network_.IsCut(name_, caller.name)) return;
  const Duration delay = network_.Delay(name_, caller.name);
  if (network_.Chance(network_.conditions_.lost / 2)) {
    ++network_.counters_.lost;
    if (network_.Chance(0.5)) sender->FinishLater(caller.call, delay, Code::kUnknownOutcome, "connection broken");
    return;
  }
  if (reply.empty()) return sender->FinishLater(caller.call, delay, Code::kUnknownOutcome, "not a message");
  network_.executor_.After(delay, [weak = caller.node, call = caller.call, reply = std::move(reply)]() mutable {
    const auto node = weak.lock();
    if (node == nullptr || node->dead_) return;
    const auto waiting = node->calls_.find(call);
    if (waiting == node->calls_.end()) return;
    waiting->second.executor->Post([weak, call, reply = std::move(reply)]() mutable {
      if (const auto present = weak.lock()) present->Finish(call, std::move(reply));
    });
  });
}

void Network::Node::Leave() {
  dead_ = true;
  std::erase_if(network_.awaited_,
                [this](const auto& item) { return item.first == name_ || item.first.starts_with(name_ + " "); });
  for (const auto& [work, caller] : std::exchange(work_, {})) {
    ++network_.counters_.broken;
    const auto sender = caller.node.lock();
    if (sender == nullptr || sender->dead_) continue;
    if (network_.Chance(0.8)) {
      sender->FinishLater(caller.call, network_.Delay(name_, caller.name), Code::kUnknownOutcome, "connection reset");
    }
  }
  calls_.clear();  // their callbacks die with the process
}

}  // namespace ebla::sim
