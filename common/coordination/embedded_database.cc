#include "common/coordination/embedded_database.h"

#include <glog/logging.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "common/base/system_error.h"
#include "common/wiredtiger/turtle.h"

namespace ebla::coordination {
namespace {

namespace fs = std::filesystem;

constexpr char kFormat[] = "1";
constexpr char kMetaTable[] = "table:meta";
constexpr char kNodesTable[] = "table:nodes";
// The files that a database has from its first start on, besides WiredTiger.turtle.
constexpr const char* kTreeFiles[] = {"WiredTiger.wt", "meta.wt", "nodes.wt"};

// All of it is given here, so that a damaged WiredTiger.basecfg, in which former builds left it, is not read.
std::string Configuration(const EmbeddedOptions& options) {
  // Checkpoints that were read are closed soon, so that the next scrub reads them from the disk again.
  std::string all =
      "create,config_base=false,cache_size=32MB,session_max=20,log=(enabled=true,archive=true,file_max=4MB),"
      "checkpoint=(wait=60,log_size=4MB),transaction_sync=(enabled=true,method=fsync),"
      "file_manager=(close_handle_minimum=0)";
  if (!options.files_entry.empty()) all += ",extensions=[local={entry=" + options.files_entry + ",early_load=true}]";
  return all;
}

std::unique_ptr<wiredtiger::ErrorMessages> MakeMessages() {
  return std::make_unique<wiredtiger::ErrorMessages>("coordinator's database: ",
                                                     wiredtiger::ErrorMessages::Log::kDetails);
}

Status Damaged(const std::string& what) {
  return Error(Code::kInternal, "the coordinator's database is damaged: " + what);
}

}  // namespace

EmbeddedDatabase::EmbeddedDatabase() : messages_(MakeMessages()) {}
EmbeddedDatabase::~EmbeddedDatabase() { Close(); }

void EmbeddedDatabase::Close() {
  WT_CONNECTION* const open = std::exchange(connection_, nullptr);
  if (open == nullptr) return;
  if (const int error = open->close(open, nullptr); error != 0) {
    LOG(ERROR) << Failed("closing " + directory_, error);
    // After a panic its threads may complain for as long as the process lives.
    (void)messages_.release();
    messages_ = MakeMessages();
  }
}

Status EmbeddedDatabase::Failed(const std::string& doing, int error, Code code) const {
  if (code == Code::kInternal && IsOfThisMoment(error)) code = Code::kUnavailable;
  const std::string all = "coordinator's database: " + doing + ": " + wiredtiger_strerror(error) + messages_->All();
  const std::string block = messages_->DamagedBlock();
  if (block.empty()) return Error(code, all);
  LOG(WARNING) << all;
  return Error(code, "the coordinator's database cannot be used: " + block);
}

// WiredTiger opens a file with the first use of its table. A missing file looks to it like a missing table, and a
// damaged first block is a general error of whatever call meets it.
Status EmbeddedDatabase::CheckFiles(bool made_before) const {
  if (const Status turtle = wiredtiger::CheckTurtle(directory_, made_before); !turtle.ok())
    return turtle.code() == Code::kInternal ? Damaged(turtle.message()) : turtle;
  if (!made_before || options_.begins_whole == nullptr) return {};
  for (const char* const name : kTreeFiles) {
    const std::string path = directory_ + "/" + name;
    if (!options_.begins_whole(path)) return Damaged(path + " is missing, or damaged at its beginning");
  }
  return {};
}

Status EmbeddedDatabase::Open(const std::string& directory, const EmbeddedOptions& options) {
  directory_ = directory;
  options_ = options;
  std::error_code error;
  if (options.made_before && !fs::exists(directory, error) && !error)
    return Damaged("the directory " + directory + " is missing");
  if (!options.made_before) fs::create_directories(directory, error);
  if (error) return Error(Code::kInvalidArgument, "cannot make directory " + directory + ": " + error.message());
  EBLA_TRY(CheckFiles(options.made_before));
  const int opened =
      wiredtiger_open(directory.c_str(), messages_->handler(), Configuration(options).c_str(), &connection_);
  if (opened != 0) connection_ = nullptr;
  if (opened == EBUSY) {
    return Error(Code::kInvalidArgument,
                 "directory " + directory + " is in use by another process: stop that one first");
  }
  if (opened != 0) return Failed("opening " + directory + messages_->Suspects(directory), opened);
  if (const int failed = connection_->open_session(connection_, nullptr, nullptr, &session_); failed != 0)
    return Failed("opening a session in " + directory, failed);
  EBLA_TRY(OpenTables());
  return CheckChanges();
}

Status EmbeddedDatabase::OpenTables() {
  // A database that has lost its list of tables is not to get new ones.
  const auto create = [this](const char* table, const char* config) {
    return options_.made_before ? 0 : session_->create(session_, table, config);
  };
  int error = create(kMetaTable, "key_format=S,value_format=S");
  if (error == 0) error = session_->open_cursor(session_, kMetaTable, nullptr, nullptr, &meta_);
  if (error != 0) return Failed("opening " + directory_ + "/meta.wt", error);
  EBLA_ASSIGN(const std::string format, Meta("format"));
  if (format.empty() && options_.made_before) return Damaged(directory_ + "/meta.wt is empty");
  if (format.empty()) {
    if (const int put = PutMeta("format", kFormat); put != 0) return Failed("writing meta", put);
  } else if (format != kFormat) {
    return Error(Code::kInvalidArgument, "directory " + directory_ + " has coordinator format " + format +
                                             ", and this program knows " + kFormat + ": upgrade this program");
  }
  error = create(kNodesTable, "key_format=S,value_format=iqu");
  if (error == 0) error = session_->open_cursor(session_, kNodesTable, nullptr, nullptr, &nodes_);
  return error == 0 ? Status::Ok() : Failed("opening " + directory_ + "/nodes.wt", error);
}

Status EmbeddedDatabase::CheckChanges() {
  EBLA_ASSIGN(const std::string text, Meta("changes"));
  std::from_chars(text.data(), text.data() + text.size(), changes_);
  EBLA_TRY(mark_.Open(options_.mark_file));
  if (!options_.made_before || changes_ >= mark_.count()) return {};
  return Damaged(directory_ + " is older than it was: it has " + std::to_string(changes_) + " changes, and " +
                 mark_.path() + " counts " + std::to_string(mark_.count()));
}

Result<std::string> EmbeddedDatabase::Meta(const char* key) {
  meta_->set_key(meta_, key);
  const char* value = "";
  int error = meta_->search(meta_);
  if (error == 0) error = meta_->get_value(meta_, &value);
  if (error != 0 && error != WT_NOTFOUND) return Error(Failed("reading " + directory_ + "/meta.wt", error));
  std::string copy(error == 0 ? value : "");
  meta_->reset(meta_);
  return copy;
}

int EmbeddedDatabase::PutMeta(const char* key, const std::string& value) {
  meta_->set_key(meta_, key);
  meta_->set_value(meta_, value.c_str());
  const int error = meta_->insert(meta_);
  meta_->reset(meta_);
  return error;
}

Result<int64_t> EmbeddedDatabase::NextSession() {
  EBLA_ASSIGN(const std::string text, Meta("sessions"));
  int64_t sessions = 0;
  std::from_chars(text.data(), text.data() + text.size(), sessions);
  if (const int error = PutMeta("sessions", std::to_string(sessions + 1)); error != 0)
    return Error(Failed("writing meta", error));
  return sessions + 1;
}

Result<ZnodeTree::Snapshot> EmbeddedDatabase::Load() {
  ZnodeTree::Snapshot nodes;
  int error = 0;
  while ((error = nodes_->next(nodes_)) == 0) {
    const char* path = nullptr;
    ZnodeTree::Entry entry;
    WT_ITEM data;
    int32_t version = 0;
    error = nodes_->get_key(nodes_, &path);
    if (error == 0) error = nodes_->get_value(nodes_, &version, &entry.next_number, &data);
    if (error != 0) break;
    entry.version = version;
    entry.data.assign(static_cast<const char*>(data.data), data.size);
    nodes.emplace(path, std::move(entry));
  }
  nodes_->reset(nodes_);
  if (error != WT_NOTFOUND) return Error(Failed("reading " + directory_ + "/nodes.wt", error));
  if (nodes.empty() && options_.made_before) return Error(Damaged(directory_ + "/nodes.wt is empty"));
  return nodes;
}

int EmbeddedDatabase::Write(const std::string& path, const ZnodeTree& tree) {
  const auto found = tree.nodes().find(path);
  nodes_->set_key(nodes_, path.c_str());
  if (found == tree.nodes().end() || found->second.session != 0) {
    const int error = nodes_->remove(nodes_);
    return error == WT_NOTFOUND ? 0 : error;
  }
  const ZnodeTree::Entry& entry = found->second;
  WT_ITEM data{};
  data.data = entry.data.data();
  data.size = entry.data.size();
  nodes_->set_value(nodes_, static_cast<int32_t>(entry.version), entry.next_number, &data);
  return nodes_->insert(nodes_);
}

int EmbeddedDatabase::WriteAll(const ZnodeTree& tree, const ZnodeTree::Change& change) {
  std::set<std::string> touched;
  for (const auto& [path, before] : change.before) touched.insert(path);
  for (const std::string& path : touched) {
    if (const int error = Write(path, tree); error != 0) return error;
  }
  return PutMeta("changes", std::to_string(changes_ + 1));
}

Status EmbeddedDatabase::Store(const ZnodeTree& tree, const ZnodeTree::Change& change) {
  if (change.before.empty()) return Status::Ok();  // checks alone
  int error = session_->begin_transaction(session_, "sync=true");
  if (error != 0) return Failed("beginning a transaction", error, Code::kUnavailable);
  error = WriteAll(tree, change);
  if (error != 0) {
    session_->rollback_transaction(session_, nullptr);
    return Failed("writing nodes", error, Code::kUnavailable);
  }
  error = session_->commit_transaction(session_, nullptr);
  if (error != 0) return Failed("committing", error, Code::kUnknownOutcome);
  // A count that lags behind finds less, and nothing wrongly.
  const Status counted = mark_.Raise(++changes_);
  LOG_IF(ERROR, !counted.ok()) << counted;
  return Status::Ok();
}

// ---- scrub ----------------------------------------------------------------------------------------------------------

EmbeddedDatabase::Scrub::Scrub(EmbeddedDatabase& database) : database_(database) {
  WT_CONNECTION* const connection = database.connection_;
  if (connection == nullptr || connection->open_session(connection, nullptr, nullptr, &session_) != 0)
    session_ = nullptr;
}

EmbeddedDatabase::Scrub::~Scrub() {
  if (session_ != nullptr) session_->close(session_, nullptr);
}

int EmbeddedDatabase::Scrub::Read(const char* uri, const EmbeddedCoordination::ScrubPace& pace, bool& stopped) {
  constexpr int64_t kPieceBytes = int64_t{1} << 20;
  WT_CURSOR* rows = nullptr;
  int error = session_->open_cursor(session_, uri, nullptr, "checkpoint=WiredTigerCheckpoint,raw", &rows);
  if (error == ENOENT || error == WT_NOTFOUND) return 0;  // no checkpoint was taken yet
  if (error != 0) return error;
  int64_t bytes = 0;
  while (!stopped && (error = rows->next(rows)) == 0) {
    WT_ITEM key, value;
    error = rows->get_key(rows, &key);
    if (error == 0) error = rows->get_value(rows, &value);
    if (error != 0) break;
    bytes += static_cast<int64_t>(key.size + value.size);
    if (bytes >= kPieceBytes) stopped = !pace(std::exchange(bytes, 0));
  }
  rows->close(rows);
  if (!stopped) stopped = !pace(bytes);
  return error == WT_NOTFOUND ? 0 : error;
}

Status EmbeddedDatabase::Scrub::Run(const EmbeddedCoordination::ScrubPace& pace) {
  if (session_ == nullptr) return database_.Failed("opening a session", WT_PANIC);
  EBLA_TRY(database_.CheckFiles(/*made_before=*/true));
  bool stopped = false;
  for (const char* const uri : {kMetaTable, kNodesTable}) {
    const int error = stopped ? 0 : Read(uri, pace, stopped);
    if (error != 0) return database_.Failed(std::string("scrubbing ") + uri + " in " + database_.directory_, error);
  }
  return {};
}

}  // namespace ebla::coordination
