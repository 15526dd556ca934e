#include "tests/support/fake_hub.h"

#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>

#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "protocol/wire/codec.h"

namespace pp::test {
namespace {

std::uint64_t random_epoch() {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) std::abort();
    return value | 1;
}

}  // namespace

FakeHub::FakeHub(const rundir::Home& home)
    : home_{home}, channel_{wire::Channel::router(context_, home.shims_socket())}, epoch_{random_epoch()} {
    rundir::HubEpoch epoch;
    epoch.epoch = epoch_;
    epoch.pid = ::getpid();
    epoch.start_time = os::find_proc_stat(::getpid())->start_time;
    epoch.version = "test";
    rundir::write_hub_epoch(home, epoch);
}

void FakeHub::kick(std::uint64_t process) { os::find_seqpacket(home_.shim_socket(process)); }

void FakeHub::receive() {
    while (true) {
        if (const auto frame = channel_.try_receive()) return on_frame(*frame);
        pollfd polled{channel_.fd(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
}

void FakeHub::on_frame(const wire::Frame& frame) {
    const auto process = processes_[frame.peer];
    switch (wire::type_of(frame.bytes)) {
        case wire::Hello::kType: {
            const auto hello = wire::decode<wire::Hello>(frame.bytes);
            if (const auto shim = os::PidFd::find(hello.pid); !shim || shim->ended()) break;  // killed since
            peers_[hello.process] = frame.peer;
            processes_[frame.peer] = hello.process;
            break;
        }
        case wire::EventMessage::kType: {
            const auto event = wire::decode<wire::EventMessage>(frame.bytes).event;
            events_.push_back(event);
            events_of_[process].push_back(event);
            wire::Ack ack;
            ack.number = event.number;
            channel_.send(wire::encode(ack), frame.peer);
            break;
        }
        case wire::Done::kType: {
            const auto done = wire::decode<wire::Done>(frame.bytes);
            dones_[done.token] = done;
            break;
        }
        case wire::Output::kType: tails_[process] = wire::decode<wire::Output>(frame.bytes).tail; break;
        case wire::Bye::kType: ++byes_[process]; break;
        case wire::Pong::kType: last_pong_ = wire::decode<wire::Pong>(frame.bytes).token; break;
        default: break;
    }
}

void FakeHub::welcome(std::uint64_t process, std::uint64_t from_event) {
    peers_.erase(process);
    while (!peers_.contains(process)) receive();
    wire::Welcome welcome;
    welcome.epoch = epoch_;
    welcome.from_event = from_event;
    send_bytes(process, wire::encode(welcome));
}

rundir::Event FakeHub::wait_for(std::uint64_t process, rundir::EventKind kind, std::uint32_t run) {
    while (true) {
        const auto& events = events_of_[process];
        const auto found = std::find_if(events.begin(), events.end(), [&](const rundir::Event& event) {
            return event.kind == kind && event.run == run;
        });
        if (found != events.end()) return *found;
        receive();
    }
}

wire::Done FakeHub::wait_done(std::uint64_t token) {
    while (!dones_.contains(token)) receive();
    return dones_[token];
}

std::uint64_t FakeHub::wait_output(std::uint64_t process) {
    while (!tails_.contains(process)) receive();
    return tails_[process];
}

void FakeHub::ping(std::uint64_t process) {
    const wire::Ping ping{++last_token_};
    order(process, ping);
    while (last_pong_ != ping.token) receive();
}

std::optional<wire::Done> FakeHub::find_done_before_pong(std::uint64_t process, std::uint64_t token) {
    ping(process);
    const auto done = dones_.find(token);
    return done == dones_.end() ? std::nullopt : std::optional{done->second};
}

void FakeHub::release(std::uint64_t process) {
    while (byes_[process] == 0) receive();
    byes_[process] = 0;
    send_bytes(process, wire::encode(wire::Release{}));
}

void FakeHub::send_bytes(std::uint64_t process, const std::string& bytes) {
    if (!channel_.send(bytes, peers_.at(process))) throw std::runtime_error("the shim is not there");
}

}  // namespace pp::test
