// SPDX-License-Identifier: Apache-2.0
//
// Lies about sessions, segments and states, each named in its refusal; and what looks like one and is none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "channel/message_samples.h"
#include "channel/raw_message.h"
#include "remotemedia/channel/message_limits.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;

/// A hello without lies, until one is put in.
struct Hello {
  std::vector<ProtocolVersion> versions{kProtocolVersion};
  std::uint32_t count = 1;
  std::uint8_t client = 9;
  std::uint8_t shared_memory = 1;
  std::uint32_t ring_depth = 64;

  RawMessage raw() const {
    RawMessage raw;
    raw.header(MessageKind::hello, 0).u32(count);
    for (const ProtocolVersion& version : versions) raw.u16(version.major).u16(version.minor);
    return raw.repeat(16, client).u8(shared_memory).u32(ring_depth);
  }
};

struct Spec {
  std::string name = "x";
  std::uint8_t code = 2;
  std::uint8_t bits = 32;
  std::uint8_t rank = 1;
  std::vector<std::int64_t> extents{3};
};

struct Grant {
  std::uint16_t role;
  std::uint32_t number;
  std::uint64_t bytes = 65'536;
};

RawMessage& put(RawMessage& raw, const std::vector<Spec>& specs) {
  raw.u32(specs.size());
  for (const Spec& spec : specs) {
    raw.text(spec.name).u8(spec.code).u8(spec.bits).u8(spec.rank);
    for (const std::int64_t extent : spec.extents) raw.i64(extent);
  }
  return raw;
}

RawMessage& put(RawMessage& raw, const std::vector<Grant>& segments) {
  raw.u32(segments.size());
  for (const Grant& segment : segments) {
    raw.u16(segment.role).u32(segment.number).u32(0).u64(segment.bytes).repeat(16, 0);
  }
  return raw;
}

/// The same for a welcome.
struct Welcome {
  ProtocolVersion version{2, 0};
  std::string worker_id = "w";
  std::string model_id = "m";
  std::string device = "cpu";
  std::vector<Spec> inputs{{}};
  std::vector<Spec> outputs{{}};
  std::int64_t signature_batch = 0;
  std::uint8_t stateful = 0;
  std::int64_t batch = 0;
  std::uint32_t unanswered = 1;
  std::uint32_t inline_bytes = 0;
  std::uint32_t ring_depth = 64;
  std::uint32_t window = 1;
  std::vector<Grant> segments{{1, 0}, {2, 1}, {3, 2}, {4, 3}};

  RawMessage raw() const {
    RawMessage raw;
    raw.header(MessageKind::welcome, 0).u16(version.major).u16(version.minor);
    raw.text(worker_id).text(model_id).text(device);
    put(put(raw, inputs), outputs).i64(signature_batch).u8(stateful).i64(batch);
    raw.u32(unanswered).u32(inline_bytes).u32(ring_depth).u32(window);
    return put(raw, segments);
  }
};

std::string said_of(const std::function<void(Hello&)>& lie) {
  Hello hello;
  lie(hello);
  return worker_refuses(hello.raw()).value_or("");
}

std::string said_of(const std::function<void(Welcome&)>& lie) {
  Welcome welcome;
  lie(welcome);
  return client_refuses(welcome.raw()).value_or("");
}

template <class Message>
void expect(const char* what, void (*lie)(Message&)) {
  EXPECT_THAT(said_of(lie), HasSubstr(what));
}

template <class Message>
void expect_no_lie(void (*change)(Message&)) {
  EXPECT_EQ(said_of(change), "");
}

TEST(SessionLiesTest, AHelloIsTrueInEveryField) {
  expect_no_lie<Hello>([](Hello&) {});
  expect<Hello>("versions must be 1 to 8 and is 0", [](Hello& hello) { hello.count = 0; });
  expect<Hello>("versions must be 1 to 8 and is 9", [](Hello& hello) { hello.count = 9; });
  expect<Hello>("versions must be 1 to 8 and is 4294967295", [](Hello& hello) { hello.count = ~0U; });
  expect<Hello>("version 0: major must be above the one before it and is 0", [](Hello& hello) {
    hello.versions = {{0, 1}};
  });
  expect<Hello>("version 1: major must be above the one before it and is 1", [](Hello& hello) {
    hello.versions = {{1, 1}, {1, 2}};
    hello.count = 2;
  });
  expect<Hello>("versions must be a list with the message's own and is 3.0", [](Hello& hello) {
    hello.versions = {{3, 0}};
  });
  expect<Hello>("client must be drawn and is all zeros", [](Hello& hello) { hello.client = 0; });
  expect<Hello>("shared_memory must be 0 to 1 and is 2", [](Hello& hello) { hello.shared_memory = 2; });
  expect<Hello>("ring_depth must be 0 or a power of two up to 65536 and is 65",
                [](Hello& hello) { hello.ring_depth = 65; });
  expect<Hello>("ring_depth must be 0 or a power", [](Hello& hello) { hello.ring_depth = 131'072; });
  expect<Hello>("ring_depth must be 0 without shared memory and is 64", [](Hello& hello) { hello.shared_memory = 0; });
}

TEST(SessionLiesTest, AHelloMayWishForLittleOrMuch) {
  expect_no_lie<Hello>([](Hello& hello) { hello.ring_depth = 0; });
  expect_no_lie<Hello>([](Hello& hello) { hello.ring_depth = 1; });
  expect_no_lie<Hello>([](Hello& hello) { hello.ring_depth = 65'536; });
  expect_no_lie<Hello>([](Hello& hello) { hello.shared_memory = 0, hello.ring_depth = 0; });
}

TEST(SessionLiesTest, AWelcomeIsTrueInEveryField) {
  expect_no_lie<Welcome>([](Welcome&) {});
  expect<Welcome>("version must be 2 to 2 and is 3", [](Welcome& welcome) { welcome.version = {3, 0}; });
  expect<Welcome>("version must be 0 to 0 and is 2", [](Welcome& welcome) { welcome.version = {2, 2}; });
  expect<Welcome>("worker_id must be 0 to 1024 and is 1025",
                  [](Welcome& welcome) { welcome.worker_id.assign(1025, 'w'); });
  expect<Welcome>("worker_id must be UTF-8 and is not", [](Welcome& welcome) { welcome.worker_id = "\xFF"; });
  expect<Welcome>("model_id must be 0 to 1024 and is 1025",
                  [](Welcome& welcome) { welcome.model_id.assign(1025, 'm'); });
  expect<Welcome>("model_id must be UTF-8 and is not", [](Welcome& welcome) { welcome.model_id = "\xED\xA0\x80"; });
  expect<Welcome>("device must be 0 to 1024 and is 1025", [](Welcome& welcome) { welcome.device.assign(1025, 'd'); });
  expect<Welcome>("device must be UTF-8 and is not", [](Welcome& welcome) { welcome.device = "\x80"; });
  expect<Welcome>("max_batch_size must be 0 to 9223372036854775807 and is -1",
                  [](Welcome& welcome) { welcome.batch = -1; });
  expect<Welcome>("unanswered_calls must be 1 to 4294967295 and is 0",
                  [](Welcome& welcome) { welcome.unanswered = 0; });
  expect<Welcome>("inline_bytes must be 0 to 32768 and is 32769",
                  [](Welcome& welcome) { welcome.inline_bytes = 32'769; });
  expect<Welcome>("ring_depth must be 0 or a power of two", [](Welcome& welcome) { welcome.ring_depth = 3; });
  expect<Welcome>("stream_window must be 1 to 4294967295 and is 0", [](Welcome& welcome) { welcome.window = 0; });
}

TEST(SessionLiesTest, ASignatureIsTrueInEveryField) {
  expect<Welcome>("input 0: name must be 1 to 1024 and is 0", [](Welcome& welcome) { welcome.inputs[0].name = ""; });
  expect<Welcome>("name must be 1 to 1024 and is 1025",
                  [](Welcome& welcome) { welcome.inputs[0].name.assign(1025, 'x'); });
  expect<Welcome>("output 0: name must be UTF-8 and is not",
                  [](Welcome& welcome) { welcome.outputs[0].name = "\xF5"; });
  expect<Welcome>("inputs must be of different names and is not", [](Welcome& welcome) { welcome.inputs.resize(2); });
  expect<Welcome>("outputs must be of different names and is not", [](Welcome& welcome) { welcome.outputs.resize(2); });
  expect<Welcome>("dtype_code must be a type with its bits and is 2, 24",
                  [](Welcome& welcome) { welcome.inputs[0].bits = 24; });
  expect<Welcome>("dtype_code must be a type with its bits and is 3, 64", [](Welcome& welcome) {
    welcome.inputs[0].code = 3;  // DLPack's opaque handle
    welcome.inputs[0].bits = 64;
  });
  expect<Welcome>("dtype_code must be a type with its bits and is 255, 8", [](Welcome& welcome) {
    welcome.inputs[0].code = 255;
    welcome.inputs[0].bits = 8;
  });
  expect<Welcome>("dtype_code must be a type with its bits and is 2, 0",
                  [](Welcome& welcome) { welcome.inputs[0].bits = 0; });
  expect<Welcome>("rank must be 0 to 64 and is 65", [](Welcome& welcome) { welcome.inputs[0].rank = 65; });
  expect<Welcome>("extent must be -1 to 9223372036854775807 and is -2",
                  [](Welcome& welcome) { welcome.inputs[0].extents = {-2}; });
  expect<Welcome>("extent must be 8 bytes and is cut", [](Welcome& welcome) {
    welcome.inputs.clear();
    welcome.outputs[0].rank = 64;
    welcome.segments.clear();
  });
  expect<Welcome>("signature.max_batch_size must be 0 to", [](Welcome& welcome) { welcome.signature_batch = -1; });
  expect<Welcome>("stateful must be 0 to 1 and is 255", [](Welcome& welcome) { welcome.stateful = 255; });
}

TEST(SessionLiesTest, ASignatureMayBeUnusual) {
  expect_no_lie<Welcome>([](Welcome& welcome) { welcome.inputs.clear(), welcome.outputs.clear(); });
  expect_no_lie<Welcome>([](Welcome& welcome) { welcome.inputs[0] = {"x", 0, 0, 0, {}}; });
  expect_no_lie<Welcome>([](Welcome& welcome) {
    welcome.inputs[0] = {"x", 2, 32, 64, std::vector<std::int64_t>(64, std::numeric_limits<std::int64_t>::max())};
  });
  expect_no_lie<Welcome>([](Welcome& welcome) {
    welcome.inputs.clear();
    for (int i = 0; i < 512; ++i) welcome.inputs.push_back({"input " + std::to_string(i), 1, 8, 2, {-1, 0}});
  });
  expect_no_lie<Welcome>([](Welcome& welcome) {
    welcome.worker_id = "", welcome.model_id = std::string("\0", 1), welcome.device = "";
    welcome.batch = welcome.signature_batch = std::numeric_limits<std::int64_t>::max();
    welcome.inline_bytes = 32'768, welcome.unanswered = welcome.window = ~0U;
  });
  expect<Welcome>("inputs must be 0 to 512 and is 513", [](Welcome& welcome) {
    welcome.inputs.clear();
    for (int i = 0; i < 513; ++i) welcome.inputs.push_back({std::to_string(i), 1, 8, 0, {}});
  });
}

TEST(SessionLiesTest, SegmentsAreTrueInEveryField) {
  expect<Welcome>("segment 0: role must be a number that has a meaning and is 0",
                  [](Welcome& welcome) { welcome.segments[0].role = 0; });
  expect<Welcome>("segment 3: role must be a number that has a meaning and is 5",
                  [](Welcome& welcome) { welcome.segments[3].role = 5; });
  expect<Welcome>("segment 1: number must be above the one before it and is 0",
                  [](Welcome& welcome) { welcome.segments[1].number = 0; });
  expect<Welcome>("segment 3: number must be 0 to 4095 and is 4096",
                  [](Welcome& welcome) { welcome.segments[3].number = 4096; });
  expect<Welcome>("segment 2: bytes must be 4097 to 9223372036854775807 and is 4096",
                  [](Welcome& welcome) { welcome.segments[2].bytes = 4096; });
  expect<Welcome>("bytes must be 4097 to", [](Welcome& welcome) { welcome.segments[2].bytes = ~std::uint64_t{0}; });
  expect<Welcome>("segments must be 1 of each control and is 0",
                  [](Welcome& welcome) { welcome.segments[0].role = 3; });
  expect<Welcome>("segments must be 1 of each control and is 2",
                  [](Welcome& welcome) { welcome.segments[2].role = 1; });
  expect<Welcome>("segments must be 1 of each control and is 2",
                  [](Welcome& welcome) { welcome.segments[3].role = 2; });
  expect<Welcome>("segments must be 0 of each control and is 1", [](Welcome& welcome) { welcome.ring_depth = 0; });
  expect<Welcome>("segments must be 0 without rings and is 1", [](Welcome& welcome) {
    welcome.ring_depth = 0;
    welcome.segments = {{3, 2}};
  });
  expect<Welcome>("segments must be 0 to 6 and is 7", [](Welcome& welcome) {
    welcome.segments = {{1, 0}, {2, 1}, {3, 2}, {3, 3}, {3, 4}, {4, 5}, {4, 6}};
  });
}

TEST(SessionLiesTest, SegmentsMayBeFewOrMany) {
  expect_no_lie<Welcome>([](Welcome& welcome) { welcome.ring_depth = 0, welcome.segments.clear(); });
  expect_no_lie<Welcome>([](Welcome& welcome) { welcome.segments = {{2, 8}, {1, 9}}; });
  expect_no_lie<Welcome>([](Welcome& welcome) {
    welcome.segments = {{1, 0}, {2, 1}, {3, 2}, {3, 3, 4097}, {4, 4}, {4, 4095, std::uint64_t{1} << 62}};
  });
}

std::string said_of_segments(std::uint64_t request, const std::vector<Grant>& segments) {
  RawMessage raw;
  return client_refuses(put(raw.header(MessageKind::segments, request), segments)).value_or("");
}

TEST(SessionLiesTest, MoreSegmentsAreForTensors) {
  EXPECT_EQ(said_of_segments(0, {{3, 7}}), "");
  EXPECT_EQ(said_of_segments(9, {{3, 0}, {4, 1}, {3, 2}, {3, 3}, {3, 4}, {3, 5}, {3, 6}, {3, 7}}), "");
  EXPECT_THAT(said_of_segments(9, {}), HasSubstr("segments must be 1 to 8 and is 0"));
  EXPECT_THAT(said_of_segments(9, std::vector<Grant>(9, Grant{3, 0})), HasSubstr("segments must be 1 to 8 and is 9"));
  EXPECT_THAT(said_of_segments(9, {{1, 7}}), HasSubstr("segments must be 0 of each control and is 1"));
  EXPECT_THAT(said_of_segments(9, {{2, 7}}), HasSubstr("segments must be 0 of each control and is 1"));
  EXPECT_THAT(said_of_segments(9, {{3, 7}, {3, 6}}), HasSubstr("segment 1: number must be above the one before it"));
}

TEST(SessionLiesTest, NumbersOfSegmentsAscend) {
  const auto said = [](const std::vector<std::uint32_t>& numbers) {
    RawMessage raw;
    raw.header(MessageKind::mapped, 0).u32(numbers.size());
    for (const std::uint32_t number : numbers) raw.u32(number);
    return worker_refuses(raw).value_or("");
  };
  EXPECT_EQ(said({0}), "");
  EXPECT_EQ(said({0, 1, 2, 3, 4, 5, 6, 4095}), "");
  EXPECT_THAT(said({}), HasSubstr("segments must be 1 to 8 and is 0"));
  EXPECT_THAT(said({0, 1, 2, 3, 4, 5, 6, 7, 8}), HasSubstr("segments must be 1 to 8 and is 9"));
  EXPECT_THAT(said({4096}), HasSubstr("segment 0: number must be 0 to 4095 and is 4096"));
  EXPECT_THAT(said({5, 5}), HasSubstr("segment 1: number must be above the one before it and is 5"));
  EXPECT_THAT(said({5, 4}), HasSubstr("segment 1: number must be above the one before it and is 4"));
}

TEST(SessionLiesTest, ASegmentThatIsAskedForHasBytes) {
  const auto said = [](std::uint64_t bytes) {
    return worker_refuses(RawMessage().header(MessageKind::ask_segment, 9).u64(bytes)).value_or("");
  };
  EXPECT_EQ(said(1), "");
  EXPECT_EQ(said((std::uint64_t{1} << 63) - 1), "");
  EXPECT_THAT(said(0), HasSubstr("bytes must be 1 to 9223372036854775807 and is 0"));
  EXPECT_THAT(said(std::uint64_t{1} << 63),
              HasSubstr("bytes must be 1 to 9223372036854775807 and is 9223372036854775808"));
}

TEST(SessionLiesTest, ARefusalHasAReason) {
  const auto said = [](std::uint64_t code, const std::string& text) {
    return client_refuses(RawMessage().header(MessageKind::refused, 0).u32(1).u16(2).u16(0).u16(code).text(text))
        .value_or("");
  };
  EXPECT_EQ(said(16, ""), "");
  EXPECT_EQ(said(1, std::string(32'768, 'x')), "");
  EXPECT_THAT(said(0, ""), HasSubstr("code must be a number that has a meaning and is 0"));
  EXPECT_THAT(said(17, ""), HasSubstr("code must be a number that has a meaning and is 17"));
  EXPECT_THAT(said(1, "\xFF"), HasSubstr("text must be UTF-8 and is not"));
  EXPECT_THAT(said(1, std::string(32'769, 'x')), HasSubstr("text must be 0 to 32768 and is 32769"));
}

TEST(SessionLiesTest, AStatusIsTrueInEveryField) {
  const auto said = [](std::uint64_t state, const std::string& worker, const std::string& reason, std::int64_t batch) {
    RawMessage raw;
    raw.header(MessageKind::status, 8).text(worker).text("m").u16(state).text(reason).u64(~std::uint64_t{0});
    raw.u64(0).i64(batch).repeat(104, 0xFF);
    return client_refuses(raw).value_or("");
  };
  EXPECT_EQ(said(1, "", "", 0), "") << "counts up to the top, numbers that are none, a process of -1";
  EXPECT_THAT(said(0, "w", "", 0), HasSubstr("status must be a number that has a meaning and is 0"));
  EXPECT_THAT(said(6, "w", "", 0), HasSubstr("status must be a number that has a meaning and is 6"));
  EXPECT_THAT(said(1, "\xFF", "", 0), HasSubstr("worker_id must be UTF-8 and is not"));
  EXPECT_THAT(said(1, std::string(1025, 'w'), "", 0), HasSubstr("worker_id must be 0 to 1024 and is 1025"));
  EXPECT_THAT(said(1, "w", "\xFF", 0), HasSubstr("reason must be UTF-8 and is not"));
  EXPECT_THAT(said(1, "w", "", -1), HasSubstr("max_batch_size must be 0 to"));
}

TEST(SessionLiesTest, HealthIsYesOrNo) {
  const auto said = [](std::uint64_t healthy, const std::string& reason) {
    return client_refuses(RawMessage().header(MessageKind::health, 8).u8(healthy).text(reason)).value_or("");
  };
  EXPECT_EQ(said(1, "although"), "");
  EXPECT_THAT(said(2, ""), HasSubstr("healthy must be 0 to 1 and is 2"));
  EXPECT_THAT(said(0, "\x80"), HasSubstr("reason must be UTF-8 and is not"));
}

}  // namespace
}  // namespace remotemedia::detail
