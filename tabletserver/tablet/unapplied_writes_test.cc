#include "tabletserver/tablet/unapplied_writes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "tabletserver/testing/pick.h"

namespace ebla::tabletserver {
namespace {

using testing::Pick;

EntryPtr Entry(uint64_t epoch, uint64_t lsn, std::vector<Effect> effects) {
  auto entry = std::make_shared<LogEntry>();
  entry->version = {Epoch{epoch}, Lsn{lsn}};
  entry->effects = std::move(effects);
  return entry;
}

Effect PutEffect(std::string key, std::string value) {
  Effect effect;
  effect.key = std::move(key);
  effect.value = std::move(value);
  return effect;
}

Effect Delete(std::string key) {
  Effect effect;
  effect.key = std::move(key);
  effect.is_delete = true;
  return effect;
}

TEST(UnappliedWrites, FindsTheNewestAtOrBelowAPosition) {
  UnappliedWrites unapplied;
  unapplied.Add(Entry(1, 5, {PutEffect("a", "one")}));
  unapplied.Add(Entry(1, 6, {PutEffect("b", "other")}));
  unapplied.Add(Entry(2, 7, {Delete("a")}));
  EXPECT_TRUE(unapplied.Find("a")->effect->is_delete);
  EXPECT_EQ(unapplied.Find("a", Lsn{6})->effect->value, "one");
  EXPECT_FALSE(unapplied.Find("a", Lsn{4}).has_value());
  EXPECT_FALSE(unapplied.Find("c").has_value());
}

TEST(UnappliedWrites, CountsItsBytesBackToNothing) {
  UnappliedWrites unapplied;
  EXPECT_EQ(unapplied.bytes(), 0u);
  unapplied.Add(Entry(1, 1, {PutEffect("a", std::string(1000, 'x'))}));
  EXPECT_GT(unapplied.bytes(), 1000u);
  const size_t one = unapplied.bytes();
  unapplied.Add(Entry(1, 2, std::vector<Effect>(1000, PutEffect("k", ""))));
  EXPECT_GT(unapplied.bytes() - one, 1000 * sizeof(Effect)) << "tiny effects take their room too";
  unapplied.Add(Entry(1, 3, {}));
  unapplied.RemoveUpTo(Lsn{3});
  EXPECT_EQ(unapplied.bytes(), 0u);
  EXPECT_TRUE(unapplied.empty());
}

// The plain way to hold the same: all entries in a map.
using UnappliedModel = std::map<uint64_t, EntryPtr>;

std::map<std::string, std::pair<Version, const Effect*>> Newest(const UnappliedModel& model, const KeyRange& range,
                                                                Lsn upto) {
  std::map<std::string, std::pair<Version, const Effect*>> newest;
  for (const auto& [lsn, entry] : model) {
    if (lsn > upto.value) break;
    for (const Effect& effect : entry->effects) {
      if (range.Contains(effect.key)) newest[effect.key] = {entry->version, &effect};
    }
  }
  return newest;
}

std::vector<std::pair<std::string, Version>> Walk(UnappliedWrites& unapplied, const KeyRange& range, Lsn upto,
                                                  size_t most) {
  std::vector<std::pair<std::string, Version>> seen;
  unapplied.Visit(range, upto, [&](const UnappliedWrites::Item& item) {
    seen.emplace_back(item.effect->key, item.version);
    return seen.size() < most;
  });
  return seen;
}

std::string RandomKey() { return std::string(1, Pick<char>('a', 'h')); }

void CompareOnce(UnappliedWrites& unapplied, const UnappliedModel& model, uint64_t last) {
  const Lsn upto{Pick<uint64_t>(0, last + 2)};
  const KeyRange range = {*rc::gen::element<std::string>("", "a", "c", "e"),
                          *rc::gen::element<std::string>("", "b", "d", "h")};
  const auto most = Pick<size_t>(1, 8);
  std::vector<std::pair<std::string, Version>> expected;
  for (const auto& [key, item] : Newest(model, range, upto)) expected.emplace_back(key, item.first);
  if (expected.size() > most) expected.resize(most);
  RC_ASSERT(Walk(unapplied, range, upto, most) == expected);
  const std::string key = RandomKey();
  const auto all = Newest(model, KeyRange::All(), upto);
  const auto found = unapplied.Find(key, upto);
  RC_ASSERT(found.has_value() == all.contains(key));
  if (found.has_value()) RC_ASSERT(found->effect == all.at(key).second);
}

TEST(UnappliedWrites, IsTheNewestOfItsEntries) {
  EXPECT_TRUE(rc::check("unapplied writes against a map of entries", [] {
    UnappliedWrites unapplied;
    UnappliedModel model;
    uint64_t last = 0;
    uint64_t epoch = 1;
    for (int i = 0; i < 60; ++i) {
      const int what = Pick(0, 10);
      if (what < 6) {
        std::map<std::string, Effect> effects;
        for (int n = Pick(0, 4); n > 0; --n) {
          const std::string key = RandomKey();
          effects[key] = *rc::gen::arbitrary<bool>() ? PutEffect(key, "v") : Delete(key);
        }
        std::vector<Effect> list;
        for (auto& [key, effect] : effects) list.push_back(effect);
        ++last;
        model[last] = Entry(epoch, last, std::move(list));
        unapplied.Add(model[last]);
      } else if (what == 6) {
        const uint64_t upto = Pick<uint64_t>(0, last + 1);
        model.erase(model.begin(), model.upper_bound(upto));
        unapplied.RemoveUpTo(Lsn{upto});
      } else if (what == 7) {
        const uint64_t above = Pick<uint64_t>(0, last + 1);
        model.erase(model.upper_bound(above), model.end());
        unapplied.RemoveAbove(Lsn{above});
        if (model.empty()) continue;
        last = model.rbegin()->first;
        ++epoch;
      } else {
        CompareOnce(unapplied, model, last);
      }
      RC_ASSERT(unapplied.entries() == model.size());
    }
  }));
}

}  // namespace
}  // namespace ebla::tabletserver
