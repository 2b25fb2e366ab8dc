#include "tabletserver/storage/buffer/table_buffer.h"

#include <gtest/gtest.h>

#include <random>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {
namespace {

constexpr TabletId kLeft{1};
constexpr int64_t kMuch = int64_t{1} << 30;

class TableBufferTest : public ::testing::Test {
 protected:
  void Apply(TabletId tablet, uint64_t lsn, const std::vector<Effect>& effects, DedupChange dedup_window = {}) {
    ApplyBatch batch;
    batch.tablet = tablet;
    for (const Effect& effect : effects) batch.records.push_back({&effect, {Epoch{1}, Lsn{lsn}}});
    batch.dedup_window = std::move(dedup_window);
    batch.state.applied = {Epoch{1}, Lsn{lsn}};
    buffer_.Apply({&batch, 1}, generation_bytes_max_);
  }
  static Effect Put(std::string key, std::string value) { return {.key = std::move(key), .value = std::move(value)}; }
  static Effect Delete(std::string key) { return {.key = std::move(key), .is_delete = true}; }
  static DedupRow Row(uint64_t sequence) {
    DedupRow row;
    row.client = ClientId{9};
    row.sequence = Sequence{sequence};
    return row;
  }
  // The value, "-" if the key is deleted, and "?" if the buffer does not know it.
  std::string Find(std::string_view key) {
    const auto row = TableBuffer::Reader(buffer_).Find(key);
    if (!row) return "?";
    return *row ? ValueOf(**row) : "-";
  }
  static std::string ValueOf(std::string_view row) {
    StoredRecord record;
    EXPECT_TRUE(DecodeRecord(row, record).ok());
    return record.value;
  }
  static std::string Rest(BufferScan& scan) {
    std::string all;
    for (; scan.valid(); scan.Next())
      all += std::string(scan.key()) + "=" + (scan.row() ? ValueOf(*scan.row()) : "-") + " ";
    return all;
  }
  std::string Scan(const KeyRange& range = {}, bool reverse = false) {
    const BufferSnapshot snapshot{TableBuffer::Reader(buffer_)};
    BufferScan scan(snapshot, range, reverse);
    return Rest(scan);
  }
  // All generations, as a writer that succeeds.
  void Write() {
    const MutexLock lock(buffer_.write_mutex());
    for (const auto& generation : buffer_.ToWrite()) buffer_.Written(*generation, buffer_.runs());
  }
  void Freeze() {
    const MutexLock lock(buffer_.write_mutex());
    (void)buffer_.ToWrite();
  }

  int64_t generation_bytes_max_ = kMuch;
  std::atomic<int64_t> bytes_{0};
  TableBuffer buffer_{bytes_};
};

TEST_F(TableBufferTest, ALaterGenerationReplacesAnEarlierOnesRows) {
  Apply(kLeft, 1, {Put("a", "1"), Put("b", "1"), Put("c", "1")});
  Freeze();
  Apply(kLeft, 2, {Put("b", "2"), Delete("c"), Put("d", "2")});
  EXPECT_EQ(Find("a") + Find("b") + Find("c") + Find("d") + Find("e"), "12-2?");
  EXPECT_EQ(Scan(), "a=1 b=2 c=- d=2 ");
  EXPECT_EQ(Scan({"b", "d"}, true), "c=- b=2 ");
  Write();
  EXPECT_EQ(Find("a") + Find("b"), "??");
  EXPECT_EQ(Scan(), "");
}

TEST_F(TableBufferTest, AScanGoesOnWithWhatItSawWhileAllIsReplacedAndWritten) {
  for (int i = 0; i < 500; ++i) Apply(kLeft, i + 1, {Put(std::to_string(1000 + i), "old")});
  const BufferSnapshot snapshot{TableBuffer::Reader(buffer_)};
  BufferScan scan(snapshot, {}, false);
  BufferScan backward(snapshot, {}, true);
  for (int i = 0; i < 500; ++i)
    Apply(kLeft, 501 + i, {i % 2 == 0 ? Put(std::to_string(1000 + i), "new") : Delete(std::to_string(1000 + i))});
  Apply(kLeft, 2000, {Put("1000a", "new")});
  Write();
  const std::string seen = Rest(scan);
  EXPECT_EQ(std::ranges::count(seen, ' '), 500);
  EXPECT_EQ(seen.find("new"), seen.npos);
  EXPECT_EQ(std::ranges::count(Rest(backward), ' '), 500);
}

TEST_F(TableBufferTest, ItKnowsThePositionsOfItsTabletsAlone) {
  SnapshotPosition position{.tablet = kLeft};
  EXPECT_FALSE(TableBuffer::Reader(buffer_).SetPosition(position)) << "the file has it";
  Apply(kLeft, 7, {});
  EXPECT_TRUE(TableBuffer::Reader(buffer_).SetPosition(position));
  EXPECT_EQ(position.applied, Lsn{7});
  Write();
  EXPECT_TRUE(TableBuffer::Reader(buffer_).SetPosition(position));
  EXPECT_TRUE(buffer_.Forget(kLeft));
  EXPECT_TRUE(TableBuffer::Reader(buffer_).SetPosition(position));
  EXPECT_EQ(position.applied, Lsn{}) << "not what the file still has";
  Write();
  EXPECT_FALSE(TableBuffer::Reader(buffer_).SetPosition(position));
  EXPECT_FALSE(buffer_.Forget(kLeft)) << "the file alone may know it";
}

TEST_F(TableBufferTest, ADedupRowThatIsErasedSoonNeverReachesTheFile) {
  Apply(kLeft, 1, {}, {.put = {Row(1)}});
  Apply(kLeft, 2, {}, {.put = {Row(2)}, .erase = {{ClientId{9}, Sequence{1}}}});
  Freeze();
  Apply(kLeft, 3, {}, {.put = {Row(3)}, .erase = {{ClientId{9}, Sequence{2}}}});
  const MutexLock lock(buffer_.write_mutex());
  const TableBuffer::Generations generations = buffer_.ToWrite();
  ASSERT_EQ(generations.size(), 2u);
  const auto& first = generations[0]->tablets.at(kLeft).dedup_window;
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first.begin()->first.second, Sequence{2});
  const auto& second = generations[1]->tablets.at(kLeft).dedup_window;
  ASSERT_EQ(second.size(), 2u) << "one that the first generation has is removed by the second";
  EXPECT_FALSE(second.begin()->second.row.has_value());
  EXPECT_EQ(generations[1]->tablets.at(kLeft).applied->applied.lsn, Lsn{3});
}

// As a merge: the new tablet's batch, and two that forget.
TEST_F(TableBufferTest, AForgottenTabletMayReturn) {
  Apply(kLeft, 1, {}, {.put = {Row(1)}});
  ApplyBatch forget;
  forget.tablet = kLeft;
  forget.forget = true;
  buffer_.Apply({&forget, 1}, kMuch);
  Apply(kLeft, 5, {}, {.put = {Row(7)}});
  const MutexLock lock(buffer_.write_mutex());
  const TableBuffer::Generations generations = buffer_.ToWrite();
  ASSERT_EQ(generations.size(), 1u);
  const TabletChanges& changes = generations[0]->tablets.at(kLeft);
  EXPECT_TRUE(changes.forget) << "the file may have rows of its former life";
  EXPECT_EQ(changes.applied->applied.lsn, Lsn{5});
  EXPECT_EQ(changes.dedup_window.size(), 1u);
}

TEST_F(TableBufferTest, ALargeGenerationIsFrozen) {
  generation_bytes_max_ = 64 << 10;
  for (uint64_t i = 1; i <= 100; ++i) Apply(kLeft, i, {Put(std::to_string(i), std::string(10'000, 'v'))});
  EXPECT_GE(bytes_, 1'000'000);
  const MutexLock lock(buffer_.write_mutex());
  const TableBuffer::Generations generations = buffer_.ToWrite();
  EXPECT_GT(generations.size(), 5u);
  EXPECT_EQ(generations.front()->tablets.at(kLeft).applied->applied.lsn.value, generations.front()->rows.size());
  for (const auto& generation : generations) buffer_.Written(*generation, buffer_.runs());
  EXPECT_LT(bytes_, 2000);
}

}  // namespace
}  // namespace ebla::tabletserver
