// The event file, as somebody may have left it: what is whole is told in order, and a shim goes on with it.
//
// Input: whether checksums are made right, two numbers, then the file.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "protocol/ring/state_page.h"
#include "protocol/rundir/event_log.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/shim_messages.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace pp;
using fuzz::expect;
using rundir::Event;

std::string path() { return fuzz::scratch() / "events"; }

const ring::StatePage& page() {
    static const auto kPage = ring::StatePage::create(fuzz::scratch() / "p1.state", 1, {},
                                                      ring::Geometry::for_capacity(ring::kMinCapacity), 0);
    return kPage;
}

std::string made_credible(std::string_view bytes) {
    std::string file{bytes};
    for (std::size_t at = 0; at + sizeof(Event) <= file.size(); at += sizeof(Event)) {
        Event event;
        std::memcpy(&event, file.data() + at, sizeof event);
        event.checksum = ring::checksum(&event, offsetof(Event, checksum));
        std::memcpy(file.data() + at, &event, sizeof event);
    }
    return file;
}

/// A hub is told what stands in the file, and must understand it.
void check_telling(const Event& event) {
    const auto frame = wire::encode(wire::EventMessage{event});
    const auto told = wire::decode<wire::EventMessage>(frame).event;
    expect(told.number == event.number && told.kind == event.kind, "an event that is told is the one that was meant");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input{data, size};
    const bool is_credible = input.flag();
    const auto from = input.take<std::uint64_t>();
    const auto next = input.take<std::uint64_t>();
    const auto bytes = input.bytes(64 * sizeof(Event));
    fuzz::put(path(), is_credible ? made_credible(bytes) : std::string{bytes});

    std::uint64_t last = 0;
    for (const auto& event : rundir::read_events(path(), from)) {
        expect(event.number >= from && event.number >= last, "events come in order, from the one that was asked for");
        last = event.number;
        if (event.text[sizeof event.text - 1] == '\0') check_telling(event);
    }
    rundir::EventLog log{path()};
    const auto asked = log.find(from);
    expect(!asked || asked->number == from, "what is found is what was asked for");
    const auto on_disk = log.next_number_on_disk();
    page()->next_event = next == 0 ? on_disk : next;
    Event event;
    event.kind = rundir::EventKind::started;
    log.append(page(), event);
    const auto found = log.find(event.number);
    expect(event.number == 0 || (found && found->kind == event.kind), "what was appended is found");
    return 0;
}
