// client/testing/fake_cluster_main.cc
// A pretended cluster as a program: prints its masters' addresses, comma-separated, and serves until its standard input
// ends or it is killed. For tests that start other programs.
#include <iostream>
#include <limits>
#include <string>

#include "client/testing/fake_servers.h"

int main() {
  ebla::client::testing::FakeServers servers;
  std::string all;
  for (const std::string& master : servers.masters()) all += (all.empty() ? "" : ",") + master;
  std::cout << servers.masters().front() << "\n" << all << std::endl;
  std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  return 0;
}
