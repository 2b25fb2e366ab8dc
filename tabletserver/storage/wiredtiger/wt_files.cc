#include "tabletserver/storage/wiredtiger/wt_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <glog/logging.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif
#include <sys/stat.h>
#include <unistd.h>
#include <wiredtiger_ext.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/mutex.h"
#include "common/base/read_at.h"
#include "tabletserver/storage/log/open_retrying.h"
#include "tabletserver/storage/wiredtiger/file_recycler.h"
#include "tabletserver/storage/wiredtiger/unwritten_file.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"

namespace ebla::tabletserver {

namespace {

thread_local PacedSyncs* paced = nullptr;
thread_local bool uncached = false;

constexpr size_t kTransferMax = size_t{1} << 30;  // the kernel moves a little less than 2 GiB at once
constexpr int64_t kSentBytes = 2 << 20;           // at once; twice os_cache_dirty_max, so that no backlog grows
constexpr int kPassesMax = 3;
constexpr int64_t kAsItIs = INT64_MAX;
constexpr size_t kDamagesNoted = 1024;  // of one file; then they are told anew
constexpr int64_t kCutPieces = 512;     // much is cut in larger pieces: a checkpoint is to end

// WiredTiger has pointers to the first part of both.
struct Files : WT_FILE_SYSTEM {
  WT_EXTENSION_API* api = nullptr;
  std::atomic<bool> sync_failed{false};  // none succeeds any more
  bool of_view = false;                  // links are read and never written
  Mutex mutex;
  // By the files that they stand for. They stay as long as the database is open.
  std::map<std::string, std::shared_ptr<UnwrittenFile>> unwritten EBLA_GUARDED_BY(mutex);
};
struct File : WT_FILE_HANDLE {
  explicit File(int fd) : WT_FILE_HANDLE{}, fd(fd) {}
  Descriptor fd;
  std::shared_ptr<UnwrittenFile> unwritten;  // takes the place of `fd`; null: it does not
  bool paced = false;                        // what is written to it is noted
  bool checked = false;                      // a b-tree's: what is read is checked
  Mutex noting;
  std::set<int64_t> damaged_at EBLA_GUARDED_BY(noting);  // damaged blocks that were told of
  WrittenParts written;
  Mutex syncing;  // until a failure is known to all
  Mutex shortening;
  // The file's end for WiredTiger. Room behind it is still to be given back. Changed under `shortening`.
  std::atomic<int64_t> ends_at{kAsItIs};
};

const File& Of(const WT_FILE_HANDLE* handle) { return *static_cast<const File*>(handle); }

// One call of WiredTiger's for a file. It passes files between threads under locks of its own making, which
// ThreadSanitizer cannot see, so it is told that each call precedes the later ones.
class InCall {
 public:
#ifdef __SANITIZE_THREAD__
  explicit InCall(void* file) : file_(file) { __tsan_acquire(file_); }
  ~InCall() { __tsan_release(file_); }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

 private:
  void* const file_;
#else
  explicit InCall(void*) {}
#endif
};

// Tells WiredTiger's event handler, and returns the error's number.
int Failed(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* doing, const char* name, int error = errno) {
  WT_EXTENSION_API* const api = static_cast<Files*>(files)->api;
  (void)api->err_printf(api, session, "cannot %s %s: %s", doing, name, std::strerror(error));
  return error;
}

// Makes the entries of the directory of `name` durable.
int SyncDirectoryOf(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* name) {
  std::string directory = name;
  const size_t slash = directory.rfind('/');
  directory = slash == std::string::npos ? "." : directory.substr(0, slash + 1);
  const Descriptor fd(OpenRetrying(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && fsync(fd.get()) == 0) return 0;
  if (fd.valid()) static_cast<Files*>(files)->sync_failed = true;
  return Failed(files, session, "sync the directory", directory.c_str());
}

// ---- one file -------------------------------------------------------------------------------------------------------

int Close(WT_FILE_HANDLE* handle, WT_SESSION*) noexcept {
  {
    const InCall after_all_others(handle);
  }
  std::free(handle->name);
  delete static_cast<File*>(handle);
  return 0;
}

// Of other processes: fcntl's locks, of which WiredTiger has one. The process loses it if it closes the file anywhere.
int Lock(WT_FILE_HANDLE* handle, WT_SESSION* session, bool lock) noexcept {
  const InCall call(handle);
  struct flock range{};
  range.l_type = lock ? F_WRLCK : F_UNLCK;
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  if (fcntl(Of(handle).fd.get(), F_SETLK, &range) == 0) return 0;
  return Failed(handle->file_system, session, "lock", handle->name);
}

// An errno; EIO, too, where the file ends before.
int ReadAll(const File& file, wt_off_t offset, size_t bytes, void* into) {
  if (file.unwritten) return file.unwritten->Read(offset, {static_cast<char*>(into), bytes});
  if (uncached) (void)posix_fadvise(file.fd.get(), offset, static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
  const ReadAtResult read = ReadAt(file.fd.get(), offset, {static_cast<char*>(into), bytes});
  return read.error != 0 || read.bytes == bytes ? read.error : EIO;
}

// True: it was not noted before. Clients may ask for rows of several such blocks in turn.
bool NoteDamaged(File& file, wt_off_t offset) {
  MutexLock lock(file.noting);
  if (file.damaged_at.size() >= kDamagesNoted) file.damaged_at.clear();
  return file.damaged_at.insert(offset).second;
}

// A block that is not whole is read again, as a wire may have erred and not the disk.
int ReadBlock(File& file, WT_SESSION* session, wt_off_t offset, size_t bytes, void* into) {
  int error = 0;
  for (int tries = 2; tries > 0; --tries) {
    error = ReadAll(file, offset, bytes, into);
    if (error != 0 && error != EIO) return Failed(file.file_system, session, "read", file.name, error);
    if (error == 0 && BlockIsWhole({static_cast<char*>(into), bytes})) return 0;
  }
  if (!NoteDamaged(file, offset)) return kDamagedBlock;
  WT_EXTENSION_API* const api = static_cast<Files*>(file.file_system)->api;
  (void)api->err_printf(api, session, "%s is damaged at byte %jd: the block of %zu bytes there %s", file.name,
                        static_cast<intmax_t>(offset), bytes,
                        error != 0 ? "cannot be read" : "is not what was written");
  return kDamagedBlock;
}

int Read(WT_FILE_HANDLE* handle, WT_SESSION* session, wt_off_t offset, size_t bytes, void* into) noexcept {
  const InCall call(handle);
  auto& file = *static_cast<File*>(handle);
  // The first block is of another kind.
  if (file.checked && offset > 0) return ReadBlock(file, session, offset, bytes, into);
  const int error = ReadAll(file, offset, bytes, into);
  if (error == 0) return 0;
  (void)Failed(handle->file_system, session, "read", handle->name, error);
  return error == EIO ? WT_ERROR : error;  // WiredTiger's error for damage
}

// WiredTiger uses the file up to there again.
void KeepUpTo(File& file, int64_t end) {
  if (end <= file.ends_at) return;
  MutexLock lock(file.shortening);
  if (end > file.ends_at) file.ends_at = end;
}

int Write(WT_FILE_HANDLE* handle, WT_SESSION* session, wt_off_t offset, size_t bytes, const void* from) noexcept {
  const InCall call(handle);
  auto& file = *static_cast<File*>(handle);
  if (file.unwritten) {
    const int error = file.unwritten->Write(offset, {static_cast<const char*>(from), bytes});
    return error == 0 ? 0 : Failed(handle->file_system, session, "write", handle->name, error);
  }
  KeepUpTo(file, offset + static_cast<int64_t>(bytes));
  for (const auto* at = static_cast<const char*>(from); bytes > 0;) {
    const ssize_t written = pwrite(file.fd.get(), at, std::min(bytes, kTransferMax), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed(handle->file_system, session, "write", handle->name);
    if (file.paced) file.written.Note(offset, written);
    at += written;
    offset += written;
    bytes -= static_cast<size_t>(written);
  }
  return 0;
}

int Size(WT_FILE_HANDLE* handle, WT_SESSION* session, wt_off_t* bytes) noexcept {
  const InCall call(handle);
  if (const auto& unwritten = Of(handle).unwritten) {
    *bytes = unwritten->size();
    return 0;
  }
  struct stat file{};
  if (fstat(Of(handle).fd.get(), &file) != 0) return Failed(handle->file_system, session, "look at", handle->name);
  *bytes = file.st_size;
  return 0;
}

// Room for so many bytes from the file's start on. It does without if there is none.
int Extend(WT_FILE_HANDLE* handle, WT_SESSION*, wt_off_t bytes) noexcept {
  const InCall call(handle);
  if (Of(handle).unwritten) return ENOTSUP;
  KeepUpTo(*static_cast<File*>(handle), bytes);
  return fallocate(Of(handle).fd.get(), 0, 0, bytes) == 0 ? 0 : ENOTSUP;
}

// A checkpoint does it with the file's blocks locked, so where it takes its time the sync after it does it, piece by
// piece. WiredTiger can use a file that is longer than it knows, and cuts it when it opens it again. EBUSY tells it
// that the file is longer.
int Truncate(WT_FILE_HANDLE* handle, WT_SESSION* session, wt_off_t bytes) noexcept {
  const InCall call(handle);
  auto& file = *static_cast<File*>(handle);
  if (file.unwritten) return file.unwritten->Truncate(bytes);
  wt_off_t has = 0;
  if (const int error = Size(handle, session, &has); error != 0) return error;
  const PacedSyncs* const pace = PacedSyncs::OfThisThread();
  const bool in_pieces = file.paced && pace != nullptr && !pace->hurried() && has - bytes > PacedSyncs::kCutBytes;
  MutexLock lock(file.shortening);
  file.ends_at = in_pieces ? bytes : kAsItIs;
  if (in_pieces || ftruncate(file.fd.get(), bytes) == 0) return 0;
  const int error = Failed(handle->file_system, session, "truncate", handle->name);
  return file.paced && bytes < has ? EBUSY : error;
}

// The kernel reports a failed write to one caller, once, and then treats it as written. The next sync, in any thread,
// would report success. So the first failure is final.
int FailSync(File& file, WT_SESSION* session) {
  static_cast<Files*>(file.file_system)->sync_failed = true;
  (void)Failed(file.file_system, session, "sync", file.name);
  return EIO;
}

bool CannotSync(const File& file) { return static_cast<Files*>(file.file_system)->sync_failed; }

// ENOTSUP: the kernel has no such call, or a sandbox forbids it.
int SyncPart(File& file, WT_SESSION* session, int64_t part, unsigned step) {
  if (sync_file_range(file.fd.get(), part * WrittenParts::kPartBytes, WrittenParts::kPartBytes, step) == 0) return 0;
  if (errno == ENOSYS || errno == EPERM) return ENOTSUP;
  if (errno == ENOMEM && step == SYNC_FILE_RANGE_WRITE) return 0;  // not begun, for want of memory; the pages stay
  return FailSync(file, session);
}

// Hands the parts to the disk, and waits until it has them.
int SyncParts(File& file, WT_SESSION* session, const std::vector<int64_t>& parts) {
  constexpr unsigned kBegin = SYNC_FILE_RANGE_WRITE;
  constexpr unsigned kEnd = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  MutexLock lock(file.syncing);
  for (const unsigned step : {kBegin, kEnd}) {
    for (const int64_t part : parts) {
      if (const int error = SyncPart(file, session, part, step); error != 0) return error;
    }
  }
  return 0;
}

// Parts in which little was written share a piece.
int SyncInPieces(File& file, WT_SESSION* session, const WrittenParts::Parts& written, PacedSyncs& pace) {
  std::vector<int64_t> parts;
  int64_t bytes = 0;
  for (auto at = written.begin(); at != written.end();) {
    parts.push_back(at->first);
    bytes += at->second;
    if (++at != written.end() && bytes < PacedSyncs::kPieceBytes) continue;
    const auto begun = std::chrono::steady_clock::now();
    if (const int error = SyncParts(file, session, parts); error != 0) return error;
    pace.RestAfter(std::chrono::steady_clock::now() - begun);
    parts.clear();
    bytes = 0;
  }
  return 0;
}

// During one pass, eviction writes more.
int SyncInPasses(File& file, WT_SESSION* session, PacedSyncs& pace) {
  for (int pass = 0; pass < kPassesMax; ++pass) {
    WrittenParts::Parts written = file.written.Take();
    // Parts behind the end are cut soon. The last sync covers new writes there.
    written.erase(written.upper_bound(file.ends_at / WrittenParts::kPartBytes), written.end());
    if (const int error = SyncInPieces(file, session, written, pace); error != 0) return error;
    if (written.size() <= 1) break;
  }
  return 0;
}

int SyncAll(File& file, WT_SESSION* session) {
  MutexLock lock(file.syncing);
  return fdatasync(file.fd.get()) == 0 ? 0 : FailSync(file, session);
}

// Takes one piece off what is behind the file's end; all of it in a hurry. False: there is nothing, or it cannot at
// present.
bool ShortenSome(File& file, WT_SESSION* session, const PacedSyncs& pace) {
  MutexLock lock(file.shortening);
  if (file.ends_at == kAsItIs) return false;
  wt_off_t has = 0;
  if (Size(&file, session, &has) != 0) return false;
  const int64_t behind = std::max<int64_t>(has - file.ends_at, 0);
  const int64_t piece = pace.hurried() ? behind : std::max(PacedSyncs::kCutBytes, behind / kCutPieces);
  if (behind > 0 && ftruncate(file.fd.get(), std::max<int64_t>(file.ends_at, has - piece)) != 0) {
    (void)Failed(file.file_system, session, "truncate", file.name);
    return false;
  }
  if (behind <= piece) file.ends_at = kAsItIs;
  return behind > 0;
}

int SyncAndShorten(File& file, WT_SESSION* session, PacedSyncs& pace) {
  for (;;) {
    const bool shortened = ShortenSome(file, session, pace);
    const int error = SyncInPasses(file, session, pace);
    if (error != 0 && error != ENOTSUP) return error;
    if (!shortened) return 0;
    // The filesystem tells the disk all at once of what it has freed since its journal was last written: of this piece
    // alone.
    const auto begun = std::chrono::steady_clock::now();
    if (const int failed = SyncAll(file, session); failed != 0) return failed;
    pace.RestAfterCut(std::chrono::steady_clock::now() - begun);
  }
}

int Sync(WT_FILE_HANDLE* handle, WT_SESSION* session) noexcept {
  const InCall call(handle);
  auto& file = *static_cast<File*>(handle);
  if (file.unwritten) return 0;
  if (PacedSyncs* const pace = PacedSyncs::OfThisThread(); pace != nullptr && !CannotSync(file)) {
    if (const int error = SyncAndShorten(file, session, *pace); error != 0) return error;
  }
  file.written.Take();
  if (const int error = SyncAll(file, session); error != 0) return error;
  return CannotSync(file) ? EIO : 0;  // asked last, because eviction may have met a failure meanwhile
}

// Sends some of what is written on its way; the next sync still covers it. But what has failed here may be told here
// alone.
int SyncSoon(WT_FILE_HANDLE* handle, WT_SESSION* session) noexcept {
  const InCall call(handle);
  auto& file = *static_cast<File*>(handle);
  if (file.unwritten) return 0;
  const WrittenParts::Parts parts = file.written.NextToSend(kSentBytes);
  if (PacedSyncs* const pace = PacedSyncs::OfThisThread(); pace != nullptr && pace->while_writing()) {
    const int error = SyncInPieces(file, session, parts, *pace);
    return error == ENOTSUP ? 0 : error;
  }
  for (const auto& [part, bytes] : parts) {
    if (const int error = SyncPart(file, session, part, SYNC_FILE_RANGE_WRITE); error != 0) return error;
  }
  return 0;
}

// ---- all files ------------------------------------------------------------------------------------------------------

// 0 for a file that is no link of a view. It is known by the file that it leads to, as a name may change.
int FindUnwritten(WT_FILE_SYSTEM* all, const char* name, std::shared_ptr<UnwrittenFile>& found) {
  auto& files = *static_cast<Files*>(all);
  std::error_code none;
  const std::string target = files.of_view ? std::filesystem::read_symlink(name, none).string() : "";
  if (target.empty()) return 0;
  MutexLock lock(files.mutex);
  std::shared_ptr<UnwrittenFile>& kept = files.unwritten[target];
  if (kept == nullptr) {
    auto opened = UnwrittenFile::Open(name);
    if (!opened) return opened.error();
    kept = *std::move(opened);
  }
  found = kept;
  return 0;
}

int OpenFile(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* name, WT_FS_OPEN_FILE_TYPE type, uint32_t flags,
             WT_FILE_HANDLE** handle) noexcept {
  int how = O_CLOEXEC;
  if (type == WT_FS_OPEN_FILE_TYPE_DIRECTORY) {
    how |= O_RDONLY | O_DIRECTORY;
  } else {
    how |= (flags & WT_FS_OPEN_READONLY) != 0 ? O_RDONLY : O_RDWR;
    if ((flags & WT_FS_OPEN_CREATE) != 0) how |= O_CREAT;
    if ((flags & WT_FS_OPEN_EXCLUSIVE) != 0) how |= O_EXCL;
    if (type == WT_FS_OPEN_FILE_TYPE_DATA) how |= O_NOATIME;  // a read is not to write the inode
  }
  std::shared_ptr<UnwrittenFile> unwritten;
  if (const int error = FindUnwritten(files, name, unwritten)) return Failed(files, session, "open", name, error);
  const int fd = unwritten ? -1 : OpenRetrying(name, how);
  if (fd < 0 && !unwritten) return Failed(files, session, "open", name);
  auto file = std::make_unique<File>(fd);
  file->unwritten = std::move(unwritten);
  if ((how & O_CREAT) != 0 && (flags & WT_FS_OPEN_DURABLE) != 0) {
    if (const int error = SyncDirectoryOf(files, session, name); error != 0) return error;
  }
  file->paced = type == WT_FS_OPEN_FILE_TYPE_DATA && !file->unwritten;
  file->checked = type == WT_FS_OPEN_FILE_TYPE_DATA || type == WT_FS_OPEN_FILE_TYPE_CHECKPOINT;
  file->file_system = files;
  file->name = strdup(name);
  file->close = Close;
  file->fh_extend_nolock = Extend;
  file->fh_lock = Lock;
  file->fh_read = Read;
  file->fh_size = Size;
  file->fh_sync = Sync;
  file->fh_sync_nowait = SyncSoon;
  file->fh_truncate = Truncate;
  file->fh_write = Write;
  const InCall call(file.get());
  *handle = file.release();
  return 0;
}

int ListUpTo(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* directory, const char* prefix, size_t most,
             char*** names, uint32_t* count) {
  *names = nullptr;
  *count = 0;
  DIR* const listed = opendir(directory);
  if (listed == nullptr) return Failed(files, session, "list", directory);
  std::vector<char*> found;
  const std::string_view begins = prefix == nullptr ? "" : prefix;
  int error = 0;
  while (found.size() < most) {
    errno = 0;
    const dirent* const entry = readdir(listed);
    error = errno;
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name.starts_with(begins)) found.push_back(strdup(entry->d_name));
  }
  closedir(listed);
  if (!found.empty()) {
    *names = static_cast<char**>(std::malloc(found.size() * sizeof(char*)));
    std::ranges::copy(found, *names);
    *count = static_cast<uint32_t>(found.size());
  }
  return error == 0 ? 0 : Failed(files, session, "list", directory, error);
}

int List(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* directory, const char* prefix, char*** names,
         uint32_t* count) noexcept {
  return ListUpTo(files, session, directory, prefix, SIZE_MAX, names, count);
}

int ListOne(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* directory, const char* prefix, char*** names,
            uint32_t* count) noexcept {
  return ListUpTo(files, session, directory, prefix, 1, names, count);
}

int FreeList(WT_FILE_SYSTEM*, WT_SESSION*, char** names, uint32_t count) noexcept {
  for (uint32_t i = 0; i < count; ++i) std::free(names[i]);
  std::free(static_cast<void*>(names));
  return 0;
}

int Exists(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* name, bool* exists) noexcept {
  struct stat file{};
  *exists = stat(name, &file) == 0;
  return *exists || errno == ENOENT ? 0 : Failed(files, session, "look at", name);
}

int SizeOf(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* name, wt_off_t* bytes) noexcept {
  std::shared_ptr<UnwrittenFile> unwritten;
  if (const int error = FindUnwritten(files, name, unwritten)) return Failed(files, session, "look at", name, error);
  struct stat file{};
  if (!unwritten && stat(name, &file) != 0) return Failed(files, session, "look at", name);
  *bytes = unwritten ? unwritten->size() : file.st_size;
  return 0;
}

int Remove(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* name, uint32_t flags) noexcept {
  if (FileRecycler::Remove(name) != 0) return Failed(files, session, "remove", name);
  return (flags & WT_FS_DURABLE) != 0 ? SyncDirectoryOf(files, session, name) : 0;
}

// All names are of one directory: a store has no other.
int Rename(WT_FILE_SYSTEM* files, WT_SESSION* session, const char* from, const char* to, uint32_t flags) noexcept {
  if (rename(from, to) != 0) return Failed(files, session, "rename", from);
  return (flags & WT_FS_DURABLE) != 0 ? SyncDirectoryOf(files, session, to) : 0;
}

int Terminate(WT_FILE_SYSTEM* files, WT_SESSION*) noexcept {
  delete static_cast<Files*>(files);
  return 0;
}

int UseFiles(WT_CONNECTION* connection, bool of_view) {
  auto files = std::make_unique<Files>();
  files->api = connection->get_extension_api(connection);
  files->of_view = of_view;
  files->fs_directory_list = List;
  files->fs_directory_list_single = ListOne;
  files->fs_directory_list_free = FreeList;
  files->fs_exist = Exists;
  files->fs_open_file = OpenFile;
  files->fs_remove = Remove;
  files->fs_rename = Rename;
  files->fs_size = SizeOf;
  files->terminate = Terminate;
  const int error = connection->set_file_system(connection, files.get(), nullptr);
  if (error == 0) (void)files.release();
  return error;
}

}  // namespace

// ---- pace -----------------------------------------------------------------------------------------------------------

PacedSyncs::PacedSyncs(std::function<bool()> hurried, Duration rests_max)
    : PacedSyncs(std::move(hurried), rests_max, kRestFrom, /*while_writing=*/false) {}

PacedSyncs::PacedSyncs(std::function<bool()> hurried, Duration rests_max, int rest_from, bool while_writing)
    : hurried_(std::move(hurried)),
      rest_from_(rest_from),
      while_writing_(while_writing),
      rests_left_(rests_max),
      cut_rests_left_(rests_max) {
  CHECK(paced == nullptr) << "syncs are paced already";
  paced = this;
}

PacedSyncs::~PacedSyncs() { paced = nullptr; }

PacedSyncs* PacedSyncs::OfThisThread() { return paced; }

Duration PacedSyncs::RestAfter(Duration piece) {
  ++pieces_;
  return Rest(rest_from_ * piece, rests_left_);
}

Duration PacedSyncs::RestAfterCut(Duration piece) {
  ++cuts_;
  return Rest(std::max(kRestFrom * piece, kCutRestMin), cut_rests_left_);
}

Duration PacedSyncs::Rest(Duration wanted, Duration& left) {
  const Duration rest = std::min({wanted, kRestMax, left});
  if (rest <= Duration::zero() || hurried_()) return Duration::zero();
  std::this_thread::sleep_for(rest);
  left -= rest;
  return rest;
}

UncachedReads::UncachedReads() { uncached = true; }

UncachedReads::~UncachedReads() { uncached = false; }

void WrittenParts::Note(int64_t offset, int64_t bytes) {
  MutexLock lock(mutex_);
  while (bytes > 0) {
    const int64_t in_part = std::min(bytes, kPartBytes - offset % kPartBytes);
    written_[offset / kPartBytes] += in_part;
    offset += in_part;
    bytes -= in_part;
  }
}

WrittenParts::Parts WrittenParts::NextToSend(int64_t bytes_max) {
  MutexLock lock(mutex_);
  Parts next;
  while (!written_.empty() && bytes_max > 0) {
    auto at = written_.lower_bound(next_);
    if (at == written_.end()) at = written_.begin();
    next_ = at->first + 1;
    bytes_max -= at->second;
    sent_[at->first] += at->second;
    next.insert(*at);
    written_.erase(at);
  }
  return next;
}

WrittenParts::Parts WrittenParts::Take() {
  MutexLock lock(mutex_);
  Parts all = std::exchange(sent_, {});
  for (const auto& [part, bytes] : std::exchange(written_, {})) all[part] += bytes;
  return all;
}

}  // namespace ebla::tabletserver

int EblaUseWtFiles(WT_CONNECTION* connection, WT_CONFIG_ARG*) noexcept {
  return ebla::tabletserver::UseFiles(connection, /*of_view=*/false);
}

int EblaUseWtFilesOfView(WT_CONNECTION* connection, WT_CONFIG_ARG*) noexcept {
  return ebla::tabletserver::UseFiles(connection, /*of_view=*/true);
}
