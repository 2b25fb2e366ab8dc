// master/catalog/catalog.h
// The leading master's catalog: an image of what the coordinator holds, and the only way to change either.
// Place:      leader_term.h makes one for each term it leads; procedures read image() and call Commit().
// Invariants: 1. Every change is one Multi that checks the version of this leader's term and of each node it touches:
//                a deposed master changes nothing.
//             2. The image shows a change only once the coordinator has agreed to it. Commits run one at a time, in the
//                order of the calls; each decides on the image that its predecessors left.
//             3. After a Multi whose outcome is unknown, the touched nodes are read again, behind a write that the
//                coordinator puts in order, before the next decision is taken.
// Errors:     Commit: what `decide` returned; OK also when the re-read shows the change done; NOT_PRIMARY deposed;
//             CONDITION_FAILED the image was behind (it has been read again); UNAVAILABLE not done; INVALID_ARGUMENT
//             too large for one Multi.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/coordination/coordinator.h"
#include "common/coordination/election.h"
#include "master/catalog/image.h"

namespace ebla::master {

// The changes of one Multi. A node put is made or replaced, depending on the image; a node erased must exist.
class Change {
 public:
  void PutTable(idl::TableNode node);
  void EraseTable(std::string name);
  void PutTablet(idl::TabletNode node);
  void EraseTablet(TabletId id);
  void SetNextId(uint64_t next_id);

  bool empty() const { return edits_.empty(); }
  // Time to commit this and put the rest into another: well below what one Multi may hold.
  bool full() const { return edits_.size() >= kEditsMax || bytes_ >= coordination::kMultiBytesMax / 2; }

 private:
  friend class Catalog;
  static constexpr size_t kEditsMax = 1'000;
  static constexpr size_t kEditOverheadBytes = 128;  // path, version and framing of one edit, generously

  struct Edit {
    enum class What { kTable, kTablet, kNextId };
    What what = What::kTable;
    bool erase = false;
    std::string table;  // kTable
    TabletId tablet;    // kTablet
    std::string data;   // what shall stand there
    idl::TableNode table_node;
    idl::TabletNode tablet_node;
    uint64_t next_id = 0;
  };
  void Add(Edit edit);

  std::vector<Edit> edits_;
  size_t bytes_ = 0;
};

class Catalog {
 public:
  template <class T>
  using Callback = coordination::Callback<T>;
  using Decide = std::move_only_function<Result<Change>(const Image&)>;

  // `image` is what loader.h read under this term. `on_deposed` is called once, when the coordinator reports that the
  // term is over; it must not destroy the catalog within the call.
  Catalog(coordination::Coordinator& coordinator, Executor& executor, coordination::Leading term, Image image,
          std::function<void()> on_deposed);

  const Image& image() const { return image_; }
  uint64_t term() const { return term_.term; }

  // Decides on the then image, commits, and reports. An empty Change commits nothing and is OK.
  void Commit(Decide decide, Callback<Status> done);
  // UNAVAILABLE: a change has waited for the coordinator for more than a second, or the session is not connected.
  Status Answers() const;
  // OK when this master still leads and no id was drawn behind its back: what the image lacks does not exist.
  void Confirm(Callback<Status> done);

 private:
  struct Pending {
    Decide decide;
    Callback<Status> done;
    bool confirm = false;
  };
  using Outcome = std::expected<coordination::MultiResult, coordination::MultiError>;

  void Next();
  void Run(Pending pending, Change change);
  Result<std::vector<coordination::Op>> Ops(const Change& change) const;
  coordination::Op EditOp(const Change::Edit& edit) const;
  void OnMulti(Pending pending, Change change, Outcome outcome);
  void Apply(const Change& change, const coordination::MultiResult& result);
  void Finish(Pending pending, Status status);
  void Depose(Pending pending);

  // The re-read of what an unknown or refused Multi touched.
  struct Reload {
    Pending pending;
    Change change;
    Status cause;
    size_t waiting = 0;
    bool failed = false;
    bool as_wished = true;
  };
  void StartReload(std::shared_ptr<Reload> reload);
  void ReadTouched(std::shared_ptr<Reload> reload);
  void OnReread(std::shared_ptr<Reload> reload, const Change::Edit& edit, Result<coordination::Node> node);
  void EndReload(std::shared_ptr<Reload> reload);

  coordination::Coordinator& coordinator_;
  Executor& executor_;
  const coordination::Leading term_;
  const std::function<void()> on_deposed_;
  Image image_;
  std::deque<Pending> queue_;
  bool busy_ = false;
  MonotonicTime busy_since_;
  bool deposed_ = false;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
