#include "common/coordination/election.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/coordination/rounds.h"
#include "common/rpc/idl_convert.h"
#include "idl/master_types.h"

namespace ebla::coordination {
namespace {

constexpr Duration kRetryDelay = std::chrono::milliseconds(200);
constexpr size_t kNumberDigits = 10;

// Orders election nodes by their number, which follows a prefix drawn at random.
bool ByNumber(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& name) {
    return name.size() < kNumberDigits ? std::string_view(name)
                                       : std::string_view(name).substr(name.size() - kNumberDigits);
  };
  return number(a) < number(b);
}

Candidate FromIdl(const std::string& name, const idl::Endpoint& endpoint) {
  return {.name = name, .endpoint = {endpoint.host, static_cast<uint16_t>(endpoint.port)}};
}

}  // namespace

// A round looks at the election nodes and acts on what it finds.
class LeaderElection::Impl : public Rounds<Impl> {
 public:
  Impl(Coordinator& coordinator, Executor& executor, Candidate self, std::function<void(const Role&)> on_role)
      : Rounds(coordinator, executor), self_(std::move(self)), on_role_(std::move(on_role)) {}

  void Start() {
    EnsurePath(coordinator_, layout::kElection, [](Status) {});  // a round tries again
    Rounds::Start();
  }

  void RaiseAbove(uint64_t term);
  void Resign(std::function<void()> done);
  const Role& role() const { return role_; }
  const Leading* leading() const { return std::get_if<Leading>(&role_); }

 private:
  friend Rounds;

  void OnSession(SessionState state);
  void Round();
  void Retry(const Status& why);
  void Look(std::vector<std::string> names);
  void Enter();
  void Follow(const std::string& predecessor);
  void ReadLeader();
  void Lead(const std::string& own_path);
  void Raise(const std::string& own_path, const Result<Node>& present);
  void HoldTerm(const std::string& own_path, Leading leading);
  void SetRole(Role role);

  const Candidate self_;
  const std::function<void(const Role&)> on_role_;
  Role role_ = Following{};
  std::string guid_;      // begins the name of this session's election node; empty: no session
  std::string own_path_;  // of the election node, once seen
  uint64_t floor_ = 0;    // terms up to here are used, even if the coordinator does not know them
};

void LeaderElection::Impl::OnSession(SessionState state) {
  if (state == SessionState::kExpired) {
    EndRound();
    guid_.clear();
    own_path_.clear();
    SetRole(Following{});
  } else if (state == SessionState::kConnected && (guid_.empty() || !leading())) {
    Round();
  }
  // Connected again and leading: nothing was lost. Watches tell if it was.
}

void LeaderElection::Impl::Round() {
  EndRound();
  if (coordinator_.session() == 0) return;  // OnSession begins one
  if (guid_.empty()) {
    char guid[20];
    std::snprintf(guid, sizeof guid, "%016llx", static_cast<unsigned long long>(executor_.Random()));
    guid_ = guid;
  }
  coordinator_.Children(layout::kElection, InRound([this](Result<std::vector<std::string>> names) {
                          if (names.has_value()) return Look(*std::move(names));
                          if (names.error().code() != Code::kNotFound) return Retry(names.error());
                          EnsurePath(coordinator_, layout::kElection,
                                     InRound([this](Status status) { status.ok() ? Round() : Retry(status); }));
                        }));
}

void LeaderElection::Impl::Retry(const Status& why) {
  VLOG(1) << "election: " << self_.name << " tries again: " << why;
  NewRoundAfter(kRetryDelay);
}

void LeaderElection::Impl::Look(std::vector<std::string> names) {
  std::ranges::sort(names, ByNumber);
  const auto own = std::ranges::find_if(names, [&](const std::string& name) { return name.starts_with(guid_); });
  if (own == names.end()) {
    SetRole(Following{});
    return stopped() ? void() : Enter();
  }
  own_path_ = std::string(layout::kElection) + "/" + *own;
  if (own == names.begin()) return Lead(own_path_);
  Follow(std::string(layout::kElection) + "/" + *std::prev(own));
}

void LeaderElection::Impl::Enter() {
  idl::CandidateNode node;
  node.name = self_.name;
  node.endpoint = rpc::ToIdl(self_.endpoint);
  node.__set_version(self_.version);
  node.__set_protocol(self_.protocol);
  node.__set_featureLevel(self_.feature_level);
  coordinator_.Multi({Op::Create(std::string(layout::kElection) + "/" + guid_ + "-", EncodeNode(node),
                                 CreateMode::kEphemeralSequential)},
                     InRound([this](std::expected<MultiResult, MultiError> made) {
                       // Also when the outcome is unknown: the next round finds the node, or not.
                       made.has_value() ? Round() : Retry(made.error().status);
                     }));
}

void LeaderElection::Impl::Follow(const std::string& predecessor) {
  coordinator_.Exists(predecessor, InRound([this](Result<bool> there) {
                        if (!there.has_value()) return Retry(there.error());
                        *there ? ReadLeader() : Round();
                      }),
                      NewRoundWhenWoken());
}

void LeaderElection::Impl::ReadLeader() {
  const auto understand = [this](Result<Node> node) {
    if (!node.has_value()) {
      SetRole(Following{});
      return node.error().code() == Code::kNotFound ? void() : Retry(node.error());
    }
    const Result<idl::TermNode> term = DecodeNode<idl::TermNode>(node->data, layout::kTerm);
    if (!term.has_value()) LOG(ERROR) << term.error();
    if (!term.has_value() || term->leader == self_.name) return SetRole(Following{});
    SetRole(Following{FromIdl(term->leader, term->endpoint)});
  };
  // Exists leaves a watch where there is no term yet, Get where there is one.
  coordinator_.Exists(layout::kTerm, InRound([this, understand](Result<bool> there) {
                        if (!there.has_value()) return Retry(there.error());
                        if (!*there) return SetRole(Following{});
                        coordinator_.Get(layout::kTerm, InRound(understand));
                      }),
                      NewRoundWhenWoken());
}

void LeaderElection::Impl::Lead(const std::string& own_path) {
  coordinator_.Get(
      layout::kTerm, InRound([this, own_path](Result<Node> present) {
        if (!present.has_value() && present.error().code() != Code::kNotFound) {
          return Retry(present.error());
        }
        const Leading* now = leading();
        if (now != nullptr && present.has_value() && present->version == now->term_version && now->term > floor_) {
          return HoldTerm(own_path, *now);  // still ours: a watch woke for another reason
        }
        SetRole(Following{});
        if (!stopped()) Raise(own_path, present);
      }));
}

void LeaderElection::Impl::Raise(const std::string& own_path, const Result<Node>& present) {
  idl::TermNode node;
  if (present.has_value()) {
    const Result<idl::TermNode> last = DecodeNode<idl::TermNode>(present->data, layout::kTerm);
    if (!last.has_value()) {
      // Guessing a term could repeat one. It takes an operator, or a newer program, to go on.
      LOG(ERROR) << self_.name << " cannot lead: " << last.error();
      return Retry(last.error());
    }
    node.term = last->term;
  }
  node.term = std::max(node.term, static_cast<int64_t>(floor_)) + 1;
  node.leader = self_.name;
  node.endpoint = rpc::ToIdl(self_.endpoint);
  const bool first = !present.has_value();
  const int version = first ? 0 : present->version + 1;
  Op change =
      first ? Op::Create(layout::kTerm, EncodeNode(node)) : Op::Set(layout::kTerm, EncodeNode(node), present->version);
  coordinator_.Multi(
      {Op::Check(own_path, kAnyVersion), std::move(change)},
      InRound([this, own_path, version, term = node.term](std::expected<MultiResult, MultiError> raised) {
        // After an unknown outcome the next round makes another term, because an unused term does no harm.
        if (!raised.has_value()) return Retry(raised.error().status);
        HoldTerm(own_path, {static_cast<uint64_t>(term), version});
      }));
}

void LeaderElection::Impl::HoldTerm(const std::string& own_path, Leading leading) {
  // Another's term, or the loss of the election node, begins a new round. Both watches are asked for again then.
  const auto watch = [this](const char* path) {
    coordinator_.Exists(path, InRound([this](Result<bool> there) {
                          if (!there.has_value()) return Retry(there.error());
                          if (!*there) Round();
                        }),
                        NewRoundWhenWoken());
  };
  watch(own_path.c_str());
  coordinator_.Get(layout::kTerm, InRound([this, leading](Result<Node> node) {
                     if (!node.has_value()) return Retry(node.error());
                     if (node->version != leading.term_version) return Round();
                     SetRole(leading);
                   }),
                   NewRoundWhenWoken());
}

void LeaderElection::Impl::SetRole(Role role) {
  if (role == role_) return;
  role_ = std::move(role);
  if (const Leading* now = std::get_if<Leading>(&role_)) {
    LOG(INFO) << self_.name << " is the leader, term " << now->term;
  } else if (const auto& leader = std::get<Following>(role_).leader) {
    LOG(INFO) << self_.name << " follows " << leader->name << " at " << leader->endpoint.host << ":"
              << leader->endpoint.port;
  } else {
    LOG(INFO) << self_.name << " follows; the leader is not known";
  }
  const auto keep = shared_from_this();
  on_role_(role_);
}

void LeaderElection::Impl::RaiseAbove(uint64_t term) {
  if (term <= floor_) return;
  floor_ = term;
  if (const Leading* now = leading(); now != nullptr && now->term <= floor_) Round();
}

void LeaderElection::Impl::Resign(std::function<void()> done) {
  EndRound();
  const std::string own_path = std::exchange(own_path_, "");
  Stop();
  const auto keep = shared_from_this();
  SetRole(Following{});
  if (own_path.empty()) return executor_.Post([done = std::move(done)] { done(); });
  coordinator_.Multi({Op::Delete(own_path, kAnyVersion)},
                     [done = std::move(done)](std::expected<MultiResult, MultiError>) { done(); });
}

LeaderElection::LeaderElection(Coordinator& coordinator, Executor& executor, Candidate self,
                               std::function<void(const Role&)> on_role)
    : impl_(std::make_shared<Impl>(coordinator, executor, std::move(self), std::move(on_role))) {
  impl_->Start();
}

LeaderElection::~LeaderElection() { impl_->Stop(); }

const Role& LeaderElection::role() const { return impl_->role(); }

void LeaderElection::RaiseAbove(uint64_t term) { impl_->RaiseAbove(term); }

void LeaderElection::Resign(std::function<void()> done) { impl_->Resign(std::move(done)); }

void ListCandidates(Coordinator& coordinator, Callback<Result<std::vector<Candidate>>> done) {
  struct Listing {
    Callback<Result<std::vector<Candidate>>> done;
    std::vector<Candidate> candidates;
    size_t missing = 0;
  };
  auto listing = std::make_shared<Listing>(Listing{std::move(done), {}, 0});
  coordinator.Children(layout::kElection, [listing, &coordinator](Result<std::vector<std::string>> names) {
    if (!names.has_value()) {
      if (names.error().code() == Code::kNotFound) return listing->done(std::vector<Candidate>());
      return listing->done(std::unexpected(names.error()));
    }
    std::ranges::sort(*names, ByNumber);
    listing->missing = names->size();
    if (names->empty()) listing->done(std::vector<Candidate>());
    for (const std::string& name : *names) {
      coordinator.Get(std::string(layout::kElection) + "/" + name, [listing](Result<Node> node) {
        if (node.has_value()) {
          if (auto read = DecodeNode<idl::CandidateNode>(node->data, layout::kElection)) {
            Candidate& candidate = listing->candidates.emplace_back(FromIdl(read->name, read->endpoint));
            candidate.version = read->version;
            candidate.protocol = read->protocol;
            candidate.feature_level = read->featureLevel;
          }
        }
        if (--listing->missing == 0) listing->done(std::move(listing->candidates));
      });
    }
  });
}

}  // namespace ebla::coordination
