#include "shim/record.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>

#include "tests/support/temp_dir.h"

using namespace pp;
using rundir::EventKind;
using shim::Record;

namespace {

/// The files of process 1, as each of its shims finds them.
struct Fixture {
    test::TempDir directory;
    rundir::Home home = rundir::Home::from_environment({{"PP_HOME", directory.path()}}, ::geteuid());

    Fixture() {
        home.prepare();
        ::mkdir(home.process(1).c_str(), 0700);
    }
    ring::Writer writer() const {
        return ring::Writer::open({home.state_page(1), home.ring(1), home.heads(1)}, 1, ring::kMinCapacity);
    }
    [[nodiscard]] std::ptrdiff_t told(EventKind kind, std::uint32_t run) const {
        const auto events = rundir::read_events(home.events(1), 1);
        return std::count_if(events.begin(), events.end(),
                             [&](const auto& event) { return event.kind == kind && event.run == run; });
    }
};

}  // namespace

TEST_CASE("a start is told once, however many shims come after it", "[shim][record]") {
    const Fixture fixture;
    auto writer = fixture.writer();
    Record record{fixture.home, 1, writer, {}};
    record.life.run = 1;
    for (int shim = 0; shim < 200; ++shim) {
        record.append_once(EventKind::started);
        record.append(EventKind::taken_over);
    }
    CHECK(fixture.told(EventKind::started, 1) == 1);
    for (std::uint64_t shim = 0; shim <= rundir::kEventSlots; ++shim) record.append(EventKind::taken_over);
    record.append_once(EventKind::started);  // the first of it was overwritten
    CHECK(fixture.told(EventKind::started, 1) == 0);
    record.append_once(EventKind::exited);
    CHECK(fixture.told(EventKind::exited, 1) == 1);
}

TEST_CASE("each run's start is told", "[shim][record]") {
    const Fixture fixture;
    auto writer = fixture.writer();
    Record record{fixture.home, 1, writer, {}};
    for (record.life.run = 1; record.life.run <= 3; ++record.life.run) {
        record.append(EventKind::taken_over);  // its shim was killed before it could tell
        record.append_once(EventKind::started);
        record.append_once(EventKind::started);
        CHECK(fixture.told(EventKind::started, record.life.run) == 1);
    }
}
