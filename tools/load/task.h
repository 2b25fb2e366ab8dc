// tools/load/task.h
// The result of a coroutine that other coroutines await: `const Status status = co_await database.Read(...)`.
// Lazily:  it runs from when it is awaited, or started, up to its first wait; then task_loop.h resumes it.
// Errors:  an exception that leaves a coroutine ends the program.
// Memory:  the coroutine lives in the Task. If an argument is a reference or a view, its target must outlive the Task;
//          `co_await` of a call ensures that by itself.
// Stack:   a loop over tasks that never wait does not grow it, with or without tail calls.
// GCC 12:  compiles a body that begins with `if (co_await ...)` to nonsense, and `co_await (a ? b() : c())` too. So
//          name the result of an await, and the awaited task, in variables.
// Threads: those of one loop.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace ebla::load {

namespace internal {

struct PromiseBase {
  struct Final {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      if (const auto awaiting = ended.promise().awaiting) awaiting.resume();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::terminate(); }

  std::coroutine_handle<> awaiting;  // set once this one has had to wait
};

template <class T>
struct Promise : PromiseBase {
  std::coroutine_handle<Promise> get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
  void return_value(T result) { value.emplace(std::move(result)); }
  T Take() { return *std::move(value); }

  std::optional<T> value;
};

template <>
struct Promise<void> : PromiseBase {
  std::coroutine_handle<Promise> get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
  void return_void() {}
  void Take() {}
};

}  // namespace internal

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::Promise<T>;

  // Implicit: the compiler makes it of what the promise gives.
  Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  // Once, unless it is waited for.
  void Start() { coroutine_.resume(); }
  bool done() const { return coroutine_.done(); }
  // Once it is done.
  T Take() { return coroutine_.promise().Take(); }

  // For co_await.
  bool await_ready() { return false; }
  bool await_suspend(std::coroutine_handle<> awaiting) {
    coroutine_.resume();
    if (coroutine_.done()) return false;
    coroutine_.promise().awaiting = awaiting;
    return true;
  }
  T await_resume() { return Take(); }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace ebla::load
