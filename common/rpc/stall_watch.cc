#include "common/rpc/stall_watch.h"

#include <absl/debugging/symbolize.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <glog/logging.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"

namespace ebla::rpc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kFramesMax = 48;
constexpr int kFramesTold = 14;
constexpr int kHandlerFrames = 2;  // the handler itself, and its return to the thread
constexpr std::chrono::milliseconds kAnswersWithin{50};
constexpr size_t kNameBytesMax = 100;
constexpr std::chrono::minutes kLinesWithin{1};

int StackSignal() { return SIGRTMIN + 5; }

// The stack that the handler of a stalled thread writes. The signal carries its address.
struct Capture {
  std::atomic<bool> answered{false};
  std::array<void*, kFramesMax> frames{};
  int count = 0;
};

// Captures without an answer in time, because their handlers may run late. Never destroyed.
struct LateCaptures {
  void Keep(std::unique_ptr<Capture> capture) {
    const MutexLock lock(mutex);
    std::erase_if(captures, [](const auto& one) { return one->answered.load(std::memory_order_acquire); });
    captures.push_back(std::move(capture));
  }
  Mutex mutex;
  std::vector<std::unique_ptr<Capture>> captures EBLA_GUARDED_BY(mutex);
};

LateCaptures& TheLateCaptures() {
  static LateCaptures* const late = new LateCaptures;
  return *late;
}

// From this process alone, as no other knows an address here.
void OnSignal(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE || info->si_pid != getpid()) return;
  const int before = errno;
  auto& capture = *static_cast<Capture*>(info->si_value.sival_ptr);
  capture.count = backtrace(capture.frames.data(), static_cast<int>(capture.frames.size()));
  capture.answered.store(true, std::memory_order_release);
  errno = before;
}

bool Ask(pid_t thread, Capture* capture) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = capture;
  return syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, StackSignal(), &info) == 0;
}

// The first backtrace() loads a library, which no handler may.
void Prepare() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::array<void*, 2> frames{};
    (void)backtrace(frames.data(), static_cast<int>(frames.size()));
    struct sigaction action{};
    action.sa_sigaction = OnSignal;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    PCHECK(sigaction(StackSignal(), &action, nullptr) == 0);
    absl::InitializeSymbolizer("/proc/self/exe");
  });
}

std::string NameOf(void* frame) {
  std::array<char, 1024> name{};
  void* const call = static_cast<char*>(frame) - 1;  // the frame has the address behind the call
  if (absl::Symbolize(call, name.data(), static_cast<int>(name.size()))) {
    std::string all = name.data();
    constexpr std::string_view kUnnamed = "(anonymous namespace)::";
    for (size_t at; (at = all.find(kUnnamed)) != std::string::npos;) all.erase(at, kUnnamed.size());
    return all.substr(0, std::min(all.find('('), kNameBytesMax));
  }
  Dl_info in{};
  if (dladdr(call, &in) == 0 || in.dli_fname == nullptr) return "?";
  const std::string_view file = in.dli_fname;
  char text[32];
  std::snprintf(text, sizeof text, "+0x%zx",
                static_cast<size_t>(static_cast<char*>(call) - static_cast<char*>(in.dli_fbase)));
  return std::string(file.substr(file.rfind('/') + 1)) + text;
}

// Empty: the thread has not answered in time.
std::string StackOf(pid_t thread) {
  auto capture = std::make_unique<Capture>();
  if (!Ask(thread, capture.get())) return {};
  const Clock::time_point until = Clock::now() + kAnswersWithin;
  while (!capture->answered.load(std::memory_order_acquire)) {
    if (Clock::now() >= until) {
      TheLateCaptures().Keep(std::move(capture));
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::string stack;
  const int end = std::min(capture->count, kHandlerFrames + kFramesTold);
  for (int i = kHandlerFrames; i < end; ++i)
    stack += (stack.empty() ? "" : " < ") + NameOf(capture->frames[static_cast<size_t>(i)]);
  return stack;
}

// "S in futex_wait_queue": the state that proc_pid_stat(5) explains, and the function of the kernel that it waits in.
std::string StateOf(pid_t thread) {
  const std::string directory = "/proc/self/task/" + std::to_string(thread) + "/";
  std::string stat, place;
  std::getline(std::ifstream(directory + "stat"), stat);
  std::getline(std::ifstream(directory + "wchan"), place);
  const size_t name = stat.rfind(") ");
  std::string state = name == std::string::npos ? "?" : stat.substr(name + 2, 1);
  return place.empty() || place == "0" ? state : state + " in " + place;
}

std::string Milliseconds(Clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

}  // namespace

class StallWatch::Impl {
 public:
  Impl(const std::vector<EventLoop*>& loops, Tell tell) : tell_(std::move(tell)) {
    Prepare();
    for (EventLoop* loop : loops) Give(loops_.emplace_back(std::make_shared<Watched>(*loop)), Clock::now());
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "stall-watch");
      Run();
    });
  }
  ~Impl() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      stop_.NotifyAll();
    }
    thread_.join();
  }
  std::vector<Figures> figures() const {
    const MutexLock lock(mutex_);
    std::vector<Figures> all;
    for (const auto& one : loops_) all.push_back(one->figures);
    return all;
  }

 private:
  // A loop, and the task that it was given last.
  struct Watched {
    explicit Watched(EventLoop& loop) : loop(loop), figures{.loop = loop.name()} {}
    EventLoop& loop;
    // Written by the task, on whichever thread runs the loop.
    std::atomic<pid_t> thread{0};
    std::atomic<Clock::duration> ran{};
    std::atomic<bool> waits{false};
    // The watch's.
    Clock::time_point given;
    Clock::duration tell_at = kLong;
    Figures figures;  // changed with mutex_
  };

  void Run() {
    while (true) {
      const Clock::time_point planned = Clock::now() + kLong;
      {
        const MutexLock lock(mutex_);
        while (!stopping_ && stop_.WaitUntil(mutex_, planned)) continue;
        if (stopping_) return;
      }
      const Clock::time_point now = Clock::now();
      for (const auto& one : loops_) Look(one, now, now - planned);
    }
  }

  // `late`: this thread itself. If it is late as well, the machine was suspended, or had no processor for the process.
  void Look(const std::shared_ptr<Watched>& one, Clock::time_point now, Clock::duration late) {
    const std::string of = "the loop " + one->loop.name() + " ";
    const std::string also = late < kLong / 2 ? "" : "; the watch itself was " + Milliseconds(late) + " late";
    if (one->waits.load(std::memory_order_acquire)) {
      const Clock::duration lasts = now - one->given;
      if (lasts < one->tell_at) return;
      one->tell_at *= 10;
      if (!MayTell(now)) return;
      const pid_t thread = one->thread;
      const std::string state = StateOf(thread);  // before the signal changes it
      const std::string stack = StackOf(thread);
      Say(of + "has been held up for " + Milliseconds(lasts) + ": " + (stack.empty() ? "no stack" : stack) +
          " (state " + state + also + ")");
      return;
    }
    if (const Clock::duration lasted = one->ran.load() - one->given.time_since_epoch(); lasted >= kLong) {
      if (MayTell(now)) Say(of + "was held up for " + Milliseconds(lasted) + also);
      const MutexLock lock(mutex_);
      ++one->figures.stalls;
      one->figures.stalled += lasted;
    }
    Give(one, now);
  }

  static void Give(const std::shared_ptr<Watched>& one, Clock::time_point now) {
    one->tell_at = kLong;
    one->given = now;
    one->waits = true;
    one->loop.Post([one] {
      one->thread = static_cast<pid_t>(syscall(SYS_gettid));
      one->ran = Clock::now().time_since_epoch();
      one->waits.store(false, std::memory_order_release);
    });
  }

  // On a machine that is overloaded every loop stalls all the time.
  bool MayTell(Clock::time_point now) {
    if (now - lines_from_ >= kLinesWithin) {
      if (untold_ > 0) Say(std::to_string(untold_) + " more lines on loops that were held up are left out");
      lines_from_ = now;
      told_ = untold_ = 0;
    }
    ++(told_ < kLinesMax ? told_ : untold_);
    return untold_ == 0;
  }

  void Say(const std::string& line) const {
    if (tell_) return tell_(line);
    LOG(WARNING) << line;
  }

  const Tell tell_;
  // The watch's.
  Clock::time_point lines_from_;
  int told_ = 0, untold_ = 0;
  std::vector<std::shared_ptr<Watched>> loops_;
  mutable Mutex mutex_;
  CondVar stop_;
  bool stopping_ EBLA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

StallWatch::StallWatch(const std::vector<EventLoop*>& loops, Tell tell)
    : impl_(std::make_unique<Impl>(loops, std::move(tell))) {}

StallWatch::~StallWatch() = default;

std::vector<StallWatch::Figures> StallWatch::figures() const { return impl_->figures(); }

}  // namespace ebla::rpc
