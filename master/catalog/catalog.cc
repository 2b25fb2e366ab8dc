#include "master/catalog/catalog.h"

#include <glog/logging.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"

namespace ebla::master {

using coordination::EncodeNode;
using coordination::MultiError;
using coordination::MultiResult;
using coordination::Op;
namespace layout = coordination::layout;

namespace {

constexpr Duration kReloadRetryDelay = std::chrono::milliseconds(200);
// A coordinator answers a change within milliseconds; after this time it is called silent.
constexpr Duration kAnswersWithin = std::chrono::seconds(1);

}  // namespace

void Change::Add(Edit edit) {
  bytes_ += edit.data.size() + edit.table.size() + kEditOverheadBytes;
  edits_.push_back(std::move(edit));
}

void Change::PutTable(idl::TableNode node) {
  Edit edit{.what = Edit::What::kTable, .table = node.schema.name, .data = EncodeNode(node)};
  edit.table_node = std::move(node);
  Add(std::move(edit));
}

void Change::EraseTable(std::string name) {
  Add({.what = Edit::What::kTable, .erase = true, .table = std::move(name)});
}

void Change::PutTablet(idl::TabletNode node) {
  Edit edit{.what = Edit::What::kTablet,
            .tablet = TabletId{static_cast<uint64_t>(node.info.tabletId)},
            .data = EncodeNode(node)};
  edit.tablet_node = std::move(node);
  Add(std::move(edit));
}

void Change::EraseTablet(TabletId id) { Add({.what = Edit::What::kTablet, .erase = true, .tablet = id}); }

void Change::SetNextId(uint64_t next_id) {
  idl::NextIdNode node;
  node.nextId = static_cast<int64_t>(next_id);
  Add({.what = Edit::What::kNextId, .data = EncodeNode(node), .next_id = next_id});
}

Catalog::Catalog(coordination::Coordinator& coordinator, Executor& executor, coordination::Leading term, Image image,
                 std::function<void()> on_deposed)
    : coordinator_(coordinator),
      executor_(executor),
      term_(term),
      on_deposed_(std::move(on_deposed)),
      image_(std::move(image)) {}

void Catalog::Commit(Decide decide, Callback<Status> done) {
  queue_.push_back({std::move(decide), std::move(done)});
  if (!busy_) Next();
}

void Catalog::Confirm(Callback<Status> done) {
  queue_.push_back({[](const Image&) { return Result<Change>(Change()); }, std::move(done), true});
  if (!busy_) Next();
}

Status Catalog::Answers() const {
  if (coordinator_.state() != coordination::SessionState::kConnected)
    return Error(Code::kUnavailable, "the coordinator (ZooKeeper) cannot be reached");
  const Duration waited = executor_.Now() - busy_since_;
  if (!busy_ || waited < kAnswersWithin) return {};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited).count();
  return Error(Code::kUnavailable,
               "the coordinator (ZooKeeper) has not answered for " + std::to_string(seconds) + " s");
}

// Always ends in the executor's queue, so that no `done` runs inside Commit().
void Catalog::Next() {
  if (busy_ || queue_.empty()) return;
  busy_ = true;
  busy_since_ = executor_.Now();
  executor_.Post(if_alive_([this] {
    Pending pending = std::move(queue_.front());
    queue_.pop_front();
    if (deposed_) return Finish(std::move(pending), Error(Code::kNotPrimary, "this master is no longer the leader"));
    Result<Change> change = pending.decide(image_);
    if (!change) return Finish(std::move(pending), std::move(change.error()));
    if (change->empty() && !pending.confirm) return Finish(std::move(pending), {});
    Run(std::move(pending), std::move(*change));
  }));
}

void Catalog::Run(Pending pending, Change change) {
  Result<std::vector<Op>> ops = Ops(change);
  if (!ops) return Finish(std::move(pending), std::move(ops.error()));
  if (pending.confirm) ops->push_back(Op::Check(layout::kNextId, image_.next_id_version()));
  coordinator_.Multi(std::move(*ops), if_alive_([this, pending = std::move(pending),
                                                 change = std::move(change)](Outcome outcome) mutable {
                       OnMulti(std::move(pending), std::move(change), std::move(outcome));
                     }));
}

Result<std::vector<Op>> Catalog::Ops(const Change& change) const {
  std::vector<Op> ops;
  ops.reserve(change.edits_.size() + 1);
  ops.push_back(Op::Check(layout::kTerm, term_.term_version));
  for (const Change::Edit& edit : change.edits_) ops.push_back(EditOp(edit));
  if (change.bytes_ > coordination::kMultiBytesMax) {
    return Error(Code::kInvalidArgument, "a change of " + std::to_string(change.bytes_) + " bytes is too large");
  }
  return ops;
}

Op Catalog::EditOp(const Change::Edit& edit) const {
  std::string path;
  std::optional<int> version;  // none: not there
  switch (edit.what) {
    case Change::Edit::What::kNextId:
      path = layout::kNextId;
      version = image_.next_id_version();
      break;
    case Change::Edit::What::kTable:
      path = layout::TablePath(edit.table);
      if (const TableEntry* table = image_.Table(edit.table)) version = table->version;
      break;
    case Change::Edit::What::kTablet:
      path = layout::TabletPath(edit.tablet);
      if (const TabletEntry* tablet = image_.Tablet(edit.tablet)) version = tablet->version;
      break;
  }
  if (edit.erase) return Op::Delete(std::move(path), version.value_or(0));
  if (version) return Op::Set(std::move(path), edit.data, *version);
  return Op::Create(std::move(path), edit.data);
}

void Catalog::OnMulti(Pending pending, Change change, Outcome outcome) {
  if (outcome) {
    Apply(change, *outcome);
    return Finish(std::move(pending), {});
  }
  MultiError& error = outcome.error();
  if (error.failed_op == 0) return Depose(std::move(pending));
  if (error.status.code() == Code::kUnavailable || error.status.code() == Code::kInvalidArgument) {
    return Finish(std::move(pending), std::move(error.status));
  }
  LOG(WARNING) << "catalog change not confirmed (" << error.status << "): reading again what it touched";
  auto reload = std::make_shared<Reload>();  // shared by the reads in flight
  reload->pending = std::move(pending);
  reload->change = std::move(change);
  reload->cause = std::move(error.status);
  StartReload(std::move(reload));
}

void Catalog::Apply(const Change& change, const MultiResult& result) {
  for (size_t i = 0; i < change.edits_.size(); ++i) {
    const Change::Edit& edit = change.edits_[i];
    const int version = result.items.at(i + 1).version;  // the first item is the check of the term; 0 after a create
    switch (edit.what) {
      case Change::Edit::What::kNextId: image_.SetNextId(edit.next_id, version); break;
      case Change::Edit::What::kTable:
        edit.erase ? image_.EraseTable(edit.table) : image_.PutTable(edit.table_node, version);
        break;
      case Change::Edit::What::kTablet:
        edit.erase ? image_.EraseTablet(edit.tablet) : image_.PutTablet(edit.tablet_node, version);
        break;
    }
  }
}

void Catalog::Finish(Pending pending, Status status) {
  busy_ = false;
  Next();  // before `done`, which may commit more
  pending.done(std::move(status));
}

void Catalog::Depose(Pending pending) {
  if (!deposed_) {
    deposed_ = true;
    LOG(WARNING) << "term " << term_.term << " is over: another master leads";
    executor_.Post([on_deposed = on_deposed_] { on_deposed(); });
  }
  Finish(std::move(pending), Error(Code::kNotPrimary, "this master is no longer the leader"));
}

void Catalog::StartReload(std::shared_ptr<Reload> reload) {
  // A Multi that is still under way somewhere is carried out or refused before this one is.
  coordinator_.Multi({Op::Check(layout::kTerm, term_.term_version)},
                     if_alive_([this, reload = std::move(reload)](Outcome outcome) mutable {
                       if (outcome) return ReadTouched(std::move(reload));
                       if (outcome.error().failed_op == 0) return Depose(std::move(reload->pending));
                       executor_.After(kReloadRetryDelay, if_alive_([this, reload = std::move(reload)]() mutable {
                                         StartReload(std::move(reload));
                                       }));
                     }));
}

void Catalog::ReadTouched(std::shared_ptr<Reload> reload) {
  const std::vector<Change::Edit>& edits = reload->change.edits_;
  reload->waiting = edits.size() + 1;
  reload->failed = false;
  reload->as_wished = true;
  // The next id is always read, as the failed change may have been a Confirm.
  static const Change::Edit next_id{.what = Change::Edit::What::kNextId};
  const auto read = [&](const Change::Edit& edit, std::string path) {
    coordinator_.Get(std::move(path), if_alive_([this, reload, &edit](Result<coordination::Node> node) {
                       OnReread(reload, edit, std::move(node));
                     }),
                     nullptr);
  };
  for (const Change::Edit& edit : edits) read(edit, EditOp(edit).path);
  read(next_id, layout::kNextId);
}

void Catalog::OnReread(std::shared_ptr<Reload> reload, const Change::Edit& edit, Result<coordination::Node> node) {
  const bool gone = !node && node.error().code() == Code::kNotFound;
  if (!node && !gone) reload->failed = true;
  const auto unreadable = [&](const Status& status) {
    LOG(ERROR) << status;
    reload->failed = true;
  };
  if (node || gone) {
    switch (edit.what) {
      case Change::Edit::What::kNextId:
        if (auto decoded = coordination::DecodeNode<idl::NextIdNode>(node ? node->data : "", layout::kNextId)) {
          image_.SetNextId(static_cast<uint64_t>(decoded->nextId), node->version);
        } else {
          unreadable(decoded.error());
        }
        break;
      case Change::Edit::What::kTable:
        image_.EraseTable(edit.table);
        if (gone) break;
        if (auto decoded = coordination::DecodeNode<idl::TableNode>(node->data, edit.table)) {
          image_.PutTable(std::move(*decoded), node->version);
        } else {
          unreadable(decoded.error());
        }
        break;
      case Change::Edit::What::kTablet:
        image_.EraseTablet(edit.tablet);
        if (gone) break;
        if (auto decoded = coordination::DecodeNode<idl::TabletNode>(node->data, "of a tablet")) {
          image_.PutTablet(std::move(*decoded), node->version);
        } else {
          unreadable(decoded.error());
        }
        break;
    }
    if (!edit.data.empty() || edit.erase) {
      reload->as_wished = reload->as_wished && (edit.erase ? gone : node && node->data == edit.data);
    }
  }
  if (--reload->waiting == 0) EndReload(std::move(reload));
}

void Catalog::EndReload(std::shared_ptr<Reload> reload) {
  if (reload->failed) {
    executor_.After(kReloadRetryDelay,
                    if_alive_([this, reload = std::move(reload)]() mutable { StartReload(std::move(reload)); }));
    return;
  }
  const bool unknown = reload->cause.code() == Code::kUnknownOutcome;
  Status status;
  if (!reload->as_wished || reload->change.empty() || !unknown) {
    status = unknown ? Status(Code::kUnavailable, "the coordinator did not carry the change out") : reload->cause;
  }
  Finish(std::move(reload->pending), std::move(status));
}

}  // namespace ebla::master
