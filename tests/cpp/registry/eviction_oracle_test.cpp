// SPDX-License-Identifier: Apache-2.0
//
// plan_eviction against what a look at all subsets of the entries says.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "remotemedia/registry/eviction.h"

namespace remotemedia {
namespace {

using Subset = std::set<std::size_t>;

struct Question {
  std::vector<EvictionEntry> entries;
  EvictionLimits limits;
  std::size_t bytes = 0;
  TimePoint now{std::chrono::hours{1}};
};

bool over_its_time(const Question& q, std::size_t i) {
  return q.entries[i].idle && q.limits.policy != EvictionPolicy::manual && q.entries[i].expires_at <= q.now;
}

bool may_go(const Question& q, std::size_t i) {
  if (over_its_time(q, i)) return true;
  const bool policy_takes = q.limits.policy == EvictionPolicy::lru || q.limits.policy == EvictionPolicy::lfu;
  return q.entries[i].idle && policy_takes && q.now - q.entries[i].loaded_at >= q.limits.min_residency;
}

bool fits_without(const Question& q, const Subset& gone) {
  std::size_t bytes = q.bytes;
  std::size_t models = 1;
  for (std::size_t i = 0; i < q.entries.size(); ++i) {
    if (gone.contains(i)) continue;
    bytes += q.entries[i].memory_bytes;
    ++models;
  }
  return (!q.limits.max_memory_bytes || bytes <= *q.limits.max_memory_bytes) &&
         (!q.limits.max_models || models <= *q.limits.max_models);
}

/// Who goes first.
auto rank(const Question& q, std::size_t i) {
  const std::uint64_t uses = q.limits.policy == EvictionPolicy::lfu ? q.entries[i].access_count : 0;
  return std::tuple{!over_its_time(q, i), uses, q.entries[i].release_order};
}

/// Whether any set of models that may go makes room.
bool can_fit(const Question& q) {
  Subset everybody;
  for (std::size_t i = 0; i < q.entries.size(); ++i) {
    if (may_go(q, i)) everybody.insert(i);
  }
  return fits_without(q, everybody);
}

/// Of all sets that make room, the one whose worst-ranked victim ranks lowest, then whose second worst does, …:
/// the policy's last choice is spared as long as anything else will do.
Subset best_victims(const Question& q) {
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < q.entries.size(); ++i) {
    if (may_go(q, i)) candidates.push_back(i);
  }
  std::ranges::sort(candidates, {}, [&](std::size_t i) { return rank(q, i); });
  // As numbers whose highest bit is the policy's last choice, the best set is the smallest one.
  for (std::uint32_t bits = 0; bits < (1U << candidates.size()); ++bits) {
    Subset gone;
    for (std::size_t k = 0; k < candidates.size(); ++k) {
      if ((bits >> k) & 1U) gone.insert(candidates[k]);
    }
    if (fits_without(q, gone)) return gone;
  }
  return {};
}

Question random_question(std::mt19937& random) {
  const auto up_to = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
  Question q;
  q.limits.policy = static_cast<EvictionPolicy>(up_to(3));
  if (up_to(2) > 0) q.limits.max_memory_bytes = up_to(40);
  if (up_to(2) > 0) q.limits.max_models = 1 + up_to(8);
  if (up_to(1) > 0) q.limits.min_residency = std::chrono::seconds{up_to(5)};
  q.bytes = up_to(20);
  const std::size_t count = up_to(9);
  for (std::size_t i = 0; i < count; ++i) {
    EvictionEntry entry;
    entry.memory_bytes = up_to(12);
    entry.idle = up_to(3) > 0;
    entry.access_count = up_to(3);
    entry.release_order = 100 + (i * 7) % 10;
    entry.loaded_at = q.now - std::chrono::seconds{up_to(6)};
    if (up_to(2) == 0) entry.expires_at = q.now + std::chrono::seconds{up_to(2)} - std::chrono::seconds{1};
    q.entries.push_back(entry);
  }
  return q;
}

TEST(PlanEvictionOracleTest, IsTheBestOfAllSetsThatMakeRoom) {
  std::mt19937 random(20'240'501);  // NOLINT: the same questions every time
  int refused = 0;
  int with_victims = 0;
  for (int round = 0; round < 20'000; ++round) {
    const Question q = random_question(random);
    const EvictionPlan plan = plan_eviction(q.entries, q.limits, q.bytes, q.now);
    ASSERT_EQ(plan.fits, can_fit(q)) << "round " << round;
    const Subset victims(plan.victims.begin(), plan.victims.end());
    ASSERT_EQ(victims.size(), plan.victims.size()) << "a victim twice in round " << round;
    if (!plan.fits) {
      ++refused;
      ASSERT_TRUE(victims.empty()) << "round " << round;
      continue;
    }
    with_victims += victims.empty() ? 0 : 1;
    ASSERT_TRUE(plan.blockers.empty()) << "round " << round;
    ASSERT_EQ(victims, best_victims(q)) << "round " << round;
    ASSERT_TRUE(std::ranges::is_sorted(plan.victims, {}, [&](std::size_t i) { return rank(q, i); })) << round;
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(with_victims, 1000);
}

TEST(PlanEvictionOracleTest, ARefusalNamesExactlyWhoMayNotGoAndCountsTheRest) {
  std::mt19937 random(7);  // NOLINT
  for (int round = 0; round < 20'000; ++round) {
    const Question q = random_question(random);
    const EvictionPlan plan = plan_eviction(q.entries, q.limits, q.bytes, q.now);
    if (plan.fits) continue;
    std::size_t bytes_staying = 0;
    std::size_t models_staying = 0;
    Subset staying;
    for (std::size_t i = 0; i < q.entries.size(); ++i) {
      if (may_go(q, i)) continue;
      bytes_staying += q.entries[i].memory_bytes;
      ++models_staying;
      if (plan.unit == OutOfMemory::Unit::models || q.entries[i].memory_bytes > 0) staying.insert(i);
    }
    const auto left_of = [](std::size_t limit, std::size_t used) { return limit > used ? limit - used : 0; };
    if (plan.unit == OutOfMemory::Unit::bytes) {
      ASSERT_EQ(plan.needed, q.bytes);
      ASSERT_EQ(plan.available, left_of(*q.limits.max_memory_bytes, bytes_staying));
      ASSERT_GE(plan.needed, plan.available);
      if (q.bytes > *q.limits.max_memory_bytes) staying.clear();
    } else {
      ASSERT_EQ(plan.needed, 1U);
      ASSERT_EQ(plan.available, left_of(*q.limits.max_models, models_staying));
      ASSERT_EQ(plan.available, 0U);
    }
    ASSERT_EQ(Subset(plan.blockers.begin(), plan.blockers.end()), staying) << "round " << round;
  }
}

}  // namespace
}  // namespace remotemedia
