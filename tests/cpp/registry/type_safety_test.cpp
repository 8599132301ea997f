// SPDX-License-Identifier: Apache-2.0
//
// One key, one type: asking for it as another is an error that names both. And which types and loaders there may be.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <typeinfo>
#include <utility>

#include "remotemedia/registry/model_registry.h"
#include "remotemedia/registry/type_name.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Life;
using testing::Probe;

struct Encoder {
  int layers = 12;
};
struct Decoder {
  int layers = 6;
};

auto encoder_loader() {
  return [] { return std::make_unique<Encoder>(); };
}
auto decoder_loader() {
  return [] { return std::make_unique<Decoder>(); };
}

template <class F>
void expect_mismatch(F&& call) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Error error = testing::thrown(call);
    EXPECT_EQ(error.code(), ErrorCode::type_mismatch);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'a'"), HasSubstr("Encoder"), HasSubstr("Decoder")));
  }
}

class TypeSafetyTest : public ::testing::Test {
 protected:
  ModelRegistry registry_{{.ttl = std::nullopt, .max_concurrent_loads = 2}};
};

TEST_F(TypeSafetyTest, AHitOfAnotherTypeIsAnErrorThatNamesBoth) {
  const auto encoder = registry_.get_or_load<Encoder>("a", encoder_loader());
  const ModelKey key("a");
  LoadOptions options;
  options.holder = "somebody";
  LoadOptions keep;
  keep.keep_alive = 1s;
  expect_mismatch([&] { registry_.get_or_load<Decoder>("a", decoder_loader()); });
  expect_mismatch([&] { registry_.get_or_load<Decoder>(key, decoder_loader()); });
  expect_mismatch([&] { registry_.get_or_load<Decoder>("a", decoder_loader(), options); });
  expect_mismatch([&] { registry_.get_or_load<Decoder>("a", decoder_loader(), keep); });
  expect_mismatch([&] { registry_.get<Decoder>("a"); });
  expect_mismatch([&] { registry_.get<Decoder>(key); });
  EXPECT_EQ(registry_.list_models().at(0).reference_count, 1U) << "a refused caller leaves no hold";
  EXPECT_EQ(registry_.list_models().at(0).access_count, 1U) << "nor counts as a hit";
  EXPECT_EQ(registry_.list_models().at(0).expires_in, std::nullopt) << "nor changes anything";
  EXPECT_EQ(encoder->layers, 12);
}

TEST_F(TypeSafetyTest, ABoundKeyOfAnotherTypeIsRefusedToo) {
  const ModelKey key("a");
  const auto encoder = registry_.get_or_load<Encoder>(key, encoder_loader());
  const auto again = registry_.get<Encoder>(key);
  expect_mismatch([&] { registry_.get<Decoder>(key); });
  expect_mismatch([&] { registry_.get_or_load<Decoder>(key, decoder_loader()); });
  EXPECT_EQ(registry_.list_models().at(0).reference_count, 2U);
}

TEST_F(TypeSafetyTest, AWaiterOfAnotherTypeIsRefusedAtOnce) {
  testing::Latch begun(1);
  testing::Latch may_end(1);
  std::jthread loads([&] {
    registry_.get_or_load<Encoder>("a", [&] {
      begun.count_down();
      may_end.wait();
      return std::make_unique<Encoder>();
    });
  });
  begun.wait();
  expect_mismatch([&] { registry_.get_or_load<Decoder>("a", decoder_loader()); });
  may_end.count_down();
  loads.join();
  EXPECT_EQ(registry_.list_models().at(0).reference_count, 0U);
}

TEST_F(TypeSafetyTest, ALoaderThatAsksForItsOwnKeyAsAnotherTypeIsRefused) {
  const auto encoder = registry_.get_or_load<Encoder>("a", [&] {
    expect_mismatch([&] { registry_.get_or_load<Decoder>("a", decoder_loader()); });
    return std::make_unique<Encoder>();
  });
  EXPECT_TRUE(encoder);
}

TEST_F(TypeSafetyTest, AKeyMayBeLoadedAsAnotherTypeOnceItsModelIsGone) {
  const ModelKey key("a");
  registry_.get_or_load<Encoder>(key, encoder_loader()).release();
  registry_.clear();
  EXPECT_EQ(registry_.get_or_load<Decoder>(key, decoder_loader())->layers, 6);
}

TEST_F(TypeSafetyTest, ABaseIsAnotherTypeThanWhatIsDerived) {
  struct Base {
    virtual ~Base() = default;
  };
  struct Derived : Base {};
  const auto derived = registry_.get_or_load<Derived>("derived", [] { return std::make_unique<Derived>(); });
  EXPECT_EQ(testing::code_thrown([&] { registry_.get<Base>("derived"); }), ErrorCode::type_mismatch);
}

TEST(TypeNameTest, IsAsItsAuthorWroteIt) {
  EXPECT_EQ(detail::type_name(typeid(int)), "int");
  EXPECT_EQ(detail::type_name(typeid(testing::Probe)), "remotemedia::testing::Probe");
}

// Types.

struct Interface {
  virtual ~Interface() = default;
  virtual int answer() const = 0;
};

TEST_F(TypeSafetyTest, AnAbstractBaseMayBeWhatIsAskedFor) {
  struct Filler {
    virtual ~Filler() = default;
    int padding = 7;
  };
  struct Implementation : Filler, Interface {  // the interface is not at the object's beginning
    int answer() const override { return 42; }
  };
  const auto unique = registry_.get_or_load<Interface>("unique", [] { return std::make_unique<Implementation>(); });
  const auto shared = registry_.get_or_load<Interface>("shared", [] { return std::make_shared<Implementation>(); });
  EXPECT_EQ(unique->answer(), 42);
  EXPECT_EQ(shared->answer(), 42);
  EXPECT_EQ((**registry_.get<Interface>("unique")).answer(), 42);
}

TEST_F(TypeSafetyTest, AModelNeedsNoDefaultConstructorNorCopyNorMove) {
  struct Fixed {
    explicit Fixed(int number) : value(number) {}
    Fixed(const Fixed&) = delete;
    Fixed& operator=(const Fixed&) = delete;
    const int value;
  };
  EXPECT_EQ(registry_.get_or_load<Fixed>("fixed", [] { return std::make_unique<Fixed>(3); })->value, 3);
}

TEST_F(TypeSafetyTest, AModelMayBeConst) {
  const auto number = registry_.get_or_load<const int>("number", [] { return std::make_unique<const int>(5); });
  static_assert(std::is_same_v<decltype(*number), const int&>);
  EXPECT_EQ(*number, 5);
  EXPECT_EQ(&*number, &**registry_.get<const int>("number"));
}

TEST_F(TypeSafetyTest, AModelMayHaveADeleterOfItsOwn) {
  int deleted = 0;
  {
    ModelRegistry registry;
    registry.get_or_load<int>("a", [&] {
      return std::shared_ptr<int>(new int(1), [&](const int* number) {
        ++deleted;
        delete number;  // NOLINT: a deleter
      });
    });
  }
  EXPECT_EQ(deleted, 1);
}

TEST_F(TypeSafetyTest, AModelTellsItsIdAndSizeIfItCan) {
  struct Talkative {
    std::size_t memory_usage() const { return 77; }
    std::string model_id() const { return "talkative v1"; }
  };
  struct Laconic {
    int memory_usage = 5;  // no function
  };
  const auto talkative = registry_.get_or_load<Talkative>("a", [] { return std::make_unique<Talkative>(); });
  const auto laconic = registry_.get_or_load<Laconic>("b", [] { return std::make_unique<Laconic>(); });
  EXPECT_EQ(registry_.list_models().at(0).model_id, "talkative v1");
  EXPECT_EQ(registry_.list_models().at(0).memory_bytes, 77U);
  EXPECT_EQ(registry_.list_models().at(1).model_id, "b");
  EXPECT_EQ(registry_.list_models().at(1).memory_bytes, 0U);
}

// Loaders.

std::unique_ptr<int> free_function() { return std::make_unique<int>(1); }

TEST_F(TypeSafetyTest, LoadersOfEveryShapeAreTaken) {
  struct Functor {
    std::unique_ptr<int> operator()() { return std::make_unique<int>(++calls); }
    int calls = 0;
  };
  Functor functor;
  LoadOptions options;
  LoadOptions with_timeout;
  with_timeout.timeout = 1h;
  EXPECT_EQ(*registry_.get_or_load<int>("function", free_function), 1);
  EXPECT_EQ(*registry_.get_or_load<int>("pointer", &free_function), 1);
  EXPECT_EQ(*registry_.get_or_load<int>("std::function", std::function<std::shared_ptr<int>()>(free_function)), 1);
  EXPECT_EQ(*registry_.get_or_load<int>("functor", functor), 1);
  EXPECT_EQ(functor.calls, 1) << "by reference";
  EXPECT_EQ(*registry_.get_or_load<int>("functor with a timeout", functor, with_timeout), 2);
  EXPECT_EQ(functor.calls, 1) << "a loader that may run on when its caller has left is copied";
  EXPECT_EQ(*registry_.get_or_load<int>("function with a timeout", free_function, with_timeout), 1);
  auto move_only = [token = std::make_unique<int>(8)]() mutable { return std::move(token); };
  static_assert(!std::is_copy_constructible_v<decltype(move_only)>);
  EXPECT_EQ(testing::code_thrown([&] { registry_.get_or_load<int>("move only", move_only, with_timeout); }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(*registry_.get_or_load<int>("move only", move_only), 8);
  EXPECT_EQ(*registry_.get_or_load<int>(
                "move only with a timeout", [token = std::make_unique<int>(7)]() mutable { return std::move(token); },
                with_timeout),
            7);
  EXPECT_EQ(
      *registry_.get_or_load<int>(
          "reports", [](const ReportProgress& report) { return report(1.0, ""), std::make_shared<int>(6); }, options),
      6);
  EXPECT_EQ(*registry_.get_or_load<int>("reports by value",
                                        [](ReportProgress report) { return report(1.0, ""), free_function(); }),
            1);
}

TEST_F(TypeSafetyTest, ALoaderRunsOnTheThreadOfItsCaller) {
  std::thread::id ran_on;
  registry_.get_or_load<int>("a", [&] { return ran_on = std::this_thread::get_id(), free_function(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_F(TypeSafetyTest, AnEmptyFunctionFailsLikeALoaderThatThrows) {
  const std::function<std::unique_ptr<int>()> empty;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto error = testing::thrown_by([&] { registry_.get_or_load<int>("a", empty); });
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(error); }), ErrorCode::load_failed);
    EXPECT_THROW(std::rethrow_exception(testing::cause_of(error)), std::bad_function_call);
  }
}

TEST_F(TypeSafetyTest, AModelThatThrowsWhenItTellsItsSizeIsAFailedLoad) {
  struct Thrower : Probe {
    using Probe::Probe;
    std::size_t memory_usage() const { throw std::runtime_error("cannot count"); }
  };
  Life life;
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(testing::code_thrown(
                  [&] { registry_.get_or_load<Thrower>("a", [&] { return std::make_unique<Thrower>(life); }); }),
              ErrorCode::load_failed);
  }
  EXPECT_EQ(life.alive, 0);
  EXPECT_TRUE(registry_.list_models().empty());
}

}  // namespace
}  // namespace remotemedia
