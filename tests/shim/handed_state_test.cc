#include "shim/keeper/handed_state.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"

using namespace pp;
using keeper::HandedState;

namespace {

std::string path_of(std::uint32_t version) {
    return std::string{PP_GOLDEN_DIR} + "/keeper_state/v" + std::to_string(version) + "/state.bin";
}

HandedState sample() {
    HandedState state;
    state.lock_fd = 4;
    state.listener_fd = 5;
    state.asker = 1;
    state.connections = {{12, 9, 1}, {0, 10, 0}};
    HandedState::Ward ward;
    ward.process = 12;
    ward.shim_pid = 4711;
    ward.shim_fd = 11;
    ward.page_fd = 12;
    ward.connection = 0;
    ward.spawn_asker = 1;
    ward.failures = 2;
    ward.flags = HandedState::kIsOwed | HandedState::kWantedTakeover;
    ward.shim_age_ms = 1500;
    std::strcpy(ward.last_words, "bind: Is a directory");
    state.wards = {ward};
    HandedState::Held held;
    held.process = 12;
    held.what.verb = wire::KeeperVerb::deposit;
    held.what.kind = wire::HeldKind::output;
    held.what.run = 3;
    held.fd = 13;
    state.held = {held};
    HandedState::Waiting waiting;
    waiting.connection = 1;
    waiting.size = 3;
    std::memcpy(waiting.bytes, "abc", 3);
    state.waiting = {waiting};
    return state;
}

void check_is_sample(const HandedState& state) {
    CHECK(state.lock_fd == 4);
    CHECK(state.listener_fd == 5);
    CHECK(state.asker == 1);
    REQUIRE(state.connections.size() == 2);
    CHECK(state.connections[0].process == 12);
    CHECK(state.connections[0].fd == 9);
    CHECK(state.connections[0].is_birth == 1);
    CHECK(state.connections[1].process == 0);
    REQUIRE(state.wards.size() == 1);
    const auto& ward = state.wards[0];
    CHECK(ward.process == 12);
    CHECK(ward.shim_pid == 4711);
    CHECK(ward.shim_fd == 11);
    CHECK(ward.page_fd == 12);
    CHECK(ward.connection == 0);
    CHECK(ward.spawn_asker == 1);
    CHECK(ward.failures == 2);
    CHECK(ward.flags == (HandedState::kIsOwed | HandedState::kWantedTakeover));
    CHECK(ward.shim_age_ms == 1500);
    CHECK(std::string{ward.last_words} == "bind: Is a directory");
    REQUIRE(state.held.size() == 1);
    CHECK(state.held[0].process == 12);
    CHECK(state.held[0].what.kind == wire::HeldKind::output);
    CHECK(state.held[0].what.run == 3);
    CHECK(state.held[0].fd == 13);
    REQUIRE(state.waiting.size() == 1);
    CHECK(state.waiting[0].connection == 1);
    CHECK(std::string{state.waiting[0].bytes, state.waiting[0].size} == "abc");
}

HandedState decoded(const std::string& bytes) { return keeper::decode_handed_state(std::as_bytes(std::span{bytes})); }

}  // namespace

TEST_CASE("write a golden state of the keeper", "[.golden]") {
    std::filesystem::create_directories(std::filesystem::path{path_of(keeper::kHandedVersion)}.parent_path());
    os::write_atomic_file(path_of(keeper::kHandedVersion), keeper::encode(sample()), 0644);
}

TEST_CASE("what a keeper hands over comes back as it was", "[keeper][upgrade]") {
    check_is_sample(decoded(keeper::encode(sample())));
    const auto nothing = decoded(keeper::encode({}));
    CHECK(nothing.wards.empty());
    CHECK(nothing.lock_fd == HandedState::kNone);
}

TEST_CASE("what a keeper of any version handed over is read", "[keeper][upgrade][golden]") {
    for (auto version = keeper::kOldestHandedVersion; version <= keeper::kHandedVersion; ++version) {
        CAPTURE(version);
        const auto bytes = os::find_file_content(path_of(version));
        REQUIRE(bytes);
        check_is_sample(decoded(*bytes));
    }
    CHECK_FALSE(std::filesystem::exists(path_of(keeper::kHandedVersion + 1)));
}

TEST_CASE("records of a later keeper are read as far as they are known, and shorter ones keep their defaults", "[keeper][upgrade]") {
    HandedState state;
    HandedState::Connection connection;
    connection.process = 7;
    connection.fd = 8;
    state.connections = {connection, connection};
    const auto bytes = keeper::encode(state);
    constexpr std::size_t kHeader = 64;
    constexpr std::size_t kSizeOfOne = 36;  // in the header: of the first table, behind its count
    const auto resized = [&](std::uint32_t size) {
        std::string other = bytes.substr(0, kHeader);
        std::memcpy(other.data() + kSizeOfOne, &size, sizeof size);
        for (int i = 0; i < 2; ++i) {
            auto record = bytes.substr(kHeader + static_cast<std::size_t>(i) * sizeof connection, sizeof connection);
            record.resize(size, '\x7f');
            other += record;
        }
        return decoded(other);
    };
    const auto longer = resized(40);
    REQUIRE(longer.connections.size() == 2);
    CHECK(longer.connections[1].process == 7);
    CHECK(longer.connections[1].fd == 8);
    CHECK(longer.connections[1].is_birth == 0);
    const auto shorter = resized(8);
    REQUIRE(shorter.connections.size() == 2);
    CHECK(shorter.connections[1].process == 7);
    CHECK(shorter.connections[1].fd == HandedState::kNone);
}

TEST_CASE("a state that is cut off or of something else is refused", "[keeper][upgrade]") {
    const auto bytes = keeper::encode(sample());
    for (std::size_t size = 0; size < bytes.size(); size += 7) CHECK_THROWS(decoded(bytes.substr(0, size)));
    auto other = bytes;
    other[0] = 'X';
    CHECK_THROWS(decoded(other));
    other = bytes;
    const std::uint32_t many = 1u << 31;
    std::memcpy(other.data() + 32, &many, sizeof many);  // of connections
    CHECK_THROWS(decoded(other));
    const std::uint32_t none = 0;
    std::memcpy(other.data() + 36, &none, sizeof none);  // each of no size
    CHECK_THROWS(decoded(other));
}
