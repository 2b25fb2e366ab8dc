#include "master/leader/access_admin.h"

#include <glog/logging.h>

#include <memory>
#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/security/scram.h"
#include "master/catalog/access_rules.h"

namespace ebla::master {
namespace {

using coordination::Op;
namespace layout = coordination::layout;

constexpr int kTries = 5;

}  // namespace

void AccessAdmin::ReadNode(std::function<void(Result<Read>)> done) {
  parts_.coordinator.Get(layout::kAccess, if_alive_([done = std::move(done)](const Result<coordination::Node>& node) {
                           if (!node && node.error().code() == Code::kNotFound) return done(Read{});
                           if (!node) return done(std::unexpected(node.error()));
                           auto access = coordination::DecodeNode<idl::AccessNode>(node->data, layout::kAccess);
                           if (!access) return done(std::unexpected(access.error()));
                           done(Read{*std::move(access), node->version});
                         }),
                         nullptr);
}

void AccessAdmin::List(coordination::Callback<Result<idl::AccessNode>> done) {
  auto once = std::make_shared<coordination::Callback<Result<idl::AccessNode>>>(std::move(done));
  ReadNode([once](Result<Read> read) {
    if (!read) return (*once)(std::unexpected(read.error()));
    (*once)(std::move(read->node));
  });
}

void AccessAdmin::Change(std::vector<idl::AccessChange> changes, coordination::Callback<Status> done) {
  if (parts_.requests.Crowded(done)) return;
  Write(std::move(changes), kTries, parts_.requests.Track(std::move(done)));
}

void AccessAdmin::Write(std::vector<idl::AccessChange> changes, int tries, const Answer& answer) {
  ReadNode([this, changes = std::move(changes), tries, answer](Result<Read> read) {
    if (!read) return answer(read.error());
    auto changed = ChangeAccess(std::move(read->node), changes, parts_.image());
    if (!changed) return answer(changed.error());
    if (changed->unknownUserKey.empty()) changed->unknownUserKey = security::MakeUnknownUserKey();
    std::string data = coordination::EncodeNode(*changed);
    if (data.size() > kAccessBytesMax)
      return answer({Code::kInvalidArgument,
                     "users, roles and grants together come to more than 512 KiB: give grants "
                     "to roles, and roles to users"});
    std::vector<Op> ops = {Op::Check(layout::kTerm, parts_.leading.term_version),
                           read->version < 0 ? Op::Create(layout::kAccess, std::move(data))
                                             : Op::Set(layout::kAccess, std::move(data), read->version)};
    parts_.coordinator.Multi(std::move(ops), if_alive_([this, changes, tries, answer](auto outcome) {
                               if (outcome) return answer({});
                               const bool raced = outcome.error().failed_op == 1 &&
                                                  outcome.error().status.code() == Code::kConditionFailed;
                               if (raced && tries > 1) return Write(changes, tries - 1, answer);
                               answer(std::move(outcome.error().status));
                             }));
  });
}

}  // namespace ebla::master
