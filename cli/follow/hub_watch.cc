#include "cli/follow/hub_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "protocol/os/error.h"

namespace pp::cli {

HubWatch::HubWatch(os::Loop& loop, const rundir::Home& home, Owner owner)
    : owner_{std::move(owner)}, notify_{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)} {
    if (!notify_) os::throw_errno("inotify");
    if (::inotify_add_watch(notify_.get(), home.run().c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0)
        os::throw_errno("watch", home.run());
    watch_ = std::make_unique<os::Loop::Watch>(loop, notify_.get(), POLLIN, [this](short) { read(); });
}

void HubWatch::read() {
    alignas(inotify_event) std::array<char, 4096> buffer;
    bool epoch_written = false;
    bool is_gone = false;
    for (ssize_t got; (got = ::read(notify_.get(), buffer.data(), buffer.size())) > 0;) {
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* const name = buffer.data() + at + sizeof event;
            epoch_written |= event.len > 0 && std::string_view{name} == "hub.epoch";
            is_gone |= (event.mask & IN_IGNORED) != 0;
            at += sizeof event + event.len;
        }
    }
    const auto owner = owner_;  // who is called may drop us
    if (epoch_written) return owner.on_hub();
    if (is_gone) owner.on_gone();
}

}  // namespace pp::cli
