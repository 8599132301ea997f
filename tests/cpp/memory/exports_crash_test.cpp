// SPDX-License-Identifier: Apache-2.0
//
// Processes that are killed before or after each system call while they export and import: whoever deals with them
// goes on, and nothing is left.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "memory/faulty_export_peers.h"
#include "remotemedia/memory/allocator_config.h"
#include "testing/held_resources.h"
#include "testing/rounds.h"

namespace remotemedia {
namespace {

using testing::ExportPeer;
using testing::HeldResources;

constexpr std::size_t kBytes = 5000;
constexpr std::size_t kSegmentBytes = AllocatorConfig{}.first_segment_bytes;  // that it comes from

/// Where in its life a process is killed.
enum class Step {
  creation,      // of memory, of the broker, of an id
  handing_over,  // a block of its own, to another
  taking_over,   // a block of another's
  release,       // of both, and at its end of the rest
};

struct NamedStep {
  Step step;
  const char* name;
  int least_kills;  // fewer than twice its calls, which other threads make too
};

constexpr std::array kSteps{
    NamedStep{Step::creation, "creation", 60},
    NamedStep{Step::handing_over, "handing over", 10},
    NamedStep{Step::taking_over, "taking over", 40},
    NamedStep{Step::release, "release", 4},
};

class ExportCrashTest : public testing::FaultyExportPeersTest {
 protected:
  ExportCrashTest() {
    const std::string id = exporter_.export_block(kBytes, 77);
    exporter_held_ = exporter_.counts();
    EXPECT_TRUE(imports(importer_, importer_imports_, id, 77, "nothing else"));
    exporter_held_.first += 1;  // that importer's connection
    importer_held_ = importer_.counts();
  }

  /// The life of a process that deals with both others, whose `n`th call of `step` is its last. Whether it was.
  bool outlive_a_peer(Step step, int n, const std::string& moment) {
    const auto peer = faulty_peer();
    const auto enter = [&](Step now) {
      peer->ask(now == step ? "kill_at " + std::to_string(n) + " " + moment : "spare");
    };
    enter(Step::creation);
    const std::string id = peer->export_block(kBytes, 3);
    EXPECT_TRUE(id.starts_with("rm1-") || id == "<gone>") << id;
    enter(Step::handing_over);
    const bool taken = id != "<gone>" && imports(importer_, importer_imports_, id, 3, "shared_memory_unavailable");
    const std::string others_id = exporter_.export_block(kBytes, 3);
    enter(Step::taking_over);
    int peers_imports = 0;
    imports(*peer, peers_imports, others_id, 3, "<gone>");
    enter(Step::release);
    does(*peer, "drop 0", "dropped");
    does(*peer, "forget 0", "forgotten");
    if (taken) {
      const std::string number = std::to_string(importer_imports_ - 1);
      EXPECT_EQ(importer_.ask("sum " + number), sum_of(kBytes, 3)) << "whatever became of who gave it";
      EXPECT_EQ(importer_.ask("drop " + number), "dropped");
    }
    const bool killed = peer->end() != 0;
    exporter_.ask("forget " + std::to_string(++exporter_exports_));
    return killed;
  }

  /// Returns once the others have what they had, and no more: they hear of the death a moment later.
  void wait_until_all_is_given_back() {
    EXPECT_EQ(importer_.ask("sum 0"), sum_of(kBytes, 77)) << "what they had of each other stays";
    while (exporter_.ask("usage") != std::to_string(kBytes)) {
    }
    while (exporter_.counts() != exporter_held_) {
    }
    EXPECT_EQ(importer_.counts(), importer_held_);
  }

 private:
  static void does(ExportPeer& peer, const std::string& what, const std::string& answer) {
    const std::string said = peer.ask(what);
    EXPECT_TRUE(said == answer || said == "<gone>") << said;
  }

  /// Whether the block of that id was imported; the answer must be `otherwise` if not.
  static bool imports(ExportPeer& peer, int& imports, const std::string& id, unsigned seed,
                      const std::string& otherwise) {
    const std::string said = peer.import(id);
    const bool imported = said == std::to_string(imports) + " " + sum_of(kBytes, seed);
    EXPECT_TRUE(imported || said == otherwise) << said;
    imports += imported ? 1 : 0;
    return imported;
  }

  ExportPeer exporter_{folder()};
  ExportPeer importer_{folder()};
  int exporter_exports_ = 0;
  int importer_imports_ = 0;
  std::pair<int, int> exporter_held_;
  std::pair<int, int> importer_held_;
};

TEST_F(ExportCrashTest, NothingIsLeftOfPeersKilledAtAnyCall) {
  const HeldResources held = HeldResources::now();
  const std::set<std::filesystem::path> names = testing::named_shared_memory();
  const std::size_t shared = testing::shared_memory_of_machine();
  const std::uint64_t asked = testing::rounds(1);
  std::uint64_t killed = 0;
  while (killed < asked) {
    for (const NamedStep& step : kSteps) {
      int kills = 0;
      bool survived = false;
      for (int n = 1; !survived; ++n) {
        for (const char* moment : {"before", "after"}) {
          const ::testing::ScopedTrace trace(__FILE__, __LINE__,
                                             std::string(step.name) + " " + std::to_string(n) + " " + moment);
          survived = !outlive_a_peer(step.step, n, moment);
          wait_until_all_is_given_back();
          ASSERT_EQ(HeldResources::now(), held);
          if (survived) continue;
          ++kills;
          testing::tell_progress(++killed, asked);
        }
      }
      EXPECT_GE(kills, step.least_kills) << step.name;
    }
  }
  // Of the addresses of the killed ones nothing is left once another broker has started.
  ExportPeer(folder()).export_block(1, 1);
  EXPECT_EQ(addresses().size(), 2U);
  EXPECT_EQ(testing::named_shared_memory(), names);
  EXPECT_TRUE(testing::shared_memory_comes_back_to(shared, killed * kSegmentBytes))
      << "of the whole machine: " << shared << " bytes before, " << testing::shared_memory_of_machine() << " now";
}

}  // namespace
}  // namespace remotemedia
