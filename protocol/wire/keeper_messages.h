#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/ring/format.h"

namespace pp::wire {

// Keeper protocol: fixed structs over SOCK_SEQPACKET (run/keeper.sock, and the socketpair that each shim is born with),
// descriptors by SCM_RIGHTS. Same machine, same byte order. A message longer than the struct that is known is read as far
// as it is known; a shorter one is refused, and so is a verb that is not known. Numbers are never used again. Behind the struct
// some messages have a text.
//
//     hub → keeper    spawn · status · forget · upgrade         keeper → hub    spawned · refused · status_is · shim_gone
//     shim → keeper   attach · deposit · withdraw · goodbye · failed      keeper → shim   held · ready · orphan_exited · refused

inline constexpr std::uint32_t kKeeperMagic = 0x4b505031;  // "1PPK"
inline constexpr std::uint16_t kKeeperVersion = 2;  // 1: the first; 2: upgrade, forget, failed; status_is tells its program's version

inline constexpr std::uint16_t kUpgradeSince = 2;

enum class KeeperVerb : std::uint16_t {
    spawn = 1,          ///< hub: start a shim for `process`; `flag` 1 = take over what no shim holds
    spawned = 2,        ///< answer: `pid` of the shim
    refused = 3,        ///< answer: `value` is an errno. To a shim: the deposit (kind, run, stream) found no room; again later.
                        ///< To `upgrade`: `process` is 0
    status = 4,         ///< hub: who are you
    status_is = 5,      ///< answer: `pid` of the keeper, `value` = shims it has, `run` = descriptors it holds; text: the version
                        ///< of its program (since 2). `flag` 1: the answer to `upgrade`, by the new program
    attach = 6,         ///< shim: I am the shim of `process`, `pid`, and have its lock; carries its pidfd and the state page.
                        ///< The keeper answers with what it holds, then `ready`
    deposit = 7,        ///< shim: keep this descriptor
    withdraw = 8,       ///< shim: drop what you hold under (kind, run, stream)
    goodbye = 9,        ///< shim: I end in order; forget the process
    held = 10,          ///< keeper: this you deposited
    ready = 11,         ///< keeper: that was all
    orphan_exited = 12,  ///< keeper: `pid` has ended, its record is in the state page
    shim_gone = 13,     ///< keeper, to each hub connection: the shim of `process` has ended; `flag` 1 = said goodbye,
                        ///< 2 = a successor was started (`pid`), 3 = it failed to come up thrice: given up, what is
                        ///< held stays held until somebody asks for a shim again, and said once more when main ends
    upgrade = 14,       ///< hub: execute this program in your place; carries a descriptor of it. Pid, children and all that is
                        ///< held stay. Since 2, as the two that follow
    forget = 15,        ///< hub: the process was cleared; drop what you hold for it, if it has no shim. No answer
    failed = 16,        ///< shim: I cannot come up; text: why
};

enum class HeldKind : std::uint16_t {
    output = 1,    ///< read end of a pipe of the child's
    input = 2,     ///< write end of its stdin
    terminal = 3,  ///< PTY master
    aux_read = 4,  ///< both ends of the pipe between PTY and ring
    aux_write = 5,
    listener = 6,
    child = 7,     ///< pidfd of main; `pid`, `start_time`
};

struct KeeperMessage {
    std::uint32_t magic = kKeeperMagic;
    std::uint16_t version = kKeeperVersion;
    KeeperVerb verb{};
    std::uint64_t process = 0;
    std::int32_t pid = 0;
    std::uint32_t run = 0;
    std::uint64_t start_time = 0;
    HeldKind kind{};
    ring::Stream stream{};
    std::uint8_t flag = 0;
    std::int32_t value = 0;
};
static_assert(sizeof(KeeperMessage) == 40);

inline constexpr std::size_t kMaxKeeperMessage = 512;  ///< with its text

/// The message with a text behind it, cut to what fits.
inline std::string with_text(const KeeperMessage& message, std::string_view text) {
    std::string bytes(reinterpret_cast<const char*>(&message), sizeof message);
    return bytes += text.substr(0, kMaxKeeperMessage - sizeof message);
}

/// The text behind a message that is at least as long as the struct.
inline std::string text_behind(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()) + sizeof(KeeperMessage), bytes.size() - sizeof(KeeperMessage)};
}

/// Number under which a shim finds its birth socket.
inline constexpr int kBirthSocketFd = 3;

}  // namespace pp::wire
