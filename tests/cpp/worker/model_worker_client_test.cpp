// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_worker_client.h"

#include <gmock/gmock.h>

#include <thread>

#include "testing/together.h"
#include "worker/served_endpoint.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// What infer_async() gives.
class Given {
 public:
  std::function<void(TensorMap, std::exception_ptr)> done() {
    return [this](TensorMap outputs, std::exception_ptr error) {
      outputs_ = std::move(outputs);
      error_ = std::move(error);
      times.add();
    };
  }
  TensorMap get() {
    times.wait_for(1);
    if (error_ != nullptr) std::rethrow_exception(error_);
    return outputs_;
  }
  EventCount times;

 private:
  TensorMap outputs_;
  std::exception_ptr error_;
};

class ModelWorkerClientTest : public EndpointTest {
 protected:
  /// A call that runs until model_->let_go().
  InferenceFuture held_call(ModelWorkerClient& client) {
    model_->hold();
    const int before = model_->entered.count();
    InferenceFuture call = client.infer_future(inputs({1}));
    model_->entered.wait_for(before + 1);
    return call;
  }
};

TEST_F(ModelWorkerClientTest, CallsTheModel) {
  start();
  ModelWorkerClient client = connect();
  EXPECT_THAT(outputs(client.infer(inputs({1, 2}))), ElementsAre(2, 4));
  EXPECT_EQ(client.model_id(), "doubler");
  EXPECT_EQ(client.signature(), rows_of_numbers(8));
  EXPECT_EQ(client.transport(), Transport::shared_memory);
  EXPECT_EQ(client.status().total_requests, 1U);
  EXPECT_TRUE(client.health_check());
  TensorBuffer x = client.allocate({1, 1}, DataType::int64);
  x.span<std::int64_t>()[0] = 21;
  EXPECT_THAT(outputs(client.infer({{"x", x}})), ElementsAre(42));
}

TEST_F(ModelWorkerClientTest, AFutureIsReadyOnceItIsAnsweredAndGivesItsOutputsOnce) {
  start();
  ModelWorkerClient client = connect();
  InferenceFuture call = held_call(client);
  EXPECT_FALSE(call.ready());
  EXPECT_FALSE(call.wait_until(TimePoint{}));
  model_->let_go();
  EXPECT_TRUE(call.wait_until(TimePoint::max()));
  EXPECT_TRUE(call.ready());
  InferenceFuture same = call;
  EXPECT_THAT(outputs(call.get()), ElementsAre(2));
  for (InferenceFuture* taken : {&call, &same}) {
    EXPECT_EQ(code_thrown([&] { taken->get(); }), ErrorCode::invalid_argument);
  }
  EXPECT_EQ(code_thrown([] { InferenceFuture().get(); }), ErrorCode::invalid_argument);
}

TEST_F(ModelWorkerClientTest, DoneIsCalledOnceWithOutputsOrAnError) {
  start();
  ModelWorkerClient client = connect();
  Given answer;
  client.infer_async(inputs({3}), {}, answer.done());
  EXPECT_THAT(outputs(answer.get()), ElementsAre(6));
  model_->instead = [](const TensorMap&, InferenceContext&) -> TensorMap { throw std::runtime_error("broken"); };
  Given failure;
  client.infer_async(inputs({3}), {}, failure.done());
  EXPECT_EQ(code_thrown([&] { failure.get(); }), ErrorCode::inference_failed);
  EXPECT_EQ(answer.times.count(), 1);
}

TEST_F(ModelWorkerClientTest, ACallThatMustNotWaitIsMadeOnlyWhereAWorkerIsConnected) {
  start();
  ModelWorkerClient client = connect();
  std::optional<InferenceFuture> call = client.try_infer_future(inputs({3}));
  ASSERT_TRUE(call);
  EXPECT_THAT(outputs(call->get()), ElementsAre(6));
  EXPECT_EQ(code_thrown([&] { client.try_infer_future({{"z", numbers({1})}}); }), ErrorCode::invalid_tensor);
  transport_.newest()->break_off();
  EXPECT_FALSE(client.try_infer_future(inputs({3})));
  client.close();
  EXPECT_FALSE(client.try_infer_future(inputs({3})));
}

TEST_F(ModelWorkerClientTest, WhoAsksToBeToldIsToldOnceTheFutureIsReady) {
  start();
  ModelWorkerClient client = connect();
  InferenceFuture call = held_call(client);
  EventCount replaced;
  EventCount told;
  call.when_ready([&] { replaced.add(); });
  call.when_ready([&] {
    EXPECT_TRUE(call.ready());
    told.add();
  });
  EXPECT_EQ(told.count(), 0);
  model_->let_go();
  told.wait_for(1);
  call.when_ready([&] { told.add(); });
  EXPECT_EQ(told.count(), 2);
  EXPECT_THAT(outputs(call.get()), ElementsAre(2));
  EXPECT_EQ(replaced.count(), 0);

  InferenceFuture cancelled = held_call(client);
  cancelled.when_ready([&] { told.add(); });
  cancelled.cancel();
  EXPECT_EQ(told.count(), 3);
  EXPECT_EQ(code_thrown([&] { cancelled.get(); }), ErrorCode::cancelled);
  model_->let_go();
}

TEST_F(ModelWorkerClientTest, WhatTheModelDoesNotTakeIsNotSent) {
  start();
  ModelWorkerClient client = connect();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(code_thrown([&] { client.infer({{"z", numbers({1})}}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] {
                client.infer_future(inputs({1, 2, 3, 4, 5, 6, 7, 8, 9}));
              }),
              ErrorCode::invalid_tensor);
  }
  EXPECT_EQ(transport_.newest()->submitted.count(), 0);
  EXPECT_THAT(outputs(client.infer(inputs({1}))), ElementsAre(2));
}

TEST_F(ModelWorkerClientTest, ACancelledCallEndsHereAndInTheWorker) {
  start();
  ModelWorkerClient client = connect();
  InferenceFuture runs = held_call(client);
  Given given;
  InferenceFuture waits = client.infer_async(inputs({2}), {}, given.done());
  waits.cancel();
  EXPECT_EQ(code_thrown([&] { given.get(); }), ErrorCode::cancelled);
  runs.cancel();
  EXPECT_EQ(code_thrown([&] { runs.get(); }), ErrorCode::cancelled);
  EXPECT_EQ(client.status().cancelled_requests, 2U);
  runs.cancel();
  model_->let_go();
  EXPECT_THAT(outputs(client.infer(inputs({3}))), ElementsAre(6));
  EXPECT_EQ(model_->batches().size(), 2U) << "the one that waited never ran";
  EXPECT_EQ(given.times.count(), 1);
}

TEST_F(ModelWorkerClientTest, WhatIsAnsweredIsNotCancelled) {
  start();
  ModelWorkerClient client = connect();
  InferenceFuture call = client.infer_future(inputs({1}));
  call.wait_until(TimePoint::max());
  call.cancel();
  EXPECT_THAT(outputs(call.get()), ElementsAre(2));
}

TEST_F(ModelWorkerClientTest, ATimeoutEndsACallThatTheWorkerDoesNot) {
  start();
  ModelWorkerClient client = connect();
  model_->hold();
  EXPECT_EQ(code_thrown([&] { client.infer(inputs({1}), {.timeout = 20ms}); }), ErrorCode::deadline_exceeded);
  InferenceFuture future = client.infer_future(inputs({2}), {.timeout = 20ms});
  EXPECT_EQ(code_thrown([&] { future.get(); }), ErrorCode::deadline_exceeded);
  EXPECT_EQ(client.status().cancelled_requests, 2U) << "its time stands still: it was told";
  model_->let_go();
  EXPECT_THAT(outputs(client.infer(inputs({3}), {.timeout = 24h})), ElementsAre(6));
}

TEST_F(ModelWorkerClientTest, AWorkersDeathEndsWhatWaits) {
  start();
  ModelWorkerClient client = connect();
  InferenceFuture call = held_call(client);
  transport_.newest()->break_off();
  EXPECT_EQ(code_thrown([&] { call.get(); }), ErrorCode::worker_unavailable);
  EXPECT_EQ(transport_.connections().size(), 1U);
  model_->let_go();
  EXPECT_THAT(outputs(client.infer(inputs({3}))), ElementsAre(6));
  EXPECT_EQ(transport_.connections().size(), 2U) << "the next call has connected anew";
}

TEST_F(ModelWorkerClientTest, WhatWasDeliveredIsNotRepeated) {
  start();
  ModelWorkerClient client = connect();
  model_->hold();
  std::thread calls([&] { EXPECT_EQ(code_thrown([&] { client.infer(inputs({1})); }), ErrorCode::worker_unavailable); });
  model_->entered.wait_for(1);
  transport_.newest()->break_off();
  calls.join();
  model_->let_go();
  model_->left.wait_for(1);
  EXPECT_EQ(model_->batches().size(), 1U);
}

TEST_F(ModelWorkerClientTest, WhatIsIdempotentIsRepeatedAlthoughItWasDelivered) {
  start();
  ModelWorkerClient client = connect();
  model_->hold();
  std::thread calls([&] { EXPECT_THAT(outputs(client.infer(inputs({1}), {.idempotent = true})), ElementsAre(2)); });
  model_->entered.wait_for(1);
  transport_.newest()->break_off();
  model_->let_go();
  calls.join();
  EXPECT_EQ(transport_.connections().size(), 2U);
  EXPECT_EQ(model_->batches().size(), 2U) << "it has run twice";
}

TEST_F(ModelWorkerClientTest, WhatIsIdempotentIsRepeatedNoMoreOftenThanMaxRetriesSays) {
  start();
  for (const unsigned retries : {0U, 2U}) {
    ModelWorkerClient client = connect({.max_retries = retries});
    model_->hold();
    const int before = model_->entered.count();
    const std::size_t connections = transport_.connections().size();
    std::thread calls([&] {
      EXPECT_EQ(code_thrown([&] { client.infer(inputs({1}), {.idempotent = true}); }), ErrorCode::worker_unavailable);
    });
    for (int tries = 1; tries <= 1 + static_cast<int>(retries); ++tries) {
      model_->entered.wait_for(before + tries);
      transport_.newest()->break_off();
      model_->hold();  // the next one, and no longer this
    }
    calls.join();
    model_->let_go();
    EXPECT_EQ(transport_.connections().size(), connections + retries);
  }
}

TEST_F(ModelWorkerClientTest, WhatIsIdempotentHasOneTimeoutForAllItsTries) {
  start();
  ModelWorkerClient client = connect();
  model_->hold();
  std::thread calls([&] {
    EXPECT_EQ(code_thrown([&] { client.infer(inputs({1}), {.timeout = 300ms, .idempotent = true}); }),
              ErrorCode::deadline_exceeded);
  });
  model_->entered.wait_for(1);
  transport_.newest()->break_off();
  calls.join();
  model_->let_go();
}

TEST_F(ModelWorkerClientTest, WhatWasNotDeliveredIsRepeatedOnce) {
  start();
  ModelWorkerClient client = connect();
  transport_.lose_next_call();
  EXPECT_THAT(outputs(client.infer(inputs({1}))), ElementsAre(2));
  EXPECT_EQ(transport_.connections().size(), 2U);
  ModelWorkerClient stubborn = connect({.max_retries = 0});
  transport_.lose_next_call();
  EXPECT_EQ(code_thrown([&] { stubborn.infer(inputs({1})); }), ErrorCode::worker_unavailable);
}

TEST_F(ModelWorkerClientTest, TheSignatureThatCountsIsThatOfTheConnection) {
  start();
  ModelWorkerClient client = connect();
  worker_->stop();
  model_ = std::make_shared<ServedModel>(rows_of_numbers(2));
  start();
  EXPECT_EQ(code_thrown([&] { client.infer(inputs({1, 2, 3})); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(client.signature().max_batch_size, 2);
  EXPECT_THAT(outputs(client.infer(inputs({1, 2}))), ElementsAre(2, 4));
}

TEST_F(ModelWorkerClientTest, WhereNoWorkerIsHealthIsFalseAndAllElseAnError) {
  start();
  ModelWorkerClient client = connect({.timeout = 50ms, .max_retries = 0});
  worker_->stop();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(client.health_check());
    EXPECT_EQ(code_thrown([&] { client.status(); }), ErrorCode::worker_unavailable);
    EXPECT_EQ(code_thrown([&] { client.allocate({1}, DataType::int64); }), ErrorCode::worker_unavailable);
    EXPECT_THAT(thrown([&] { client.infer(inputs({1})); }).what(), HasSubstr(kEndpoint));
  }
  client.close_session("none");  // went with the worker
  EXPECT_EQ(client.model_id(), "doubler") << "as it was reached last";
}

TEST_F(ModelWorkerClientTest, CloseEndsWhatWaitsAndWhatComes) {
  start();
  ModelWorkerClient client = connect();
  InferenceFuture call = held_call(client);
  client.close();
  client.close();
  EXPECT_EQ(code_thrown([&] { call.get(); }), ErrorCode::worker_unavailable);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(thrown([&] { client.infer(inputs({1})); }).what(), HasSubstr("closed"));
  }
  model_->let_go();
}

TEST_F(ModelWorkerClientTest, ItsEndAndItsSuccessorEndWhatWaits) {
  start();
  std::optional<ModelWorkerClient> client(connect());
  InferenceFuture first = held_call(*client);
  *client = connect();
  EXPECT_EQ(code_thrown([&] { first.get(); }), ErrorCode::worker_unavailable);
  InferenceFuture second = client->infer_future(inputs({1}));
  client.reset();
  EXPECT_EQ(code_thrown([&] { second.get(); }), ErrorCode::worker_unavailable);
  model_->let_go();
}

TEST_F(ModelWorkerClientTest, ThreadsShareOne) {
  start();
  ModelWorkerClient client = connect();
  together(4, [&](std::size_t thread) {
    for (int i = 0; i < 50; ++i) {
      const auto number = static_cast<std::int64_t>(thread) * 1000 + i;
      EXPECT_THAT(outputs(client.infer(inputs({number}))), ElementsAre(2 * number));
    }
  });
  EXPECT_EQ(transport_.connections().size(), 1U);
}

TEST_F(ModelWorkerClientTest, AClientHasSessionsOfItsOwn) {
  ModelSignature signature = rows_of_numbers(8);
  signature.stateful = true;
  model_ = std::make_shared<ServedModel>(signature);
  start();
  ModelWorkerClient one = connect();
  ModelWorkerClient other = connect();
  one.infer(inputs({1}), {.session_id = "s"});
  other.infer(inputs({1}), {.session_id = "s"});
  EXPECT_EQ(one.status().sessions, 2U);
  one.close_session("s");
  wait_until([&] { return one.status().sessions == 1; });
}

}  // namespace
}  // namespace remotemedia::testing
