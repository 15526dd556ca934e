// Frames that each version sent: they are read for ever. `codec_test "[.golden]"` writes them anew, which is right only
// for a version that nobody has been given yet.
#include <catch2/catch.hpp>

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"
#include "protocol/rundir/event_log.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/keeper_messages.h"
#include "protocol/wire/shim_socket.h"
#include "tests/protocol/wire/samples.h"

using namespace pp;
using namespace pp::test;

namespace {

std::string path_of(const std::string& name) {
    const bool has_version = name.find('/') != std::string::npos;
    return std::string{PP_GOLDEN_DIR} + (has_version ? "/wire/" : "/wire/v1/") + name + ".bin";
}

wire::KeeperMessage sample_keeper_message() {
    wire::KeeperMessage message;
    message.verb = wire::KeeperVerb::deposit;
    message.process = 12;
    message.pid = 4711;
    message.run = 3;
    message.start_time = 987654321;
    message.kind = wire::HeldKind::output;
    message.stream = ring::Stream::err;
    message.flag = 2;
    message.value = -5;
    return message;
}

template <class Struct>
std::string bytes_of(const Struct& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

TEST_CASE("write golden frames", "[.golden]") {
    for_each_sample([](const char* name, const auto& message) {
        os::write_atomic_file(path_of(name), wire::encode(message), 0644);
    });
    os::write_atomic_file(path_of("keeper_message"), bytes_of(sample_keeper_message()), 0644);
    os::write_atomic_file(path_of("kick"), bytes_of(wire::Kick{wire::kKickMagic, 1, 0xDEADBEEFCAFEull}), 0644);
}

TEST_CASE("frames of every version are read", "[wire][golden]") {
    for_each_sample([](const char* name, const auto& message) {
        CAPTURE(name);
        const auto frame = os::find_file_content(path_of(name));
        REQUIRE(frame);
        // a later version may know more fields; what the sample says is compared as this version writes it
        const auto decoded = wire::decode<std::decay_t<decltype(message)>>(*frame);
        CHECK(wire::encode(decoded) == wire::encode(message));
    });
}

TEST_CASE("fixed messages of version 1 have kept their layout", "[wire][golden]") {
    const auto keeper = os::find_file_content(path_of("keeper_message"));
    REQUIRE(keeper);
    const auto now = bytes_of(sample_keeper_message());
    CHECK(now.substr(0, keeper->size()).substr(8) == keeper->substr(8));  // behind magic and version
    CHECK(now.substr(0, 4) == keeper->substr(0, 4));
    const auto kick = os::find_file_content(path_of("kick"));
    REQUIRE(kick);
    CHECK(bytes_of(wire::Kick{wire::kKickMagic, 1, 0xDEADBEEFCAFEull}) == *kick);
}
