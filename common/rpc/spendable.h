// common/rpc/spendable.h
// A reply that its handler needs no more once it has answered with it. A caller in the same process is given what is in
// it, not a copy: the generated callbacks take their reply as const.
#pragma once

#include <memory>
#include <utility>

namespace ebla::rpc {

// Not to be declared const.
template <class Reply>
class Spendable final : public Reply {};

// Its contents, else a copy.
template <class Reply>
std::shared_ptr<Reply> TakeOrCopy(const Reply& reply) {
  const auto* const spendable = dynamic_cast<const Spendable<Reply>*>(&reply);
  if (spendable == nullptr) return std::make_shared<Reply>(reply);
  return std::make_shared<Reply>(static_cast<Reply&&>(const_cast<Spendable<Reply>&>(*spendable)));
}

}  // namespace ebla::rpc
