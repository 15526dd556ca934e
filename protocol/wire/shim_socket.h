#pragma once

#include <cstdint>

namespace pp::wire {

// run/p12.sock: SOCK_SEQPACKET. To connect is to kick: the shim reads run/hub.epoch again and says Hello to the hub that
// listens. The message that goes with it is for versions to come, and is not waited for.

inline constexpr std::uint32_t kKickMagic = 0x4b435031;  // "1PCK"

/// A hub listens: read run/hub.epoch again and connect. No answer.
struct Kick {
    std::uint32_t magic = kKickMagic;
    std::uint32_t version = 1;  // 1: the first
    std::uint64_t epoch = 0;
};
static_assert(sizeof(Kick) == 16);

}  // namespace pp::wire
