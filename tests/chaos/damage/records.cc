#include "tests/chaos/damage/records.h"

#include <algorithm>
#include <set>

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;

constexpr size_t kShownMax = 5;

void Add(std::vector<std::string>& texts, std::string text) {
  if (texts.size() < kShownMax) texts.push_back(std::move(text));
}

}  // namespace

std::string DamageRecords::KeyOf(int key) { return std::to_string(10'000 + key); }

std::string DamageRecords::ValueOf(size_t table, int key, int generation) {
  return "generation " + std::to_string(generation) + " of " + KeyOf(key) + " in " + std::string(kDamageTables[table]) +
         std::string(160, static_cast<char>('a' + key % 26));
}

Status DamageRecords::Make(const Client& client, size_t table, int replicas) {
  CreateTableOptions options{.split_points = {KeyOf(kDamageKeys / 2)}, .deadline = 30s};
  options.table.replicas = replicas;
  if (const auto made = client.CreateTable(kDamageTables[table], options); !made) return made.error();
  return {};
}

void DamageRecords::Note(size_t table, int key, const Status& answer) {
  Cell& cell = cells_[table][static_cast<size_t>(key)];
  if (answer.ok()) {
    cell.acknowledged = ++cell.possible;
  } else if (answer.code() == Code::kUnknownOutcome || answer.code() == Code::kInternal) {
    ++cell.possible;
  }
}

Status DamageRecords::Write(const Client& client, int each, int from, Ack ack, std::chrono::milliseconds deadline) {
  Status fault;
  int acknowledged = 0;
  for (size_t table = 0; table < kDamageTables.size(); ++table) {
    const auto opened = client.OpenTable(kDamageTables[table]);
    if (!opened) {
      if (opened.error().code() != Code::kNoSuchTable) fault = opened.error();
      continue;
    }
    std::vector<int> keys;
    std::vector<Batch::Part> parts;
    for (int key = from; key < kDamageKeys; key += each) {
      keys.push_back(key);
      const int generation = cells_[table][static_cast<size_t>(key)].possible + 1;
      parts.push_back({Batch::Kind::kPut, KeyOf(key), ValueOf(table, key, generation), 0, {}});
    }
    const auto answers = opened->MultiWrite(std::move(parts), {.ack = ack, .deadline = deadline});
    for (size_t i = 0; i < answers.size(); ++i) {
      const Status answer = answers[i] ? Status::Ok() : answers[i].error();
      Note(table, keys[i], answer);
      acknowledged += answer.ok() ? 1 : 0;
      if (!answer.ok()) fault = answer;
    }
  }
  return acknowledged > 0 ? Status::Ok() : fault;
}

void DamageRecords::Judge(size_t table, int key, const Result<Record>& answer, Reading& reading) const {
  const Cell& cell = cells_[table][static_cast<size_t>(key)];
  const std::string name = std::string(kDamageTables[table]) + "/" + KeyOf(key);
  if (!answer) {
    const Code code = answer.error().code();
    if (code == Code::kNotFound || code == Code::kNoSuchTable) {
      if (cell.acknowledged > 0) return Add(reading.missing, name + ": " + answer.error().ToString());
      ++reading.right;
      return;
    }
    ++reading.refusals;
    const std::string text = answer.error().ToString();
    if (std::ranges::find(reading.refused, text) == reading.refused.end()) Add(reading.refused, text);
    return;
  }
  for (int generation = std::max(cell.acknowledged, 1); generation <= cell.possible; ++generation) {
    if (answer->value != ValueOf(table, key, generation)) continue;
    ++reading.right;
    return;
  }
  Add(reading.wrong, name + ": generation " + std::to_string(cell.acknowledged) + " was acknowledged, and \"" +
                         answer->value.substr(0, 32) + "\" is read");
}

Reading DamageRecords::Read(const Client& client, std::chrono::milliseconds deadline) const {
  Reading reading;
  for (size_t table = 0; table < kDamageTables.size(); ++table) {
    const auto opened = client.OpenTable(kDamageTables[table]);
    std::vector<std::string> keys;
    for (int key = 0; key < kDamageKeys; ++key) keys.push_back(KeyOf(key));
    std::vector<Result<Record>> answers;
    if (opened) answers = opened->MultiGet(std::move(keys), {.read = Read::Strong(), .deadline = deadline});
    for (int key = 0; key < kDamageKeys; ++key)
      Judge(table, key, opened ? answers[static_cast<size_t>(key)] : Result<Record>(std::unexpected(opened.error())),
            reading);
  }
  return reading;
}

}  // namespace ebla::chaos
