#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "protocol/wire/keeper_messages.h"

namespace pp::keeper {

// What a keeper leaves to the program that takes its place (execve: pid, children and descriptors stay). Written by one version
// and read by a later one, by way of a memfd, and never kept longer than that.
//
// A header, then four tables of fixed records; the header says how many there are of each and how long one is. Who reads takes
// of a longer record what it knows, and leaves the rest of a shorter one at its default: fields are added at the end, with a
// default that means what was before.

inline constexpr std::uint32_t kOldestHandedVersion = 1;
inline constexpr std::uint32_t kHandedVersion = 1;  // 1: the first

/// Descriptors are numbers of this process. -1: none.
struct HandedState {
    static constexpr std::int32_t kNone = -1;

    struct Connection {
        std::uint64_t process = 0;
        std::int32_t fd = kNone;
        std::uint32_t is_birth = 0;
    };
    enum WardFlags : std::uint32_t { kSaidGoodbye = 1, kIsOwed = 2, kSpawnWanted = 4, kWantedTakeover = 8 };
    struct Ward {
        std::uint64_t process = 0;
        std::int32_t shim_pid = 0;
        std::int32_t shim_fd = kNone;
        std::int32_t page_fd = kNone;
        std::int32_t connection = kNone;   ///< its place in the table
        std::int32_t spawn_asker = kNone;  ///< the same
        std::uint32_t failures = 0;
        std::uint32_t flags = 0;
        std::uint32_t shim_age_ms = 0;
        char last_words[128] = {};
    };
    struct Held {
        std::uint64_t process = 0;
        wire::KeeperMessage what;
        std::int32_t fd = kNone;
        std::uint32_t reserved = 0;
    };
    /// A message that waits for room in its peer's socket.
    struct Waiting {
        std::int32_t connection = 0;
        std::uint32_t size = 0;
        char bytes[wire::kMaxKeeperMessage] = {};
    };

    std::int32_t lock_fd = kNone;
    std::int32_t listener_fd = kNone;
    std::int32_t asker = kNone;  ///< connection that is owed the answer
    std::vector<Connection> connections;
    std::vector<Ward> wards;
    std::vector<Held> held;
    std::vector<Waiting> waiting;
};

std::string encode(const HandedState& state);

/// Throws std::runtime_error for what is no such state, or not whole.
HandedState decode_handed_state(std::span<const std::byte> bytes);

}  // namespace pp::keeper
