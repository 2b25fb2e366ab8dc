// tests/chaos/damage/records.h
// The records of a case, and what clients know of each: the generation that was acknowledged last, and one that may
// have been written. Two tables, the first in place, the second sorted, each of two tablets.
// Threads: a value; its calls block.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::chaos {

inline constexpr std::array<std::string_view, 2> kDamageTables = {"placed", "sorted"};
inline constexpr int kDamageKeys = 600;  // of each table

// The answers to one look at every record.
struct Reading {
  int right = 0;
  std::vector<std::string> wrong;    // an older value than was acknowledged, or one never written
  std::vector<std::string> missing;  // "not found", "no such table"
  std::vector<std::string> refused;  // other errors, each text once
  int refusals = 0;

  bool whole() const { return wrong.empty() && missing.empty() && refusals == 0; }
  bool false_answer() const { return !wrong.empty() || !missing.empty(); }
};

class DamageRecords {
 public:
  // Makes the first or the second table, and writes generation 1 of it.
  Status Make(const Client& client, size_t table, int replicas);
  // Writes the next generation of every `each`-th key from `from` on, at least every one that is answered OK counts.
  // An error: none was acknowledged.
  Status Write(const Client& client, int each, int from, Ack ack, std::chrono::milliseconds deadline);
  // STRONG.
  Reading Read(const Client& client, std::chrono::milliseconds deadline) const;

  // Adds an answer to the reading.
  void Judge(size_t table, int key, const Result<Record>& answer, Reading& reading) const;
  static std::string KeyOf(int key);
  static std::string ValueOf(size_t table, int key, int generation);
  // Takes note of a write's answer.
  void Note(size_t table, int key, const Status& answer);

 private:
  struct Cell {
    int acknowledged = 0;  // 0: never written
    int possible = 0;      // the newest that may be there
  };
  std::array<std::array<Cell, kDamageKeys>, kDamageTables.size()> cells_{};
};

}  // namespace ebla::chaos
