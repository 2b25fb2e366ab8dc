#include "common/coordination/coordinator.h"

#include <memory>

namespace ebla::coordination {

Op Op::Create(std::string path, std::string data, CreateMode mode) {
  return {Kind::kCreate, std::move(path), std::move(data), kAnyVersion, mode};
}

Op Op::Set(std::string path, std::string data, int version) {
  return {Kind::kSet, std::move(path), std::move(data), version, CreateMode::kPersistent};
}

Op Op::Delete(std::string path, int version) {
  return {Kind::kDelete, std::move(path), {}, version, CreateMode::kPersistent};
}

Op Op::Check(std::string path, int version) {
  return {Kind::kCheck, std::move(path), {}, version, CreateMode::kPersistent};
}

void EnsurePath(Coordinator& coordinator, std::string path, Callback<Status> done) {
  // All creates at once: they are carried out, and answered, in their order. The last one's answer is the outcome, as
  // it fails when an earlier one did.
  auto last = std::make_shared<Callback<Status>>(std::move(done));
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const bool is_last = end == std::string::npos;
    coordinator.Multi({Op::Create(path.substr(0, end), "")},
                      [last, is_last](std::expected<MultiResult, MultiError> result) {
                        if (!is_last) return;
                        const bool there = result.has_value() || result.error().node_exists;
                        (*last)(there ? Status::Ok() : result.error().status);
                      });
    if (is_last) return;
  }
}

}  // namespace ebla::coordination
