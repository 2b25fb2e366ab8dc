#include "tools/backup/directory_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace ebla::backup {
namespace {

constexpr std::string_view kUnfinished = ".unfinished";

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

Error Failed(const std::string& what, const std::string& path) {
  return Error(Code::kInternal, "cannot " + what + " " + path + ": " + std::strerror(errno));
}

Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return done ? Status() : Status(Failed("sync", directory));
}

// An empty file with a lock against other writers. Null with EWOULDBLOCK: another process writes it.
File OpenUnfinished(const std::string& path) {
  while (true) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return {nullptr, &std::fclose};
    File file(fdopen(fd, "w"), &std::fclose);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int failed = errno;
      file.reset();
      errno = failed;
      return file;
    }
    // Between the two it may have been finished, and is another object by now.
    struct stat held, named;
    const bool same = fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino;
    if (same) return ftruncate(fd, 0) == 0 ? std::move(file) : File{nullptr, &std::fclose};
  }
}

class FileWriter : public ObjectWriter {
 public:
  FileWriter(File file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  ~FileWriter() override {
    if (file_ != nullptr) std::remove((path_ + std::string(kUnfinished)).c_str());
  }

  Status Write(std::string_view bytes) override {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return Failed("write", path_);
    return {};
  }
  Status Finish() override {
    if (std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0) return Failed("write", path_);
    // Renamed before the file is closed, because then another process may write it.
    if (std::rename((path_ + std::string(kUnfinished)).c_str(), path_.c_str()) != 0) return Failed("name", path_);
    if (std::fclose(file_.release()) != 0) return Failed("close", path_);
    return SyncDirectory(std::filesystem::path(path_).parent_path());
  }

 private:
  File file_;
  const std::string path_;
};

class FileReader : public ObjectReader {
 public:
  FileReader(File file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  Result<std::string> Read(size_t bytes) override {
    std::string read(bytes, '\0');
    read.resize(std::fread(read.data(), 1, bytes, file_.get()));
    if (std::ferror(file_.get()) != 0) return Failed("read", path_);
    return read;
  }

 private:
  File file_;
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<ObjectWriter>> DirectoryStore::Create(const std::string& name) {
  const std::string path = LocationOf(name);
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code failed;
  std::filesystem::create_directories(parent, failed);
  if (failed) return Error(Code::kInvalidArgument, "cannot make " + parent.string() + ": " + failed.message());
  File file = OpenUnfinished(path + std::string(kUnfinished));
  if (file == nullptr && errno == EWOULDBLOCK)
    return Error(Code::kUnavailable, path + " is being written by another process");
  if (file == nullptr) return Failed("write", path);
  return std::make_unique<FileWriter>(std::move(file), path);
}

Result<std::unique_ptr<ObjectReader>> DirectoryStore::Open(const std::string& name) {
  const std::string path = LocationOf(name);
  File file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr)
    return Error(errno == ENOENT ? Code::kNotFound : Code::kInvalidArgument,
                 "cannot read " + path + ": " + std::strerror(errno));
  return std::make_unique<FileReader>(std::move(file), path);
}

Result<bool> DirectoryStore::Exists(const std::string& name) {
  std::error_code failed;
  const bool there = std::filesystem::exists(LocationOf(name), failed);
  if (failed) return Error(Code::kInvalidArgument, "cannot read " + LocationOf(name) + ": " + failed.message());
  return there;
}

Result<std::vector<std::string>> DirectoryStore::List(const std::string& folder) {
  std::error_code failed;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry(LocationOf(folder), failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string name = entry->path().filename();
    std::error_code gone;
    names.push_back(entry->is_directory(gone) ? name + "/" : name);
  }
  if (failed == std::errc::no_such_file_or_directory && !folder.empty()) return names;
  if (failed) return Error(Code::kInvalidArgument, "cannot read " + LocationOf(folder) + ": " + failed.message());
  std::ranges::sort(names);
  return names;
}

Status DirectoryStore::Delete(const std::string& name) {
  const std::string path = LocationOf(name);
  if (std::remove(path.c_str()) != 0 && errno != ENOENT) return Failed("delete", path);
  // Fails while something is left in it.
  if (name.find('/') != std::string::npos) rmdir(std::filesystem::path(path).parent_path().c_str());
  return {};
}

}  // namespace ebla::backup
