#include "tests/chaos/load/churn_load.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "tools/ycsb/random.h"

namespace ebla::chaos {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kLargestValue = 100'000;
constexpr uint32_t kFewPart = 16;  // one in so many keys is written by those phases that write few

struct ChurnPhase {
  const char* name;
  uint64_t bytes_min = 16, bytes_max = kLargestValue;  // of a value, any power alike
  uint64_t deletes = 0;                                // of a hundred
  bool expire = false;
  bool few = false;   // of the keys, so that most are there already
  bool grow = false;  // each is larger than what it takes the place of
};
constexpr ChurnPhase kChurnPhases[] = {{.name = "small values", .bytes_max = 200},
                                       {.name = "large values", .bytes_min = 10'000},
                                       {.name = "small values and deletes", .bytes_max = 1'000, .deletes = 40},
                                       {.name = "values that grow", .few = true, .grow = true},
                                       {.name = "values of all sizes that expire", .expire = true},
                                       {.name = "values of a page", .bytes_min = 1'000, .bytes_max = 8'000},
                                       {.name = "values of all sizes and deletes", .deletes = 30, .few = true}};

// Eight digits that say which write it is of, and what is told by them.
constexpr size_t kMarkBytes = 8;
std::string ChurnValue(uint32_t write, uint64_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string value(std::max<uint64_t>(bytes, kMarkBytes), static_cast<char>('a' + write % 26));
  for (size_t i = 0; i < kMarkBytes; ++i) value[i] = kDigits[(write >> (4 * (kMarkBytes - 1 - i))) & 15];
  return value;
}

std::string ChurnKey(size_t writer, uint32_t index, uint32_t generation) {
  // The last digits first: keys of all ranges are written at any time.
  std::string digits = std::to_string(1'000'000 + index);
  std::ranges::reverse(digits);
  return digits + "-" + std::to_string(writer) + "." + std::to_string(generation);
}

}  // namespace

class ChurnLoad::Writer final : public load::Worker {
 public:
  Writer(ChurnLoad& load, size_t number)
      : load_(load),
        number_(number),
        table_(load.tables_[number % load.tables_.size()]),
        random_(load.options_.seed * 1'000 + number),
        keys_(load.options_.keys_per_writer) {}

  bool Work() override {
    if (random_.Below(6) == 0) {
      Look();
    } else {
      Write();
    }
    return true;
  }
  std::chrono::nanoseconds Rest() override { return std::exchange(rest_, milliseconds(0)); }

 private:
  static constexpr size_t kPartsMax = 200;
  static constexpr size_t kBytesMax = 128 << 10;  // of a call
  struct Key {
    uint32_t writes = 0;
    uint32_t bytes = 0;       // of the last one's value
    uint32_t generation = 0;  // a write of unknown outcome may happen later: from then on it is another key
    bool there = false;       // unless it is forgotten
  };

  uint32_t Draw(bool few) {
    const uint32_t count = few ? load_.options_.keys_per_writer / kFewPart : load_.options_.keys_per_writer;
    return static_cast<uint32_t>(random_.Below(count));
  }
  std::string Name(uint32_t index) const { return ChurnKey(number_, index, keys_[index].generation); }
  uint64_t DrawBytes(const ChurnPhase& phase, const Key& key) {
    if (phase.grow) {
      const uint64_t before = key.there ? key.bytes : 0;
      return before * 2 > phase.bytes_max ? phase.bytes_min : phase.bytes_min + before + random_.Below(before + 1);
    }
    const double powers = std::log2(static_cast<double>(phase.bytes_max) / static_cast<double>(phase.bytes_min));
    return static_cast<uint64_t>(static_cast<double>(phase.bytes_min) * std::exp2(powers * random_.Unit()));
  }

  void Write() {
    const ChurnPhase& phase = kChurnPhases[load_.phase_.load() % std::size(kChurnPhases)];
    std::vector<Batch::Part> parts;
    std::vector<uint32_t> indexes;
    std::unordered_set<uint32_t> drawn;
    for (size_t bytes = 0; parts.size() < kPartsMax && bytes < kBytesMax;) {
      const uint32_t index = Draw(phase.few);
      if (!drawn.insert(index).second) continue;
      Key& key = keys_[index];
      indexes.push_back(index);
      bytes += 64;
      if (random_.Below(100) < phase.deletes) {
        parts.push_back({.kind = Batch::Kind::kDelete, .key = Name(index), .value = {}, .delta = 0, .options = {}});
        continue;
      }
      ++key.writes;
      BatchOptions options;
      if (phase.expire) options.ttl = milliseconds(500 + random_.Below(20'000));
      parts.push_back({.kind = Batch::Kind::kPut,
                       .key = Name(index),
                       .value = ChurnValue(key.writes, DrawBytes(phase, key)),
                       .delta = 0,
                       .options = options});
      key.bytes = static_cast<uint32_t>(parts.back().value.size());
      bytes += key.bytes;
    }
    std::vector<bool> deletes;
    for (const Batch::Part& part : parts) deletes.push_back(part.kind == Batch::Kind::kDelete);
    const auto results = table_.MultiWrite(std::move(parts), {.deadline = load_.options_.deadline});
    for (size_t i = 0; i < results.size(); ++i) Note(indexes[i], deletes[i], results[i]);
  }

  void Note(uint32_t index, bool is_delete, const Result<PartResult>& result) {
    Key& key = keys_[index];
    if (result) {
      key.there = !is_delete;
      ++load_.written_;
      if (!is_delete) load_.written_bytes_ += key.bytes;
      return;
    }
    // The record may still be there, with an unknown size.
    ++key.generation;
    key.there = false;
    if (result.error().code() == Code::kOverloaded) {
      ++load_.refused_;
      rest_ = milliseconds(5);
    } else if (result.error().code() == Code::kUnknownOutcome || result.error().code() == Code::kDeadlineExceeded) {
      ++load_.unknown_;
    } else {
      load_.workers_.Failed("a write of " + Name(index) + ": " + result.error().ToString());
    }
  }

  void Look() {
    std::vector<uint32_t> indexes;
    std::vector<std::string> names;
    for (int i = 0; i < 16; ++i) {
      indexes.push_back(Draw(i % 2 == 0));
      names.push_back(Name(indexes.back()));
    }
    const auto records =
        table_.MultiGet(std::move(names), {.read = Read::Strong(), .deadline = load_.options_.deadline});
    for (size_t i = 0; i < records.size(); ++i) Check(indexes[i], records[i]);
  }

  void Check(uint32_t index, const Result<Record>& record) {
    Key& key = keys_[index];
    if (!record) {
      if (record.error().code() == Code::kNotFound) {
        load_.gone_ += key.there ? 1 : 0;
        key.there = false;
      } else if (record.error().code() != Code::kDeadlineExceeded && record.error().code() != Code::kOverloaded) {
        load_.workers_.Failed("a read of " + Name(index) + ": " + record.error().ToString());
      }
      return;
    }
    ++load_.found_;
    if (!key.there) {
      load_.workers_.Failed(Name(index) + " was gone, and is back");
    } else if (record->value != ChurnValue(key.writes, key.bytes)) {
      load_.workers_.Failed(Name(index) + " is not what write " + std::to_string(key.writes) + " of " +
                            std::to_string(key.bytes) + " bytes put there: " + record->value.substr(0, 16) + "... of " +
                            std::to_string(record->value.size()) + " bytes");
    }
  }

  ChurnLoad& load_;
  const size_t number_;
  const Table table_;
  ycsb::Random random_;
  std::vector<Key> keys_;
  milliseconds rest_{0};
};

ChurnLoad::ChurnLoad(std::vector<Table> tables, ChurnLoadOptions options)
    : tables_(std::move(tables)), options_(options) {}

ChurnLoad::~ChurnLoad() { End(); }

void ChurnLoad::Start() {
  for (int i = 0; i < options_.writers; ++i) workers_.Add(std::make_unique<Writer>(*this, static_cast<size_t>(i)));
}

void ChurnLoad::End() {
  workers_.Stop();
  workers_.Join();
}

int ChurnLoad::phases() { return static_cast<int>(std::size(kChurnPhases)); }

std::string ChurnLoad::phase() const { return kChurnPhases[phase_.load() % std::size(kChurnPhases)].name; }

std::string ChurnLoad::AnyKey(uint64_t draw) const {
  return ChurnKey(0, static_cast<uint32_t>(draw % options_.keys_per_writer), 0);
}

std::string ChurnLoad::ToString() const {
  std::ostringstream text;
  text << written_ << " writes (" << (written_bytes_ >> 20) << " MiB), " << refused_ << " refused for want of room, "
       << unknown_ << " of unknown outcome; reads found " << found_ << " records, and " << gone_ << " forgotten";
  return text.str();
}

}  // namespace ebla::chaos
