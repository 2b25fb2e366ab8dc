#include "tools/standalone/salvage_view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "common/base/system_error.h"
#include "tabletserver/server/identity.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/store_inventory.h"

namespace ebla::standalone {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".ebla-salvage-view-";  // no name that a person gives
// Replaced as a whole by those that write them.
constexpr std::array<std::string_view, 4> kCopied = {"FORMAT", "WiredTiger", "WiredTiger.lock", "WiredTiger.turtle"};
// Useless without the process that made them; INVENTORY is read where it lies.
constexpr std::array<std::string_view, 3> kLeftOut = {"LOCK", "BALLAST", "INVENTORY"};

template <class Names>
bool IsOneOf(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Status Failed(const std::string& doing, const std::error_code& error) {
  return error ? Status(Code::kInternal, "cannot " + doing + ": " + error.message()) : Status();
}

Status Copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  return Failed("copy " + from.string() + " to " + to.string(), error);
}

Status Link(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_symlink(from, to, error);
  return Failed("link " + from.string() + " as " + to.string(), error);
}

Status MakeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directory(path, error);
  return Failed("make " + path, error);
}

// Removes the views of killed processes. A view is locked as long as it is in use, and one without a file is just being
// made.
void RemoveLeftViews(const fs::path& temporary) {
  std::error_code error;
  for (fs::directory_iterator at(temporary, error), end; !error && at != end; at.increment(error)) {
    const fs::path& path = at->path();
    if (!path.filename().string().starts_with(kPrefix)) continue;
    const Descriptor view(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat found{};
    std::error_code ignored;
    if (!view.valid() || ::fstat(view.get(), &found) != 0 || found.st_uid != ::geteuid()) continue;
    if (fs::is_empty(path, ignored) || ::flock(view.get(), LOCK_EX | LOCK_NB) != 0) continue;
    fs::remove_all(path, ignored);
  }
}

}  // namespace

Result<std::unique_ptr<SalvageView>> SalvageView::Make(const std::string& data_dir, const ServerName& name) {
  std::error_code error;
  const std::string absolute = fs::weakly_canonical(data_dir, error);
  if (error || !fs::is_directory(absolute + "/store", error))
    return Error(Code::kInvalidArgument,
                 data_dir + " has no store to salvage: name the --data_dir of ebla-standalone or of a tablet server");
  std::unique_ptr<SalvageView> view(new SalvageView(absolute));
  EBLA_TRY(view->Lock(absolute + "/LOCK"));
  EBLA_TRY(view->Lock(absolute + "/store/LOCK"));
  const fs::path temporary = fs::temp_directory_path(error);
  RemoveLeftViews(temporary);
  std::string path = temporary / (std::string(kPrefix) + "XXXXXX");
  if (mkdtemp(path.data()) == nullptr)
    return SystemError(Code::kInternal, "cannot make " + path + ", for which TMPDIR may name another place");
  view->path_ = path;
  EBLA_TRY(view->Lock(path));
  EBLA_TRY(view->MakeIdentity(name));
  EBLA_TRY(view->MakeStore());
  EBLA_TRY(view->LinkLog());
  return view;
}

SalvageView::~SalvageView() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);  // of links, not of what they lead to
}

std::string SalvageView::WithRealPaths(std::string text) const {
  for (size_t at = 0; (at = text.find(path_, at)) != std::string::npos; at += data_dir_.size())
    text.replace(at, path_.size(), data_dir_);
  return text;
}

// The file is opened for reading alone, and keeps its contents.
Status SalvageView::Lock(const std::string& file) {
  auto lock = std::make_unique<Descriptor>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock->valid() && errno == ENOENT) return {};
  if (!lock->valid()) return SystemError(Code::kInternal, "cannot open " + file);
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0)
    return Error(Code::kUnavailable, data_dir_ + " is in use by another process: stop that one first");
  locks_.push_back(std::move(lock));
  return {};
}

Status SalvageView::MakeIdentity(const ServerName& name) {
  if (const auto found = tabletserver::ReadIdentity(data_dir_); found && !found->cluster_id.empty()) {
    life_ = found->incarnation.value + 1;
    return Copy(data_dir_ + "/IDENTITY", path_ + "/IDENTITY");
  }
  EBLA_ASSIGN(const auto made, tabletserver::DataDirectory::Open(path_, name));
  return made->JoinCluster("salvage");
}

Status SalvageView::MakeStore() {
  const fs::path from = data_dir_ + "/store", to = path_ + "/store";
  EBLA_TRY(MakeDirectory(to));
  std::error_code error;
  for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    std::error_code ignored;
    if (!at->is_regular_file(ignored) || IsOneOf(kLeftOut, name)) continue;
    EBLA_TRY(IsOneOf(kCopied, name) ? Copy(from / name, to / name) : Link(from / name, to / name));
  }
  EBLA_TRY(Failed("list " + from.string(), error));
  const tabletserver::StoreInventory inventory(tabletserver::InventoryFiles(from, data_dir_));
  if (const auto found = tabletserver::FoundByLife(inventory, life_))
    had_ = {.had = found->log, .checkpoint = found->checkpoint};
  return {};
}

Status SalvageView::LinkLog() {
  const fs::path from = data_dir_ + "/store/log", to = path_ + "/store/log";
  EBLA_TRY(MakeDirectory(to));
  std::error_code error;
  for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".log") EBLA_TRY(Link(at->path(), to / at->path().filename()));
  }
  EBLA_TRY(Failed("list " + from.string(), error));
  return MendFormat();
}

// A store with a log of its own has one of the two latest formats.
Status SalvageView::MendFormat() {
  using tabletserver::StoreDirectory;
  const std::string store = path_ + "/store";
  const auto opened = StoreDirectory::Open(store, StoreDirectory::Former::kStore);
  if (opened || opened.error().code() != Code::kInternal) return opened ? Status() : opened.error();
  return StoreDirectory::NoteSortedTables(store);
}

}  // namespace ebla::standalone
