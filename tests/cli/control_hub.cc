#include "tests/cli/control_hub.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>

#include "protocol/os/proc.h"
#include "protocol/wire/codec.h"

namespace pp::test {

ControlHub::ControlHub(const rundir::Home& home)
    : lock_{os::OfdLock::try_take(home.hub_lock()).value()},
      channel_{wire::Channel::router(context_, home.control_socket())} {
    channel_.deliver_at_end(std::chrono::minutes{1});
    rundir::HubEpoch epoch;
    epoch.epoch = 1;
    epoch.pid = ::getpid();
    epoch.start_time = os::find_proc_stat(::getpid())->start_time;
    epoch.version = PP_VERSION;
    rundir::write_hub_epoch(home, epoch);
}

wire::Request ControlHub::next() {
    while (true) {
        if (const auto frame = channel_.try_receive()) {
            const auto request = wire::decode<wire::Request>(frame->bytes);
            peer_ = frame->peer;
            token_ = request.token;
            return request;
        }
        pollfd polled{channel_.fd(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
}

void ControlHub::reply(const std::string& status, const std::string& result, const std::string& text) {
    wire::Reply reply;
    reply.token = token_;
    reply.status = status;
    reply.result = result;
    reply.text = text;
    channel_.send(wire::encode(reply), peer_);
}

}  // namespace pp::test
