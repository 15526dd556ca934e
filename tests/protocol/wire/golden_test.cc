// Bytes that each released version sent: they are read for ever. `codec_test "[.golden]"` writes those that are missing; to have
// those of a version anew that nobody has been given yet, remove them first.
#include <catch2/catch.hpp>
#include <filesystem>
#include <span>

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/format.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/event_log.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/keeper_messages.h"
#include "protocol/wire/shim_socket.h"
#include "tests/protocol/wire/samples.h"

using namespace pp;
using namespace pp::test;

namespace {

/// The first version of all conversations lies in one directory; those that came later lie in one for each conversation.
std::string directory_of(const std::string& conversation, std::uint32_t version) {
    const auto first = conversation == "ring" || conversation == "state" ? conversation : "wire";
    return std::string{PP_GOLDEN_DIR} + "/" + (version == 1 ? first : conversation) + "/v" + std::to_string(version);
}

std::string path_of(const std::string& conversation, std::uint32_t version, const std::string& name) {
    return directory_of(conversation, version) + "/" + name + ".bin";
}

/// Of a sample, whose name begins with its conversation: shim_hello, control_request.
std::string path_of(std::uint32_t version, const std::string& name) {
    return path_of(name.substr(0, name.find('_')), version, name);
}

void write_missing(const std::string& path, const std::string& bytes) {
    if (std::filesystem::exists(path)) return;
    std::filesystem::create_directories(std::filesystem::path{path}.parent_path());
    os::write_atomic_file(path, bytes, 0644);
}

wire::KeeperMessage sample_keeper_message(wire::KeeperVerb verb = wire::KeeperVerb::deposit) {
    wire::KeeperMessage message;
    message.verb = verb;
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

/// What came with version 2, and the texts behind it.
struct KeeperSample {
    const char* name;
    wire::KeeperVerb verb;
    const char* text;
};
constexpr KeeperSample kKeeperSamplesOf2[] = {
    {"keeper_upgrade", wire::KeeperVerb::upgrade, ""},
    {"keeper_forget", wire::KeeperVerb::forget, ""},
    {"keeper_failed", wire::KeeperVerb::failed, "bind /tmp/pp-1000/p12.sock: Is a directory"},
    {"keeper_status_is", wire::KeeperVerb::status_is, "0.1.0"},
};

template <class Struct>
std::string bytes_of(const Struct& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Without magic and version.
std::string content_of(const std::string& keeper_bytes) {
    REQUIRE(keeper_bytes.size() >= sizeof(wire::KeeperMessage));
    return keeper_bytes.substr(6, sizeof(wire::KeeperMessage) - 6);
}

}  // namespace

TEST_CASE("write golden frames", "[.golden]") {
    for_each_sample([](std::uint32_t version, const char* name, const auto& message) {
        write_missing(path_of(version, name), wire::encode(message));
    });
    write_missing(path_of("keeper", 1, "keeper_message"), bytes_of(sample_keeper_message()));
    for (const auto& sample : kKeeperSamplesOf2)
        write_missing(path_of("keeper", 2, sample.name), wire::with_text(sample_keeper_message(sample.verb), sample.text));
    write_missing(path_of("kick", 1, "kick"), bytes_of(wire::Kick{wire::kKickMagic, 1, 0xDEADBEEFCAFEull}));
}

TEST_CASE("frames of every version are read", "[wire][golden]") {
    for_each_sample([](std::uint32_t version, const char* name, const auto& message) {
        CAPTURE(version, name);
        const auto frame = os::find_file_content(path_of(version, name));
        REQUIRE(frame);
        // a later version may know more fields; what the sample says is compared as this version writes it
        const auto decoded = wire::decode<std::decay_t<decltype(message)>>(*frame);
        CHECK(wire::encode(decoded) == wire::encode(message));
    });
}

TEST_CASE("a Bye of before there was a hand-over means the end", "[wire][golden]") {
    const auto frame = os::find_file_content(path_of("shim", 1, "shim_bye"));
    REQUIRE(frame);
    CHECK_FALSE(wire::decode<wire::Bye>(*frame).hand_over);
}

TEST_CASE("fixed messages of every version have kept their layout", "[wire][golden]") {
    const auto keeper = os::find_file_content(path_of("keeper", 1, "keeper_message"));
    REQUIRE(keeper);
    CHECK(content_of(*keeper) == content_of(bytes_of(sample_keeper_message())));
    CHECK(keeper->substr(0, 4) == bytes_of(sample_keeper_message()).substr(0, 4));
    for (const auto& sample : kKeeperSamplesOf2) {
        CAPTURE(sample.name);
        const auto bytes = os::find_file_content(path_of("keeper", 2, sample.name));
        REQUIRE(bytes);
        CHECK(content_of(*bytes) == content_of(bytes_of(sample_keeper_message(sample.verb))));
        CHECK(wire::text_behind(std::as_bytes(std::span{*bytes})) == sample.text);
    }
    const auto kick = os::find_file_content(path_of("kick", 1, "kick"));
    REQUIRE(kick);
    CHECK(bytes_of(wire::Kick{wire::kKickMagic, 1, 0xDEADBEEFCAFEull}) == *kick);
}

TEST_CASE("no version is without its bytes, and none has bytes before it is a version", "[wire][golden]") {
    struct Versions {
        const char* conversation;
        std::uint32_t oldest;
        std::uint32_t newest;
    };
    for (const auto& [conversation, oldest, newest] : {Versions{"shim", wire::kOldestShimProtocol, wire::kShimProtocol},
                                                       Versions{"control", wire::kOldestControlProtocol, wire::kControlProtocol},
                                                       Versions{"keeper", 1, wire::kKeeperVersion},
                                                       Versions{"launch", 1, wire::kLaunchVersion},
                                                       Versions{"ring", ring::kOldestRingVersion, ring::kRingVersion},
                                                       Versions{"state", ring::kOldestStateVersion, ring::kStateVersion}}) {
        CHECK(oldest == 1);  // nothing that was released is ever given up
        for (auto version = oldest; version <= newest; ++version) {
            CAPTURE(conversation, version);
            REQUIRE(std::filesystem::is_directory(directory_of(conversation, version)));
            CHECK_FALSE(std::filesystem::is_empty(directory_of(conversation, version)));
        }
        CAPTURE(conversation, newest);
        CHECK_FALSE(std::filesystem::exists(directory_of(conversation, newest + 1)));
    }
}
