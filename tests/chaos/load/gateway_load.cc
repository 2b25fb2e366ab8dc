#include "tests/chaos/load/gateway_load.h"

#include <sstream>
#include <utility>

#include "tests/chaos/gateways/bank_subject.h"
#include "tests/chaos/gateways/cas_subject.h"
#include "tests/chaos/gateways/counters_subject.h"
#include "tests/chaos/gateways/filler_subject.h"
#include "tests/chaos/gateways/items_subject.h"
#include "tests/chaos/gateways/locks_subject.h"
#include "tests/chaos/gateways/registers_subject.h"

namespace ebla::chaos {

GatewayLoad::GatewayLoad(const Gateways& gateways, GatewayLoadOptions options)
    : gateways_(gateways), options_(std::move(options)) {}

void GatewayLoad::Begin(int round) {
  workers_.reset();
  members_.clear();
  workers_ = std::make_unique<load::Workers>();
  const auto at = [&](const std::string& database) {
    return Setting{.gateways = gateways_,
                   .workers = *workers_,
                   .tally = tally_,
                   .database = database,
                   .round = std::to_string(round),
                   .seed = options_.seed * 100'000 + static_cast<uint64_t>(round) * 100 + members_.size()};
  };
  for (const std::string& database : options_.databases) AddSubjects(database, at(database));
  if (options_.evicting) {
    members_.push_back({kCache, std::make_unique<ItemsSubject>(at(kCache), ItemsSubject::Options())});
    // One command at a time, so more clients, and larger values.
    members_.push_back(
        {kCache, std::make_unique<FillerSubject>(
                     at(kCache), FillerSubject::Options{.memcached = true, .clients = 4, .bytes_max = 150'000})});
  } else {
    members_.push_back({kCache, std::make_unique<CasSubject>(at(kCache), CasSubject::Options())});
  }
  for (const Member& member : members_) member.subject->Enlist();
}

void GatewayLoad::AddSubjects(const std::string& database, const Setting& setting) {
  if (options_.evicting) {
    members_.push_back({database, std::make_unique<RegistersSubject>(
                                      setting, RegistersSubject::Options{.groups = 150, .forgets = true})});
    members_.push_back({database, std::make_unique<FillerSubject>(setting, FillerSubject::Options())});
    return;
  }
  members_.push_back({database, std::make_unique<RegistersSubject>(setting, RegistersSubject::Options())});
  members_.push_back({database, std::make_unique<CountersSubject>(setting, CountersSubject::Options())});
  members_.push_back({database, std::make_unique<BankSubject>(setting, BankSubject::Options())});
  members_.push_back({database, std::make_unique<LocksSubject>(setting, LocksSubject::Options())});
}

void GatewayLoad::End() {
  workers_->Stop();
  workers_->Join();
}

std::vector<std::string> GatewayLoad::Judge() {
  std::vector<std::string> problems;
  for (const std::string& failure : workers_->TakeFailures()) problems.push_back("wrong answer: " + failure);
  for (const Member& member : members_) {
    const std::string name = member.subject->name();
    const auto found = member.subject->Judge();
    judged_[name] += member.subject->told();
    forgotten_[name] += member.subject->forgotten();
    if (!found) {
      problems.push_back(name + " cannot be read: " + found.error().ToString());
      continue;
    }
    for (const std::string& problem : *found) problems.push_back("broken promise: " + name + ": " + problem);
    if (member.subject->told() == 0) problems.push_back(name + ": too little was done to prove anything");
  }
  return problems;
}

std::vector<std::string> GatewayLoad::Keys(const std::string& database) const {
  std::vector<std::string> keys;
  for (const Member& member : members_) {
    if (member.database != database) continue;
    const auto more = member.subject->Keys();
    keys.insert(keys.end(), more.begin(), more.end());
  }
  return keys;
}

std::vector<std::string> GatewayLoad::NeverForgotten() const {
  std::vector<std::string> names;
  for (const auto& [name, count] : forgotten_)
    if (options_.evicting && count == 0) names.push_back(name);
  return names;
}

std::string GatewayLoad::ToString() const {
  std::ostringstream text;
  text << tally_.answered << " calls answered, " << tally_.unknown << " of unknown outcome, " << tally_.not_executed
       << " not executed; judged";
  for (const auto& [name, count] : judged_) {
    text << (name == judged_.begin()->first ? " " : ", ") << count << " of " << name;
    if (options_.evicting) text << " (" << forgotten_.at(name) << " forgotten)";
  }
  return text.str();
}

}  // namespace ebla::chaos
