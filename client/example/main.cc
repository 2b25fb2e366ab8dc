// client/example/main.cc
// A shopping cart in a few calls, which show what most programs need of the SDK.
// Usage: example [host:port of a master]
#include <ebla/ebla.h>

#include <chrono>
#include <future>
#include <iostream>

using namespace std::chrono_literals;

namespace {

// Prints the failure; true if there was none.
template <class T>
bool Ok(const char* what, const ebla::Result<T>& result) {
  if (!result) std::cerr << what << ": " << result.error() << std::endl;
  return result.has_value();
}

// Adds one item while other clients change the cart, too, so it writes the cart only if it is as it was read.
ebla::Result<ebla::Version> AddItem(const ebla::Table& carts, const std::string& user, const std::string& item) {
  while (true) {
    const auto cart = carts.Get(user);
    if (!cart && cart.error().code() != ebla::Code::kNotFound) return ebla::Error(cart.error());
    const auto put = cart ? carts.Put(user, cart->value + "," + item, {.ttl = 30min, .if_version = cart->version})
                          : carts.Put(user, item, {.ttl = 30min, .if_absent = true});
    if (put || put.error().code() != ebla::Code::kConditionFailed) return put;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto client = ebla::Client::Connect({.masters = {argc > 1 ? argv[1] : "127.0.0.1:7400"}});
  if (!Ok("connect", client)) return 1;
  const auto made = client->CreateTable("carts", {.table = {.replicas = 1}, .split_points = {"m"}});
  if (!made && made.error().code() != ebla::Code::kTableExists) return Ok("create table", made) ? 0 : 1;
  const auto carts = client->OpenTable("carts");
  if (!Ok("open table", carts)) return 1;

  for (const char* item : {"apples", "bread", "wine"}) {
    if (!Ok("add item", AddItem(*carts, "user42", item))) return 1;
  }
  const auto visits = carts->Increment("visits:user42", 1);
  if (!Ok("increment", visits)) return 1;

  // Asynchronous, many at a time on one connection.
  std::promise<ebla::Result<ebla::Record>> got;
  carts->AsyncGet("user42", {.read = ebla::Read::Bounded(2s)},
                  [&got](ebla::Result<ebla::Record> record) { got.set_value(std::move(record)); });
  const auto cart = got.get_future().get();
  if (!Ok("get", cart)) return 1;
  std::cout << "cart: " << cart->value << "  version " << cart->version << "  visits " << *visits << std::endl;

  // A user's own writes are visible to that user, whichever replica answers the next request.
  ebla::Session session = client->NewSession();
  if (!Ok("put", carts->Put("theme:user42", "dark", {.session = &session}))) return 1;
  if (!Ok("get", carts->Get("theme:user42", {.read = ebla::Read::InSession(), .session = &session}))) return 1;

  auto scan = carts->Scan();
  while (scan.Next()) std::cout << scan.key() << " = " << scan.record().value << std::endl;
  if (!scan.status().ok()) std::cerr << "scan: " << scan.status() << std::endl;
  return scan.status().ok() ? 0 : 1;
}
