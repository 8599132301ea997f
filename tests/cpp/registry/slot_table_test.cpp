// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/slot_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/model_slot.h"

namespace remotemedia::detail {
namespace {

class SlotTableTest : public ::testing::Test {
 protected:
  ~SlotTableTest() override { JanitorAlarm::give_back(alarm_); }

  ModelSlot& insert(const std::string& key) { return insert(key, SlotTable::hash(key)); }
  ModelSlot& insert(const std::string& key, std::size_t hash) { return table_.insert(key, hash, nullptr, alarm_); }
  ModelSlot* find(const std::string& key) { return table_.find(key, SlotTable::hash(key)); }

  /// Loaded and to be had: not to be reclaimed.
  static void make_ready(ModelSlot& slot) {
    slot.enter(ModelState::loading);
    slot.enter(ModelState::ready);
    slot.word.fetch_add(ModelSlot::kReady);
  }
  static void make_absent(ModelSlot& slot) {
    slot.word.fetch_sub(ModelSlot::kReady);
    slot.enter(ModelState::evicting);
    slot.enter(ModelState::absent);
  }

  JanitorAlarm* const alarm_ = JanitorAlarm::borrow();
  SlotTable table_;
};

TEST_F(SlotTableTest, FindsWhatWasInserted) {
  EXPECT_EQ(find("a"), nullptr);
  ModelSlot& a = insert("a");
  ModelSlot& b = insert("b");
  EXPECT_EQ(find("a"), &a);
  EXPECT_EQ(find("b"), &b);
  EXPECT_EQ(find("c"), nullptr);
  EXPECT_EQ(a.key, "a");
  EXPECT_EQ(a.state, ModelState::absent);
}

TEST_F(SlotTableTest, KeysOfOneHashAreToldApart) {
  std::vector<ModelSlot*> slots;
  for (int i = 0; i < 20; ++i) {
    slots.push_back(&insert("key" + std::to_string(i), 42));
    make_ready(*slots.back());
  }
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(table_.find("key" + std::to_string(i), 42), slots[static_cast<std::size_t>(i)]);
  EXPECT_EQ(table_.find("another", 42), nullptr);
  std::size_t visited = 0;
  table_.search(42, [&](ModelSlot&) { return ++visited, false; });
  EXPECT_EQ(visited, 20U);
}

TEST_F(SlotTableTest, AnyHashFindsItsPlaceAlsoAtTheEndOfTheRing) {
  const std::size_t hashes[] = {0, 1, 63, 127, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, std::size_t{1} << 57};
  for (const std::size_t hash : hashes) {
    for (int i = 0; i < 4; ++i) make_ready(insert(std::to_string(hash) + "/" + std::to_string(i), hash));
  }
  for (const std::size_t hash : hashes) {
    for (int i = 0; i < 4; ++i) {
      const std::string key = std::to_string(hash) + "/" + std::to_string(i);
      ASSERT_NE(table_.find(key, hash), nullptr) << key;
      EXPECT_EQ(table_.find(key, hash)->key, key);
    }
  }
}

TEST_F(SlotTableTest, GrowsWithTheModelsThatAreThere) {
  std::vector<ModelSlot*> slots;
  for (int i = 0; i < 20'000; ++i) {
    slots.push_back(&insert(std::to_string(i)));
    make_ready(*slots.back());
  }
  EXPECT_EQ(table_.slots().size(), 20'000U);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(find(std::to_string(i)), slots[static_cast<std::size_t>(i)]);
}

TEST_F(SlotTableTest, DoesNotGrowWithTheKeysItHasSeen) {
  std::set<const ModelSlot*> addresses;
  for (int i = 0; i < 100'000; ++i) addresses.insert(&insert(std::to_string(i)));
  EXPECT_LE(addresses.size(), 64U);
  EXPECT_LE(table_.slots().size(), 64U);
}

TEST_F(SlotTableTest, DoesNotGrowWithTheKeysItHasSeenBesideModelsThatStay) {
  std::set<const ModelSlot*> addresses;
  for (int i = 0; i < 1000; ++i) make_ready(insert("stays" + std::to_string(i)));
  for (int i = 0; i < 100'000; ++i) addresses.insert(&insert(std::to_string(i)));
  EXPECT_LE(addresses.size(), 4096U);
  for (int i = 0; i < 1000; ++i) ASSERT_NE(find("stays" + std::to_string(i)), nullptr);
}

TEST_F(SlotTableTest, NobodysSlotIsTakenWhileItIsLoadedHeldOrReferredTo) {
  ModelSlot& ready = insert("ready");
  make_ready(ready);
  ModelSlot& held = insert("held");
  held.word.fetch_add(ModelSlot::kHold);
  ModelSlot& referred = insert("referred");
  referred.add_reference();
  for (int i = 0; i < 1000; ++i) insert(std::to_string(i));
  EXPECT_EQ(find("ready"), &ready);
  EXPECT_EQ(find("held"), &held);
  EXPECT_EQ(find("referred"), &referred);
  EXPECT_EQ(referred.key, "referred");
  held.word.fetch_sub(ModelSlot::kHold);
  referred.drop_reference();
  make_absent(ready);
  for (int i = 0; i < 1000; ++i) insert(std::to_string(i));
  EXPECT_EQ(find("ready"), nullptr);
  EXPECT_EQ(find("held"), nullptr);
  EXPECT_EQ(find("referred"), nullptr);
}

TEST_F(SlotTableTest, ASlotOutlivesTheTableForItsReference) {
  ModelSlot* slot = nullptr;
  {
    SlotTable table;
    slot = &table.insert("a", 1, nullptr, alarm_);
    slot->add_reference();
  }
  EXPECT_EQ(slot->key, "a");
  EXPECT_EQ(slot->core.load(), nullptr);
  slot->drop_reference();
}

TEST_F(SlotTableTest, ARemovedSlotIsFoundAgainWhenItIsPutBack) {
  ModelSlot& a = insert("a");
  make_ready(a);
  for (int i = 0; i < 3; ++i) {
    table_.remove(a);
    EXPECT_EQ(find("a"), nullptr);
    EXPECT_TRUE(table_.slots().empty());
    table_.put_back(a);
    EXPECT_EQ(find("a"), &a);
  }
}

TEST_F(SlotTableTest, ReadersFindWhatStaysWhileOthersComeAndGo) {
  Mutex mutex;  // the registry's, which inserting needs
  std::vector<std::string> stays;
  for (int i = 0; i < 8; ++i) {
    stays.push_back("stays" + std::to_string(i));
    make_ready(insert(stays.back()));
  }
  std::atomic<bool> over{false};
  std::atomic<int> missed{0};
  {
    std::vector<std::jthread> readers;
    for (int r = 0; r < 3; ++r) {
      readers.emplace_back([&] {
        while (!over) {
          for (const std::string& key : stays) {
            const std::size_t hash = SlotTable::hash(key);
            bool found = false;
            table_.search(hash, [&](ModelSlot& slot) {
              if (slot.hash != hash || !slot.try_hold()) return false;
              found = slot.key == key;
              slot.take_back_hold();
              return found;
            });
            if (!found) ++missed;
          }
        }
      });
    }
    for (int i = 0; i < 5000; ++i) {
      MutexLock lock(mutex);
      ModelSlot& slot = insert(std::to_string(i));
      make_ready(slot);
      std::uint64_t ready = ModelSlot::kReady;
      while (!slot.word.compare_exchange_weak(ready, 0)) ready = ModelSlot::kReady;
      slot.enter(ModelState::evicting);
      slot.enter(ModelState::absent);
    }
    over = true;
  }
  EXPECT_EQ(missed, 0);
}

}  // namespace
}  // namespace remotemedia::detail
