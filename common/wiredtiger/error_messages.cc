#include "common/wiredtiger/error_messages.h"

#include <glog/logging.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/system_error.h"

namespace ebla::wiredtiger {
namespace {

constexpr size_t kKept = 4;
constexpr size_t kBytesMax = 400;  // of a message
constexpr std::string_view kDamagedAt = " is damaged at byte ";

// Dumps of damaged blocks, in pieces.
bool IsDump(std::string_view message) { return message.contains("__wt_bm_corrupt_dump"); }

bool TellsOfBlock(std::string_view message) {
  return message.contains(kDamagedAt) || message.contains("read checksum error");
}

bool NamesFile(std::string_view message) {
  return message.contains(".wt") || message.contains(".turtle") || message.contains("WiredTigerLog.");
}

}  // namespace

ErrorMessages::ErrorMessages(std::string prefix, Log log)
    : WT_EVENT_HANDLER{OnError, OnMessage, nullptr, nullptr}, prefix_(std::move(prefix)), log_(log) {}

int ErrorMessages::OnError(WT_EVENT_HANDLER* self, WT_SESSION*, int error, const char* message) {
  auto* const messages = static_cast<ErrorMessages*>(self);
  if (messages->log_ == Log::kErrors)
    LOG(ERROR) << messages->prefix_ << message;
  else
    VLOG(1) << messages->prefix_ << message;
  if (IsOfThisMoment(error)) messages->of_this_moment_ = true;
  messages->Add(message);
  return 0;
}

int ErrorMessages::OnMessage(WT_EVENT_HANDLER* self, WT_SESSION*, const char* message) {
  VLOG(1) << static_cast<ErrorMessages*>(self)->prefix_ << message;
  return 0;
}

void ErrorMessages::Add(std::string message) {
  if (IsDump(message)) return;
  if (message.size() > kBytesMax) message.replace(kBytesMax, message.npos, "...");
  MutexLock lock(mutex_);
  if (TellsOfBlock(message)) {
    block_ = std::move(message);
    return;
  }
  kept_.push_back(std::move(message));
  if (kept_.size() <= kKept) return;
  const auto without_file = std::ranges::find_if_not(kept_, NamesFile);
  kept_.erase(without_file == kept_.end() ? kept_.begin() : without_file);
}

std::string ErrorMessages::All() const {
  MutexLock lock(mutex_);
  std::string all = block_;
  for (const std::string& message : kept_) all += (all.empty() ? "" : "; ") + message;
  return all.empty() ? all : " (" + all + ")";
}

std::string ErrorMessages::DamagedBlock() const {
  MutexLock lock(mutex_);
  const size_t at = block_.find(kDamagedAt);
  if (at == block_.npos) return {};
  const size_t before = block_.rfind(": ", at);
  return before == block_.npos ? block_ : block_.substr(before + 2);
}

std::string ErrorMessages::Suspects(const std::string& directory) const {
  if (All().contains(directory + "/")) return {};
  return ", where " + directory + "/WiredTiger.turtle or WiredTiger.wt may be damaged";
}

}  // namespace ebla::wiredtiger
