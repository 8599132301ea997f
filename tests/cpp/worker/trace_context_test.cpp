// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace remotemedia {
namespace {

const std::string kOne = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string read(const std::string& traceparent) {
  const auto context = trace_context(traceparent);
  return context != nullptr ? context->traceparent : "none";
}

std::string state_of(const std::string& tracestate) { return trace_context(kOne, tracestate)->tracestate; }

TEST(TraceContextTest, WhatIsWellFormedStaysAsItIs) {
  EXPECT_EQ(read(kOne), kOne);
  EXPECT_EQ(read(" " + kOne + "\t"), kOne);
  EXPECT_TRUE(trace_context(kOne)->sampled());
  EXPECT_TRUE(trace_context(kOne.substr(0, 53) + "0b")->sampled());
  EXPECT_FALSE(trace_context(kOne.substr(0, 53) + "00")->sampled());
  EXPECT_FALSE(trace_context(kOne.substr(0, 53) + "0a")->sampled());
}

TEST(TraceContextTest, WhatIsMalformedIsNone) {
  for (std::size_t size = 0; size < kOne.size(); ++size) EXPECT_EQ(read(kOne.substr(0, size)), "none") << size;
  for (std::size_t at = 0; at < kOne.size(); ++at) {
    for (const char wrong : {'-', 'g', 'F', ' ', '\0', '\xFF'}) {
      std::string changed = kOne;
      if (changed[at] == wrong) continue;
      changed[at] = wrong;
      EXPECT_EQ(read(changed), "none") << at << " " << wrong;
    }
  }
  EXPECT_EQ(read(kOne + "-"), "none") << "version 00 has no more";
  EXPECT_EQ(read(kOne + "0"), "none");
  EXPECT_EQ(read("ff" + kOne.substr(2)), "none");
  EXPECT_EQ(read("00-" + std::string(32, '0') + kOne.substr(35)), "none");
  EXPECT_EQ(read(kOne.substr(0, 36) + std::string(16, '0') + "-01"), "none");
  EXPECT_EQ(read(kOne + "," + kOne), "none") << "two headers are none";
}

TEST(TraceContextTest, OfANewerVersionItTakesWhatItKnows) {
  EXPECT_EQ(read("01" + kOne.substr(2)), kOne);
  EXPECT_EQ(read("fe" + kOne.substr(2) + "-what comes later"), kOne);
  EXPECT_EQ(read("01" + kOne.substr(2, 51) + "f7"), kOne) << "of the flags the one it knows";
  EXPECT_EQ(read("01" + kOne.substr(2, 51) + "f6"), kOne.substr(0, 53) + "00");
  EXPECT_EQ(read("01" + kOne.substr(2) + "1"), "none");
}

TEST(TraceContextTest, AStateThatIsMalformedIsLeftOut) {
  EXPECT_EQ(state_of("a=1,b@c=x y"), "a=1,b@c=x y");
  EXPECT_EQ(state_of(" a=1\t"), "a=1");
  EXPECT_EQ(state_of(std::string(512, 'a')), std::string(512, 'a'));
  EXPECT_EQ(state_of(std::string(513, 'a')), "");
  EXPECT_EQ(state_of("a=\n"), "");
  EXPECT_EQ(state_of("a=\x7F"), "");
  EXPECT_EQ(state_of("a=\xC3\xA9"), "");
  std::string vendors = "a=1";
  for (int i = 1; i < 32; ++i) vendors += ",b=1";
  EXPECT_EQ(state_of(vendors), vendors);
  EXPECT_EQ(state_of(vendors + ",c=1"), "");
  EXPECT_EQ(state_of("  \t "), "");
}

}  // namespace
}  // namespace remotemedia
