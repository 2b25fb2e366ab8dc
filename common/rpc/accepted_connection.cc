#include "common/rpc/accepted_connection.h"

#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace ebla::rpc {
namespace {

constexpr Duration kLinger = std::chrono::milliseconds(250);

}  // namespace

AcceptedConnection::AcceptedConnection(std::shared_ptr<ConnectionLoop> home, int fd, std::string peer,
                                       std::unique_ptr<security::TlsSession> tls)
    : home_(std::move(home)), peer_(std::move(peer)), fd_(fd), stream_(fd, std::move(tls)) {
  event_assign(
      &read_event_, home_->loop.base(), fd, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<AcceptedConnection*>(self)->OnReadable(); }, this);
  event_assign(
      &write_event_, home_->loop.base(), fd, EV_WRITE,
      [](evutil_socket_t, short, void* self) {
        const auto alive = static_cast<AcceptedConnection*>(self)->shared_from_this();
        alive->OnTurnEnd();
      },
      this);
}

AcceptedConnection::~AcceptedConnection() { CHECK_EQ(fd_, -1) << "a connection was destroyed without being closed"; }

void AcceptedConnection::Close() {
  if (fd_ < 0) return;
  const auto alive = shared_from_this();
  event_del(&read_event_);
  event_del(&write_event_);
  home_->loop.Withdraw(this);
  close(std::exchange(fd_, -1));
  if (std::exchange(watched_, false)) home_->Watch(false);
  home_->Account(std::exchange(held_, 0), 0);
  if (std::exchange(stranger_, false)) home_->CountStranger(false);
  received_.Drop(0);
  std::string().swap(out_);
  out_sent_ = 0;
  OnClosed();
  home_->Remove(*this);
}

void AcceptedConnection::NoteBroken(const std::string& why) {
  home_->counters.broken.Add(1);
  LogBroken(why);
}

void AcceptedConnection::Break(const std::string& why) {
  if (fd_ < 0) return;
  NoteBroken(why);
  Close();
}

void AcceptedConnection::Drain() {
  ending_ = true;
  received_.Drop(0);
  UpdateReading();
  FinishDrain();
}

// Says to the client that this was all, and waits a little for it to close, as closing at once with bytes unread would
// destroy replies that are still under way. Idle clients may never notice: they are not waited for.
void AcceptedConnection::FinishDrain() {
  if (fd_ < 0 || !ending_ || shut_ || Busy() || unsent() > 0) return;
  if (ended_) return Close();  // nothing of it is unread
  shut_ = true;
  shutdown(fd_, SHUT_WR);
  UpdateReading();
  home_->loop.After(kLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Close();
  });
}

void AcceptedConnection::UpdateReading() {
  const bool want = fd_ >= 0 && !ended_ && (ending_ ? shut_ : HasRoom());
  if (want == reading_ || fd_ < 0) return;
  reading_ = want;
  if (want) {
    event_add(&read_event_, nullptr);
    NoteProgress();  // while it was not read, the client could not go on
  } else {
    event_del(&read_event_);
  }
}

void AcceptedConnection::Report(size_t held, bool waits) {
  waits = waits || unsent() > 0;
  if (waits != watched_) {
    watched_ = waits;
    home_->Watch(waits);
  }
  const size_t before = std::exchange(held_, held);
  if (held != before && home_->Account(before, held) && held > before) home_->BreakLargest(*this);
}

void AcceptedConnection::SetStranger(bool stranger) {
  if (fd_ < 0 || stranger == stranger_) return;
  stranger_ = stranger;
  home_->CountStranger(stranger);
  if (!stranger) return;
  stranger_tick_ = home_->tick();
  home_->Admit(shared_from_this());
}

void AcceptedConnection::OnSweep() {
  if (!watched_) return;
  if (unsent() > 0 && home_->IsUnreadTooLong(sent_tick_)) {
    Break("it does not read its replies (" + std::to_string(unsent()) + " bytes wait)");
  } else if (stranger_ && home_->IsHalfSentTooLong(stranger_tick_)) {
    Break(stream_.established() ? "it did not log in in time" : "it did not finish the TLS handshake in time");
  } else if (const std::optional<std::string> why = Overdue()) {
    Break(*why);
  }
}

Result<std::optional<std::string_view>> AcceptedConnection::Receive() {
  Result<std::optional<std::string_view>> received = stream_.Receive(home_->buffers);
  ended_ = ended_ || !received.has_value() || !received->has_value();
  if (!ended_ && stream_.pending() > 0) event_add(&write_event_, nullptr);
  return received;
}

std::string& AcceptedConnection::Outgoing() {
  if (unsent() == 0) sent_tick_ = home_->tick();
  if (out_.empty()) out_ = home_->TakeBuffer();
  return out_;
}

void AcceptedConnection::AppendLarge(std::string bytes) {
  if (!out_.empty()) {
    out_.append(bytes);
    return;
  }
  if (unsent() == 0) sent_tick_ = home_->tick();
  out_ = std::move(bytes);
}

bool AcceptedConnection::Flush() {
  if (event_pending(&write_event_, EV_WRITE, nullptr) != 0) return false;
  if (fd_ < 0 || unsent() == 0) return true;
  const size_t before = unsent();
  const Result<size_t> sent = stream_.Send(std::string_view(out_).substr(out_sent_));
  if (!sent.has_value()) {
    OnUnsendable();
    return true;
  }
  out_sent_ += *sent;
  home_->counters.bytes_out.Add(*sent);
  if (unsent() < before) sent_tick_ = home_->tick();  // TLS may send what it took before, and take nothing
  if (out_sent_ == out_.size()) {
    out_sent_ = 0;
    home_->GiveBuffer(std::exchange(out_, {}));
    if (stream_.pending() == 0) return true;
  } else if (out_sent_ > out_.size() / 2) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  event_add(&write_event_, nullptr);
  return true;
}

void AcceptedConnection::GiveUpSending() {
  event_del(&write_event_);
  std::string().swap(out_);
  out_sent_ = 0;
  stream_.DropPending();
  ended_ = ended_ || stream_.secure();
}

}  // namespace ebla::rpc
