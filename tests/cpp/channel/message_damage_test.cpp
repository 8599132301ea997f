// SPDX-License-Identifier: Apache-2.0
//
// Messages that were cut, lengthened or changed: none is read as what it is not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "channel/message_samples.h"
#include "channel/raw_message.h"
#include "testing/random_source.h"
#include "testing/rounds.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> refusal_of(const SampleBytes& sample, const Bytes& bytes) {
  return sample.from_client ? refusal(read_client_message, bytes) : refusal(read_worker_message, bytes);
}

TEST(MessageDamageTest, WhatWasWrittenIsReadAndWrittenAgain) {
  for (const SampleBytes& sample : written_samples()) {
    EXPECT_EQ(read_and_written(sample.from_client, sample.bytes), sample.bytes) << sample.name;
  }
}

TEST(MessageDamageTest, AMessageCutAnywhereIsRefused) {
  for (const SampleBytes& sample : written_samples()) {
    for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
      const Bytes cut(sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_TRUE(refusal_of(sample, cut)) << sample.name << " of " << size;
      EXPECT_TRUE(refusal_of(sample, with_true_size(cut))) << sample.name << " of " << size << " that says so";
    }
  }
}

TEST(MessageDamageTest, WhatFollowsAMessageIsRefused) {
  for (const SampleBytes& sample : written_samples()) {
    Bytes longer = sample.bytes;
    longer.push_back(std::byte{0});
    EXPECT_THAT(refusal_of(sample, longer).value_or(""), HasSubstr("size must be")) << sample.name;
    EXPECT_THAT(refusal_of(sample, with_true_size(longer)).value_or(""), HasSubstr("1 bytes more")) << sample.name;
  }
}

TEST(MessageDamageTest, ANewerMinorMayAddFieldsAtTheEnd) {
  for (const SampleBytes& sample : written_samples()) {
    Bytes newer = sample.bytes;
    newer[6] = std::byte{kProtocolVersion.minor + 1};
    newer.resize(newer.size() + 100, std::byte{0xEE});
    newer = with_true_size(newer);
    const bool lists_its_version =
        sample.name == std::string_view("hello") || sample.name == std::string_view("refused");
    if (lists_its_version) {
      EXPECT_THAT(refusal_of(sample, newer).value_or(""), HasSubstr("versions must be a list with the message's own"));
      newer[30] = std::byte{kProtocolVersion.minor + 1};  // of the list's first version, the minor
    }
    EXPECT_EQ(refusal_of(sample, newer), std::nullopt) << sample.name;
    if (!lists_its_version) {
      EXPECT_EQ(read_and_written(sample.from_client, newer), sample.bytes) << sample.name;
    }
  }
}

TEST(MessageDamageTest, AnyByteThatChangesIsRefusedOrReadAsItIs) {
  std::size_t accepted = 0;
  std::size_t refused = 0;
  const std::uint64_t changes = std::min<std::uint64_t>(255, testing::slow_rounds(255));
  for (const SampleBytes& sample : written_samples()) {
    for (std::size_t at = 0; at < sample.bytes.size(); ++at) {
      for (std::uint64_t i = 0; i < changes; ++i) {
        const std::uint64_t change = 1 + (at + 37 * i) % 255;  // each once
        Bytes changed = sample.bytes;
        changed[at] ^= static_cast<std::byte>(change);
        try {
          Bytes again = read_and_written(sample.from_client, changed);
          if (at == 6 || at == 7) again[at] = changed[at];  // a newer minor, answered in this one
          ASSERT_EQ(again, changed) << sample.name << " at " << at << " by " << change;
          ++accepted;
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), ErrorCode::protocol_error) << sample.name << " at " << at << ": " << error.what();
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(accepted, 2'000U);
  EXPECT_GT(refused, 15'000U);
}

TEST(MessageDamageTest, NoiseIsReadAsItIsOrRefused) {
  testing::RandomSource random;
  SCOPED_TRACE(random.trace());
  const auto samples = written_samples();
  std::size_t accepted = 0;
  for (std::uint64_t i = testing::slow_rounds(30'000); i > 0; --i) {
    const SampleBytes& sample = samples[random.below(samples.size())];
    Bytes noisy = sample.bytes;
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      noisy[12 + random.below(noisy.size() - 12)] = static_cast<std::byte>(random.bits());
    }
    if (random.once_in(4)) noisy.resize(24 + random.below(2 * noisy.size()), static_cast<std::byte>(random.bits()));
    noisy = with_true_size(noisy);
    const bool from_client = random.once_in(10) != sample.from_client;
    try {
      ASSERT_EQ(read_and_written(from_client, noisy), noisy) << sample.name;
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::protocol_error) << sample.name << ": " << error.what();
    }
  }
  EXPECT_GT(accepted, 100U);
}

}  // namespace
}  // namespace remotemedia::detail
