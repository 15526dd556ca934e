// Files that version 1 wrote: they are read for ever. `ring_test "[.golden]"` writes them anew, which is right only for a
// version that nobody has been given yet.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "protocol/os/atomic_file.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/query.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;
using ring::Stream;

namespace {

const std::string kRing = std::string{PP_GOLDEN_DIR} + "/ring/v1/out.ring";
const std::string kHeads = std::string{PP_GOLDEN_DIR} + "/ring/v1/heads";
const std::string kState = std::string{PP_GOLDEN_DIR} + "/state/v1/p1.state";

const std::string kSomeBoot = "00000000-0000-4000-8000-000000000000";

/// Files end where their zeros begin; the holes are made again when they are read.
std::string without_trailing_zeros(std::string content) {
    content.erase(content.find_last_not_of('\0') + 1);
    return content;
}

void put(const std::string& path, const std::string& content, std::uint64_t size) {
    os::write_atomic_file(path, content, 0600);
    REQUIRE(::truncate(path.c_str(), static_cast<off_t>(size)) == 0);
}

void check_ring(ring::Reader& reader) {
    ring::Query query;
    query.run = 2;
    query.stream = ring::StreamChoice::err;
    CHECK(ring::query(reader, query).text == "second run, stderr\n");
    query.stream = ring::StreamChoice::combined;
    const auto combined = ring::query(reader, query);
    CHECK(combined.text == "second run, stdout\nsecond run, stderr\nsaid by pp\n");
    CHECK(combined.cursor == 150'049);
    query.run = 1;
    const auto first = ring::query(reader, query);
    CHECK(first.text.starts_with("first run\n"));
    CHECK(first.lost_bytes == 150'000 - ring::kHeadSize - ring::kMinCapacity + 49);
    CHECK(reader.refresh().lines == 1504);
}

}  // namespace

TEST_CASE("write golden ring", "[.golden]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("first run\n", Stream::out, 1);
    for (int i = 0; i < 1500; ++i) ring.write(std::string(i == 0 ? 89 : 99, 'x') + "\n", Stream::out, 1);
    ring.begin_run(2);
    ring.write("second run, stdout\n", Stream::out, 2);
    ring.write("second run, stderr\n", Stream::err, 2);
    ring.write("said by pp\n", Stream::note, 2);
    ring::Lifecycle life;
    life.run = 2;
    life.state = ring::LifeState::finished;
    life.main_pid = 4711;
    life.main_start_time = 123456;
    life.started_at_ns = 1'700'000'000'000'000'000;
    life.ended_at_ns = 1'700'000'001'500'000'000;
    life.start_cursor = 150'000;
    life.end_cursor = 150'049;
    life.exit_kind = ring::ExitKind::exited;
    life.exit_value = 7;
    life.restarts = 1;
    ring.writer().page().publish(life);
    ring.writer().page()->sources[0] = {42, 2, Stream::err, 0, 0};
    ring.writer().checkpoint(true);
    os::write_atomic_file(kRing, without_trailing_zeros(*os::find_file_content(ring.paths().ring)), 0644);
    os::write_atomic_file(kHeads, without_trailing_zeros(*os::find_file_content(ring.paths().heads)), 0644);
    auto page = *os::find_file_content(ring.paths().state);
    page.replace(offsetof(ring::StatePageLayout, boot_id), kSomeBoot.size(), kSomeBoot);
    os::write_atomic_file(kState, page, 0644);
}

TEST_CASE("a ring of version 1 is read, with its page and without", "[ring][golden]") {
    TempDir dir;
    const auto file = os::find_file_content(kRing);
    const auto heads = os::find_file_content(kHeads);
    auto page = os::find_file_content(kState);
    REQUIRE((file && heads && page));
    put(dir / "out.ring", *file, ring::Geometry::for_capacity(ring::kMinCapacity).file_size());
    put(dir / "heads", *heads, ring::kHeadSlots * ring::kHeadSize);

    const ring::Reader::Paths paths{dir / "p1.state", dir / "out.ring", dir / "heads"};
    auto without_page = ring::Reader::find(paths);
    REQUIRE(without_page);
    CHECK(without_page->unverified());
    check_ring(*without_page);

    put(dir / "p1.state", *page, ring::kStatePageSize);
    auto of_another_boot = ring::Reader::find(paths);
    REQUIRE(of_another_boot);
    CHECK(of_another_boot->unverified());
    CHECK(of_another_boot->state().lifecycle.exit_value == 7);
    check_ring(*of_another_boot);

    const auto boot = os::boot_id();
    page->replace(offsetof(ring::StatePageLayout, boot_id), boot.size(), boot);
    put(dir / "p1.state", *page, ring::kStatePageSize);
    auto of_this_boot = ring::Reader::find(paths);
    REQUIRE(of_this_boot);
    CHECK_FALSE(of_this_boot->unverified());
    check_ring(*of_this_boot);
}

TEST_CASE("a state page of version 1 is read", "[ring][golden]") {
    const auto state = ring::find_state(kState);
    REQUIRE(state);
    CHECK(state->process == 1);
    CHECK_FALSE(state->this_boot);
    CHECK(state->geometry == ring::Geometry::for_capacity(ring::kMinCapacity));
    CHECK(state->tail == 150'049);
    CHECK(state->next_event == 1);
    CHECK(state->lifecycle.run == 2);
    CHECK(state->lifecycle.state == ring::LifeState::finished);
    CHECK(state->lifecycle.main_pid == 4711);
    CHECK(state->lifecycle.main_start_time == 123456);
    CHECK(state->lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(state->lifecycle.exit_value == 7);
    CHECK(state->heads[1].run == 1);
    CHECK(state->sources[0].pipe_inode == 42);
    CHECK(state->sources[0].stream == Stream::err);
}
