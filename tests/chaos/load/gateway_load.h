// tests/chaos/load/gateway_load.h
// Clients of gateways, in rounds: each has subjects of its own (gateways/subject.h), whose clients work until the round
// ends, and which are judged once nothing is under way.
// Threads: one; clients have their own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/gateways/subject.h"
#include "tools/load/workers.h"

namespace ebla::chaos {

struct GatewayLoadOptions {
  uint64_t seed = 1;
  std::vector<std::string> databases;  // of Redis's listener
  // All tables evict: of the subjects only those that can tell what was forgotten from what was lost, and others that
  // fill the tables.
  bool evicting = false;
};

class GatewayLoad {
 public:
  // The name of Memcached's table, among the databases.
  static constexpr char kCache[] = "cache";

  GatewayLoad(const Gateways& gateways, GatewayLoadOptions options);

  // Starts the round's clients.
  void Begin(int round);
  // Ends them.
  void End();
  // The problems of the round, each with its subject's name. Gateways and cluster must be well, and quiet.
  std::vector<std::string> Judge();

  // Calls that were answered, since the start.
  int64_t answered() const { return tally_.answered.load(); }
  Status AwaitProgress(int64_t more) const {
    return load::AwaitProgress([this] { return answered(); }, more);
  }
  // Keys of this round, of a database.
  std::vector<std::string> Keys(const std::string& database) const;
  // Subjects of which nothing was forgotten in any round, where tables evict: they have proved nothing.
  std::vector<std::string> NeverForgotten() const;
  // How much of what was judged, by kind.
  std::string ToString() const;

 private:
  struct Member {
    std::string database;
    std::unique_ptr<Subject> subject;
  };

  const Gateways& gateways_;
  const GatewayLoadOptions options_;
  Tally tally_;
  std::vector<Member> members_;
  void AddSubjects(const std::string& database, const Setting& setting);

  std::unique_ptr<load::Workers> workers_;  // declared after what they use
  std::map<std::string, size_t> judged_;    // by subject's name
  std::map<std::string, size_t> forgotten_;
};

}  // namespace ebla::chaos
