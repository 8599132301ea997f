// SPDX-License-Identifier: Apache-2.0
//
// Lies about calls and their answers, each named in its refusal; and what looks like one and is none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "channel/message_samples.h"
#include "channel/raw_message.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();

struct Tensor {
  std::uint8_t key_kind = 2;
  std::uint32_t number = 0;
  std::string name = "x";
  std::uint8_t code = 2;
  std::uint8_t bits = 32;
  std::uint8_t rank = 1;
  std::vector<std::int64_t> extents{2};
  std::uint16_t bytes_in = 1;
  std::uint64_t nbytes = 8;
  std::size_t here = 8;
};

Tensor named(std::string name) {
  Tensor tensor;
  tensor.name = std::move(name);
  return tensor;
}

Tensor numbered(std::uint32_t number) {
  Tensor tensor;
  tensor.key_kind = 1;
  tensor.number = number;
  return tensor;
}

/// Row-major and in a record, so that the bytes cost nothing.
Tensor of_shape(std::vector<std::int64_t> extents, std::uint64_t nbytes) {
  Tensor tensor;
  tensor.rank = static_cast<std::uint8_t>(extents.size());
  tensor.extents = std::move(extents);
  tensor.bytes_in = 2;
  tensor.nbytes = nbytes;
  tensor.here = 0;
  return tensor;
}

/// A call without lies, until one is put in.
struct Call {
  std::int32_t priority = 0;
  std::uint64_t time_left = ~std::uint64_t{0};
  std::uint8_t stream = 0;
  std::uint8_t has_session = 0;
  std::string session_id;
  std::uint32_t parameter_count = 0;
  std::string parameters;  ///< Bytes.
  std::vector<Tensor> tensors{{}};
  std::size_t tensor_count = 1;
  std::string traceparent;
  std::string tracestate;

  void set(std::vector<Tensor> all) {
    tensor_count = all.size();
    tensors = std::move(all);
  }

  RawMessage raw() const {
    RawMessage raw;
    raw.header(MessageKind::call, 7).number(static_cast<std::uint32_t>(priority), 4).u64(time_left).u8(stream);
    raw.u8(has_session);
    if (has_session != 0) raw.text(session_id);
    raw.u32(parameter_count).letters(parameters).u32(tensor_count);
    for (const Tensor& tensor : tensors) {
      raw.u8(tensor.key_kind);
      if (tensor.key_kind == 1) raw.u32(tensor.number);
      if (tensor.key_kind != 1) raw.text(tensor.name);
      raw.u8(tensor.code).u8(tensor.bits).u8(tensor.rank);
      for (const std::int64_t extent : tensor.extents) raw.i64(extent);
      raw.u16(tensor.bytes_in).u64(tensor.nbytes).repeat(tensor.here, 0xA5);
    }
    return raw.text(traceparent).text(tracestate);
  }

  /// Valid until the next one, or the end of this.
  CallMessage read() {
    received_ = raw().whole();
    return std::get<CallMessage>(read_client_message(received_));
  }

 private:
  Bytes received_;
};

std::string said_of(const std::function<void(Call&)>& lie) {
  Call call;
  lie(call);
  return worker_refuses(call.raw()).value_or("");
}

void expect(const char* what, const std::function<void(Call&)>& lie) { EXPECT_THAT(said_of(lie), HasSubstr(what)); }

std::string letters_of(const RawMessage& raw) {
  std::string letters;
  for (const std::byte byte : raw.as_it_is()) letters += static_cast<char>(byte);
  return letters;
}

/// Of a call with one parameter, whose bytes these are.
std::string said_of_parameter(std::string_view bytes) {
  return said_of([&](Call& call) { call.parameter_count = 1, call.parameters = bytes; });
}

TEST(CallLiesTest, ACallIsTrueInEveryField) {
  EXPECT_EQ(said_of([](Call&) {}), "");
  expect("time_left must be 0 to 9223372036854775807 and is 9223372036854775808",
         [](Call& call) { call.time_left = std::uint64_t{1} << 63; });
  expect("time_left must be 0 to", [](Call& call) { call.time_left = ~std::uint64_t{1}; });
  expect("stream must be 0 to 1 and is 2", [](Call& call) { call.stream = 2; });
  expect("has_session must be 0 to 1 and is 2", [](Call& call) { call.has_session = 2; });
  expect("session_id must be 0 to 1024 and is 1025",
         [](Call& call) { call.has_session = 1, call.session_id.assign(1025, 's'); });
  expect("session_id must be UTF-8 and is not", [](Call& call) { call.has_session = 1, call.session_id = "a\xC0"; });
}

TEST(CallLiesTest, ACallMayBeUnusual) {
  for (const std::int32_t priority :
       {std::numeric_limits<std::int32_t>::min(), -1, std::numeric_limits<std::int32_t>::max()}) {
    Call call;
    call.priority = priority;
    EXPECT_EQ(call.read().priority, priority);
  }
  Call call;
  EXPECT_EQ(call.read().time_left, std::nullopt);
  call.time_left = 0;
  EXPECT_EQ(call.read().time_left, Duration{0});
  call.time_left = static_cast<std::uint64_t>(kMost);
  EXPECT_EQ(call.read().time_left, Duration::max());
  EXPECT_EQ(call.read().session_id, std::nullopt);
  call.has_session = 1;
  EXPECT_EQ(call.read().session_id, "") << "a session like any other";
  call.session_id = std::string(1024, '\0');
  EXPECT_EQ(call.read().session_id, std::string(1024, '\0'));
  call.set({});
  EXPECT_EQ(call.read().tensors.size(), 0U);
}

TEST(CallLiesTest, ParametersAreWhatTheySay) {
  using namespace std::string_literals;
  EXPECT_EQ(said_of_parameter("\0\0\0\0\1\1"s), "") << "without a name";
  EXPECT_THAT(said_of_parameter("\1\0\0\0\xFF\1\1"s), HasSubstr("parameter 0: name must be UTF-8 and is not"));
  EXPECT_THAT(said_of_parameter("\1\0\0\0a\0\1"s), HasSubstr("kind must be 1 to 4 and is 0"));
  EXPECT_THAT(said_of_parameter("\1\0\0\0a\5\1"s), HasSubstr("kind must be 1 to 4 and is 5"));
  EXPECT_THAT(said_of_parameter("\1\0\0\0a\1\2"s), HasSubstr("value must be 0 to 1 and is 2"));
  EXPECT_THAT(said_of_parameter("\1\0\0\0a\4\1\0\0\0\xFE"s), HasSubstr("value must be UTF-8 and is not"));
  EXPECT_THAT(said_of_parameter("\1\0\0\0a\4\1\x80\0\0"s), HasSubstr("value must be 0 to 32768 and is 32769"));
  EXPECT_THAT(said_of_parameter("\1\4\0\0a\4\1\x80\0\0"s), HasSubstr("name must be 0 to 1024 and is 1025"));
  expect("parameters must be 0 to 256 and is 257", [](Call& call) { call.parameter_count = 257; });
  expect("parameters must be 0 to 256 and is 4294967295", [](Call& call) { call.parameter_count = ~0U; });
}

TEST(CallLiesTest, ParametersStandInTheOrderOfTheirNames) {
  const auto said = [](std::string_view first, std::string_view second) {
    return said_of([&](Call& call) {
      call.parameter_count = 2;
      call.parameters =
          letters_of(RawMessage().text(first).u8(1).u8(0)) + letters_of(RawMessage().text(second).u8(1).u8(1));
    });
  };
  EXPECT_EQ(said("", "a"), "");
  EXPECT_EQ(said("a", "aa"), "");
  EXPECT_EQ(said("z", "\xC3\xA9"), "") << "by their bytes, as unsigned numbers";
  EXPECT_THAT(said("b", "a"), HasSubstr("parameter 1: name must be behind the one before it and is not"));
  EXPECT_THAT(said("a", "a"), HasSubstr("parameter 1: name must be behind the one before it and is not"));
}

TEST(CallLiesTest, NumbersThatAreNoneAndInfinityPass) {
  for (const std::uint64_t bits : {0x7FF0000000000000U, 0xFFF0000000000000U, 0x7FF8000000000001U, 0x7FF0000000000001U,
                                   0xFFFFFFFFFFFFFFFFU, 0x8000000000000000U}) {
    Call call;
    call.parameter_count = 1;
    call.parameters = letters_of(RawMessage().text("a").u8(3).u64(bits));
    const CallMessage message = call.read();
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<double>(message.parameters.at("a"))), bits);
    EXPECT_EQ(write_message(message), call.raw().whole());
  }
}

TEST(CallLiesTest, ATensorIsNamedOnce) {
  expect("tensor 0: key must be 1 to 2 and is 0", [](Call& call) { call.tensors[0].key_kind = 0; });
  expect("tensor 0: key must be 1 to 2 and is 3", [](Call& call) { call.tensors[0].key_kind = 3; });
  expect("number must be 0 to 511 and is 512", [](Call& call) { call.set({numbered(512)}); });
  expect("name must be UTF-8 and is not", [](Call& call) { call.set({named("\xF8")}); });
  expect("name must be 0 to 1024 and is 1025", [](Call& call) { call.set({named(std::string(1025, 'x'))}); });
  expect("tensor 1: key must be behind the one before it and is not", [](Call& call) {
    call.set({numbered(3), numbered(3)});
  });
  expect("tensor 1: key must be behind the one before it and is not", [](Call& call) {
    call.set({numbered(3), numbered(2)});
  });
  expect("tensor 2: key must be behind the one before it and is not", [](Call& call) {
    call.set({named("a"), named("b"), named("a")});
  });
  expect("tensor 1: key must be of one kind with the one before it and is not", [](Call& call) {
    call.set({numbered(0), named("a")});
  });
  EXPECT_EQ(said_of([](Call& call) { call.set({numbered(0), numbered(511)}); }), "");
  EXPECT_EQ(said_of([](Call& call) { call.set({named(""), named("a")}); }), "");
  expect("tensors must be 0 to 512 and is 513", [](Call& call) { call.tensor_count = 513; });
  expect("tensors must be 0 to 512 and is 4294967295", [](Call& call) { call.tensor_count = ~0U; });
  expect("tensors must be 0 to 43 and is 44", [](Call& call) { call.tensor_count = 44; });
}

TEST(CallLiesTest, ATensorIsOfATypeThatHasASize) {
  expect("dtype_code must be a type with its bits and is 7, 16",
         [](Call& call) { call.tensors[0].code = 7, call.tensors[0].bits = 16; });
  expect("dtype_code must be a type with its bits and is 2, 33", [](Call& call) { call.tensors[0].bits = 33; });
}

TEST(CallLiesTest, ElementsOfAnyLengthHaveTheirLengthsAtLeast) {
  const auto of_bytes = [](const std::vector<std::int64_t>& extents, std::uint64_t nbytes) {
    Tensor tensor = of_shape(extents, nbytes);
    tensor.code = tensor.bits = 0;
    return [tensor](Call& call) { call.set({tensor}); };
  };
  for (const std::uint64_t nbytes : {8U, 9U, 1000U}) EXPECT_EQ(said_of(of_bytes({2}, nbytes)), "");
  EXPECT_EQ(said_of(of_bytes({2, 0}, 0)), "");
  expect("nbytes must be 8 to 9223372036854775807 and is 7", of_bytes({2}, 7));
  expect("nbytes must be 8 to 9223372036854775807 and is 18446744073709551615", of_bytes({2}, ~std::uint64_t{0}));
  expect("nbytes must be 0 to 0 and is 1", of_bytes({2, 0}, 1));
  expect("extents must be few enough", of_bytes({1LL << 61}, 0));
}

TEST(CallLiesTest, AShapeCanBeCounted) {
  const auto said = [](const Tensor& tensor) { return said_of([&](Call& call) { call.set({tensor}); }); };
  EXPECT_EQ(said(of_shape({}, 4)), "") << "one element";
  EXPECT_EQ(said(of_shape(std::vector<std::int64_t>(64, 1), 4)), "");
  EXPECT_EQ(said(of_shape({0}, 0)), "");
  EXPECT_EQ(said(of_shape({kMost / 4, 0}, 0)), "");
  EXPECT_EQ(said(of_shape({kMost / 4}, static_cast<std::uint64_t>(kMost / 4 * 4))), "");
  EXPECT_THAT(said(of_shape(std::vector<std::int64_t>(65, 1), 4)), HasSubstr("rank must be 0 to 64 and is 65"));
  EXPECT_THAT(said(of_shape({-1}, 4)), HasSubstr("extent must be 0 to 9223372036854775807 and is -1"));
  EXPECT_THAT(said(of_shape({std::numeric_limits<std::int64_t>::min()}, 0)), HasSubstr("extent must be 0 to"));
  EXPECT_THAT(said(of_shape({kMost / 4 + 1}, 0)), HasSubstr("extents must be few enough to be counted in bytes"));
  EXPECT_THAT(said(of_shape({1LL << 32, 1LL << 32}, 0)), HasSubstr("extents must be few enough"));
  EXPECT_THAT(said(of_shape({0, 1LL << 32, 1LL << 32}, 0)), HasSubstr("extents must be few enough"));
}

TEST(CallLiesTest, BytesAreAsManyAsTheShapeHas) {
  expect("tensor 0: nbytes must be 8 for its type and shape and is 7", [](Call& call) { call.tensors[0].nbytes = 7; });
  expect("nbytes must be 8 for its type and shape and is 9", [](Call& call) { call.tensors[0].nbytes = 9; });
  expect("nbytes must be 8 for its type and shape and is 18446744073709551615",
         [](Call& call) { call.tensors[0].nbytes = ~std::uint64_t{0}; });
  expect("tracestate must be 4 bytes and is cut after 3", [](Call& call) { call.tensors[0].here = 7; });
  expect("traceparent must be 0 to 55 and is 165", [](Call& call) { call.tensors[0].here = 9; });
  expect("traceparent must be 0 to 55 and is 2779096485", [](Call& call) { call.tensors[0].bytes_in = 2; });
  EXPECT_THAT(worker_refuses(Call().raw().u8(0)).value_or(""),
              HasSubstr("size must be that of its fields and is 1 bytes more"));
  expect("bytes_in must be a number that has a meaning and is 0", [](Call& call) { call.tensors[0].bytes_in = 0; });
  expect("bytes_in must be a number that has a meaning and is 4", [](Call& call) { call.tensors[0].bytes_in = 4; });
  expect("nbytes must be 0 to 32768 and is 32772", [](Call& call) {
    call.tensors[0].extents = {8193};
    call.tensors[0].nbytes = call.tensors[0].here = 32'772;
  });
  EXPECT_EQ(said_of([](Call& call) {
              call.tensors[0].extents = {8192};
              call.tensors[0].nbytes = call.tensors[0].here = 32'768;
            }),
            "");
}

TEST(CallLiesTest, NoChunksComeForATensorWithoutBytes) {
  Tensor empty = of_shape({0}, 0);
  empty.bytes_in = 3;
  expect("nbytes must be above 0 in chunks and is 0", [&](Call& call) { call.set({empty}); });
  Tensor large = of_shape({kMost / 4}, static_cast<std::uint64_t>(kMost / 4 * 4));
  large.bytes_in = 3;
  EXPECT_EQ(said_of([&](Call& call) { call.set({large}); }), "");
}

TEST(CallLiesTest, AllTensorsTogetherCanBeCounted) {
  const auto large = [](const char* name, std::int64_t extent) {
    Tensor tensor = of_shape({extent}, static_cast<std::uint64_t>(extent) * 4);
    tensor.name = name;
    return tensor;
  };
  EXPECT_EQ(said_of([&](Call& call) { call.set({large("a", kMost / 8), large("b", kMost / 8)}); }), "");
  expect("tensor 1: nbytes must be with those before at most 9223372036854775807 and is more", [&](Call& call) {
    call.set({large("a", kMost / 4), large("b", 1)});
  });
  expect("tensor 2: nbytes must be with those before", [&](Call& call) {
    call.set({large("a", kMost / 8), large("b", kMost / 8), large("c", kMost / 4)});
  });
}

TEST(CallLiesTest, TheBytesOfATensorAreAViewOfTheMessage) {
  const Bytes bytes = Call().raw().whole();
  const auto message = std::get<CallMessage>(read_client_message(bytes));
  const auto view = message.tensors.at(0).bytes;
  constexpr std::size_t kNoTrace = 8;
  EXPECT_EQ(view.data() + view.size() + kNoTrace, bytes.data() + bytes.size());
}

TEST(CallLiesTest, ATraceIsAsLongAsOneMayBe) {
  Call call;
  call.traceparent = std::string(55, 'x');
  call.tracestate = std::string(512, 'y');
  EXPECT_EQ(call.read().traceparent, call.traceparent) << "what it says is the worker's business";
  EXPECT_EQ(call.read().tracestate, call.tracestate);
  expect("traceparent must be 0 to 55 and is 56", [](Call& lie) { lie.traceparent = std::string(56, 'x'); });
  expect("tracestate must be 0 to 512 and is 513", [](Call& lie) { lie.tracestate = std::string(513, 'y'); });
  expect("traceparent must be UTF-8 and is not", [](Call& lie) { lie.traceparent = "\xFF"; });
}

TEST(CallLiesTest, AnAnswerIsTrueInEveryField) {
  const auto said = [](std::uint64_t number, std::uint64_t last, std::uint64_t tensors) {
    return client_refuses(RawMessage().header(MessageKind::answer, 7).u64(number).u8(last).u32(tensors)).value_or("");
  };
  EXPECT_EQ(said(~std::uint64_t{0}, 1, 0), "");
  EXPECT_THAT(said(0, 2, 0), HasSubstr("last must be 0 to 1 and is 2"));
  EXPECT_THAT(said(0, 1, 513), HasSubstr("tensors must be 0 to 512 and is 513"));
  EXPECT_THAT(said(0, 1, 1), HasSubstr("tensors must be 0 to 0 and is 1"));
}

TEST(CallLiesTest, AChunkLiesWithinWhatCanBeCounted) {
  const auto said = [](std::uint64_t tensor, std::uint64_t offset, std::uint64_t size, std::size_t here) {
    RawMessage raw;
    raw.header(MessageKind::chunk, 7).u32(tensor).u64(offset).u32(size).repeat(here, 1);
    std::string of_worker = client_refuses(raw).value_or("");
    EXPECT_EQ(worker_refuses(raw).value_or(""), of_worker);
    return of_worker;
  };
  EXPECT_EQ(said(0, 0, 1, 1), "");
  EXPECT_EQ(said(511, static_cast<std::uint64_t>(kMost) - 61'440, 61'440, 61'440), "");
  EXPECT_THAT(said(512, 0, 1, 1), HasSubstr("tensor must be 0 to 511 and is 512"));
  EXPECT_THAT(said(0, std::uint64_t{1} << 63, 1, 1), HasSubstr("offset must be 0 to 9223372036854775807 and is"));
  EXPECT_THAT(said(0, static_cast<std::uint64_t>(kMost), 1, 1),
              HasSubstr("bytes must be at most 0 behind this offset and is 1"));
  EXPECT_THAT(said(0, 0, 0, 0), HasSubstr("bytes must be 1 to 61440 and is 0"));
  EXPECT_THAT(said(0, 0, 61'441, 61'441), HasSubstr("bytes must be 1 to 61440 and is 61441"));
  EXPECT_THAT(said(0, 0, 2, 1), HasSubstr("bytes must be 0 to 1 and is 2"));
  EXPECT_THAT(said(0, 0, 1, 2), HasSubstr("size must be that of its fields and is 1 bytes more"));
}

TEST(CallLiesTest, WhatEndsACallIsTrueInEveryField) {
  EXPECT_THAT(worker_refuses(RawMessage().header(MessageKind::answers_read, 7).u32(0)).value_or(""),
              HasSubstr("count must be 1 to 4294967295 and is 0"));
  EXPECT_EQ(worker_refuses(RawMessage().header(MessageKind::answers_read, 7).u32(~0U)), std::nullopt);
  EXPECT_EQ(worker_refuses(RawMessage().header(MessageKind::close_session, 0).text("")), std::nullopt);
  EXPECT_THAT(worker_refuses(RawMessage().header(MessageKind::close_session, 0).text("\xFF")).value_or(""),
              HasSubstr("session_id must be UTF-8 and is not"));
  EXPECT_THAT(
      worker_refuses(RawMessage().header(MessageKind::close_session, 0).text(std::string(1025, 's'))).value_or(""),
      HasSubstr("session_id must be 0 to 1024 and is 1025"));
  EXPECT_THAT(client_refuses(RawMessage().header(MessageKind::failure, 7).u16(17).text("")).value_or(""),
              HasSubstr("code must be a number that has a meaning and is 17"));
  EXPECT_THAT(client_refuses(RawMessage().header(MessageKind::failure, 7).u16(1).text("\xFF")).value_or(""),
              HasSubstr("text must be UTF-8 and is not"));
}

TEST(CallLiesTest, ARefusalRepeatsNoTextOfThePeer) {
  const std::string said = said_of([](Call& call) {
    call.has_session = 1;
    call.session_id = "secret\xFF";
  });
  EXPECT_THAT(said, ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(said_of([](Call& call) {
                call.set({named("secret"), named("secret")});
              }),
              ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace remotemedia::detail
