#include "tests/bench/compare/ebla_standalone.h"

#include <glog/logging.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "test_paths.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStartTimeMax{60};

}  // namespace

EblaStandalone::EblaStandalone(const std::string& directory, const std::vector<std::string>& flags) {
  const std::filesystem::path program = std::filesystem::path(kBinaryDir) / "bin/ebla-standalone";
  std::vector<std::string> command = {program.string(), "--data_dir=" + directory + "/data", "--listen=127.0.0.1:0",
                                      "--http_listen=127.0.0.1:0"};
  command.insert(command.end(), flags.begin(), flags.end());
  std::filesystem::remove(directory + "/data/ADDRESS");  // of one before it
  auto process = MeasuredProcess::Start(std::move(command), directory);
  CHECK(process.has_value()) << process.error();
  process_.emplace(*std::move(process));
  auto client = Client::Connect({.masters = {Address(directory + "/data/ADDRESS")}});
  CHECK(client.has_value()) << client.error();
  client_.emplace(*std::move(client));
}

std::string EblaStandalone::Address(const std::string& file) const {
  for (const auto limit = Clock::now() + kStartTimeMax;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    std::ifstream in(file);
    std::string word, address;
    if (in >> word >> address) return address;
    CHECK(process_->alive() && Clock::now() < limit) << "ebla-standalone does not start; see " << file;
  }
}

}  // namespace ebla::bench
