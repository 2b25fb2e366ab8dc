#include "tests/bench/compare/ebla_standalone.h"

#include <glog/logging.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/rpc/channel.h"
#include "test_paths.h"
#include "tools/cluster/probe.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStartTimeMax{60}, kMetricsTimeMax{30};

}  // namespace

EblaStandalone::EblaStandalone(const std::string& directory, const std::vector<std::string>& flags)
    : data_dir_(directory + "/data") {
  const std::filesystem::path program = std::filesystem::path(kBinaryDir) / "bin/ebla-standalone";
  std::vector<std::string> command = {program.string(), "--data_dir=" + data_dir_, "--listen=127.0.0.1:0",
                                      "--http_listen=127.0.0.1:0"};
  command.insert(command.end(), flags.begin(), flags.end());
  std::filesystem::remove(data_dir_ + "/ADDRESS");  // of one before it
  auto process = MeasuredProcess::Start(std::move(command), directory);
  CHECK(process.has_value()) << process.error();
  process_.emplace(*std::move(process));
  auto client = Client::Connect({.masters = {Address("thrift")}});
  CHECK(client.has_value()) << client.error();
  client_.emplace(*std::move(client));
}

double EblaStandalone::Metric(const std::string& name) const {
  const auto address = rpc::Endpoint::Parse(Address("http"));
  CHECK(address.has_value()) << address.error();
  const auto page = cluster::GetPage(address->host, address->port, "/metrics", kMetricsTimeMax);
  CHECK(page.has_value()) << page.error();
  const std::string before = "\nebla_" + name + " ";
  const size_t at = page->find(before);
  CHECK(at != std::string::npos) << "ebla-standalone has no figure " << name;
  return std::strtod(page->c_str() + at + before.size(), nullptr);
}

std::string EblaStandalone::Address(const std::string& kind) const {
  for (const auto limit = Clock::now() + kStartTimeMax;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    if (std::string address = cluster::AddressIn(data_dir_, kind); !address.empty()) return address;
    CHECK(process_->alive() && Clock::now() < limit) << "ebla-standalone does not start in " << data_dir_;
  }
}

}  // namespace ebla::bench
