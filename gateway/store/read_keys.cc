#include "gateway/store/read_keys.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace ebla::gateway {
namespace {

constexpr size_t kReadAtOnce = 64;

struct KeyReads : std::enable_shared_from_this<KeyReads> {
  Store& store;
  const std::vector<std::string> keys;
  const Freshness freshness;
  const Until until;
  TakeRecord take;
  std::move_only_function<void()> done;
  size_t at = 0;

  KeyReads(Store& in, std::vector<std::string> all, Freshness how, Until deadline, TakeRecord each,
           std::move_only_function<void()> end)
      : store(in), keys(std::move(all)), freshness(how), until(deadline), take(std::move(each)), done(std::move(end)) {}

  void Next() {
    if (at == keys.size()) return done();
    const auto first = keys.begin() + static_cast<ptrdiff_t>(at);
    const auto count = static_cast<ptrdiff_t>(std::min(kReadAtOnce, keys.size() - at));
    store.MultiGet({first, first + count}, freshness, until,
                   [self = shared_from_this()](std::vector<Result<Record>> records) {
                     for (Result<Record>& record : records) {
                       if (!self->take(self->keys[self->at++], std::move(record))) return self->done();
                     }
                     self->Next();
                   });
  }
};

}  // namespace

void ReadKeys(Store& store, std::vector<std::string> keys, Freshness freshness, Until until, TakeRecord take,
              std::move_only_function<void()> done) {
  std::make_shared<KeyReads>(store, std::move(keys), freshness, until, std::move(take), std::move(done))->Next();
}

}  // namespace ebla::gateway
