#include "common/process/exposure.h"

#include <gflags/gflags.h>
#include <gtest/gtest.h>

DECLARE_bool(insecure);

namespace ebla::process {
namespace {

std::string Refusal(const std::string& host) {
  return CheckUnguarded("redis_listen", {host, 6379}, "give it a certificate").message();
}

TEST(Exposure, OnlyAnAddressThatOtherMachinesReachNeedsAGuard) {
  for (const char* loopback : {"127.0.0.1", "127.8.9.1", "::1", "localhost"}) EXPECT_EQ(Refusal(loopback), "");
  EXPECT_EQ(Refusal("0.0.0.0"),
            "--redis_listen=0.0.0.0:6379 can be reached from other machines, and nothing guards it: give it a "
            "certificate, listen on 127.0.0.1, or say --insecure where the network is your own");
  const gflags::FlagSaver saver;
  FLAGS_insecure = true;
  EXPECT_EQ(Refusal("0.0.0.0"), "");
}

}  // namespace
}  // namespace ebla::process
