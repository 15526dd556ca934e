// A frame of whatever peer, taken for each message of its type (conversations number theirs apart): it is refused, or what it
// says survives being packed anew.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "protocol/os/unique_fd.h"
#include "protocol/wire/base64.h"
#include "protocol/wire/codec.h"
#include "tests/fuzz/expect.h"
#include "tests/protocol/wire/samples.h"

namespace {

using namespace pp;
using fuzz::expect;

template <class Message>
std::optional<Message> find_message(std::string_view frame) {
    try {
        return wire::decode<Message>(frame);
    } catch (const wire::BadMessage&) {
        return std::nullopt;
    }
}

std::optional<std::uint32_t> find_type(std::string_view frame) {
    try {
        return wire::type_of(frame);
    } catch (const wire::BadMessage&) {
        return std::nullopt;
    }
}

template <class Message>
void check_message(std::string_view frame, std::uint32_t type) {
    if (type != Message::kType) return;
    const auto message = find_message<Message>(frame);
    if (!message) return;
    const auto packed = wire::encode(*message);
    const auto again = find_message<Message>(packed);
    expect(again.has_value(), "what was taken can be packed and taken again");
    expect(wire::encode(*again) == packed, "a message that was packed twice is the same");
}

/// As a file: its version and its argv are looked at, too.
void check_launch(std::string_view frame) {
    const os::UniqueFd file{::memfd_create("launch", MFD_CLOEXEC)};
    expect(::write(file.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()), "the file is written");
    try {
        const auto launch = rundir::find_launch("/proc/self/fd/" + std::to_string(file.get()));
        expect(!launch || !launch->argv.empty(), "a launch has something to execute");
    } catch (const wire::BadMessage&) {
    }
}

void check_base64(std::string_view text) {
    expect(wire::from_base64(wire::to_base64(text)) == std::string{text}, "base64 gives back what it was given");
    if (const auto bytes = wire::from_base64(text)) expect(bytes->size() <= text.size(), "base64 makes nothing up");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view frame{reinterpret_cast<const char*>(data), size};
    if (const auto type = find_type(frame)) {
        test::for_each_sample([&](std::uint32_t, const char*, const auto& sample) {
            check_message<std::decay_t<decltype(sample)>>(frame, *type);
        });
        check_message<wire::Resize>(frame, *type);
        check_message<wire::CancelInput>(frame, *type);
        if (*type == rundir::Launch::kType) check_launch(frame);
    }
    check_base64(frame);
    return 0;
}
