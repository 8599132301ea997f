// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "worker/counter.h"
#include "worker/served_endpoint.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;

using ClientForkTest = EndpointTest;

bool is_refused(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ErrorCode::worker_unavailable &&
           std::string(error.what()).find("forked process") != std::string::npos;
  }
  return false;
}

/// The number of the first of `calls` that is not refused; 0: all are.
int first_not_refused(const std::vector<std::function<void()>>& calls) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!is_refused(calls[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

TEST_F(ClientForkTest, AChildIsRefusedEverythingAndHarmsNothing) {
  model_ = std::make_shared<Counter>();
  start({.stream_window = 1});
  std::optional<ModelWorkerClient> client(connect());
  std::optional<InferenceStream> stream(client->infer_stream(inputs({3})));
  EXPECT_NE(stream->next(), std::nullopt);
  std::optional<InferenceFuture> call(client->infer_future(inputs({1})));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int failed = first_not_refused({
        [&] { client->infer(inputs({1})); },
        [&] { client->infer_future(inputs({1})); },
        [&] { client->infer_stream(inputs({1})); },
        [&] { client->allocate({1}, DataType::int64); },
        [&] { client->close_session("s"); },
        [&] { client->health_check(); },
        [&] { client->status(); },
        [&] { client->signature(); },
        [&] { client->close(); },
        [&] { call->get(); },
        [&] { call->cancel(); },
        [&] { stream->next(); },
        [&] { stream->cancel(); },
        [&] { worker_->status(); },
        [&] { worker_->stop(); },
    });
    stream.reset();
    call.reset();
    client.reset();
    worker_.reset();
    _exit(failed);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_NE(stream->next(), std::nullopt);
  EXPECT_NE(stream->next(), std::nullopt);
  EXPECT_EQ(stream->next(), std::nullopt);
  EXPECT_THAT(outputs(call->get()), ElementsAre(2));
  EXPECT_THAT(outputs(client->infer(inputs({2}))), ElementsAre(4));
}

}  // namespace
}  // namespace remotemedia::testing
