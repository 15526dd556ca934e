#pragma once

#include <cstring>
#include <tuple>

#include "protocol/rundir/launch.h"
#include "protocol/wire/control_messages.h"
#include "protocol/wire/shim_messages.h"

namespace pp::test {

inline rundir::Event sample_event() {
    rundir::Event event;
    event.number = 77;
    event.time_ns = 1'700'000'000'123'456'789;
    event.kind = rundir::EventKind::exited;
    event.run = 3;
    event.pid = 4711;
    event.signal = 15;
    event.start_time = 987654321;
    event.cursor = 1ull << 40;
    event.exit_kind = ring::ExitKind::signaled;
    event.exit_value = 15;
    event.core_dumped = 1;
    event.stop_requested = 1;
    event.user_us = 1'234'567;
    event.system_us = 7654;
    event.max_resident_kib = 123456;
    event.descendants = 2;
    event.generation = 9;
    std::strncpy(event.text, "by request", sizeof event.text - 1);
    return event;
}

inline rundir::Launch sample_launch() {
    rundir::Launch launch;
    launch.process = 12;
    launch.name = "web";
    launch.label = "npm run dev in /home/me/web";
    launch.project = "/home/me/web";
    launch.owner_kind = "agent";
    launch.owner_client = "some client";
    launch.lifetime = "session";
    launch.created_at_ns = 1'700'000'000'000'000'000;
    launch.command = "npm run dev";
    launch.argv = {"npm", "run", "dev"};
    launch.working_directory = "/home/me/web";
    launch.environment = {{"PATH", "/usr/bin:/bin"}, {"EMPTY", ""}, {"BYTES", std::string{"\xFF\x00\x01", 3}}};
    launch.environment_source = "caller";
    launch.given_argv_json = R"(["npm","run","dev"])";
    launch.mode = "pty";
    launch.streams = "merged";
    launch.stdin_mode = "pipe";
    launch.file_mode_mask = 077;
    launch.limits = {7, 1024, -1};
    launch.nice = -5;
    launch.log_capacity = 1 << 20;
    return launch;
}

/// A request with what version 2 added, or without.
inline wire::Request sample_request(std::uint32_t protocol) {
    wire::Request request;
    request.protocol = protocol;
    request.version = "0.1.0";
    request.token = 3;
    request.operation = "start";
    request.arguments = R"({"command":"ls"})";
    request.working_directory = "/home/me";
    request.environment = {{"A", "b"}};
    request.file_mode_mask = 077;
    request.limits_json = "[[7,1024,-1]]";
    request.nice = 5;
    request.pid = 4711;
    if (protocol < 2) return request;
    request.key = 0xFEEDFACE;
    request.streams = "split";
    request.rows = 50;
    request.columns = 132;
    request.pid_namespace = 0xEFFFFFFC;
    request.argv = {"printf", "\xFF\xFE"};
    request.command = "printf '\xFF'";
    return request;
}

// Every message there is, with no field at its default, and the name of its golden file: by the version of the conversation
// that it, or a field of it, came with.

inline auto sample_messages() {
    using namespace wire;
    return std::tuple{
        std::pair{"shim_hello", Hello{1, "0.1.0", 12, 4711, 99, 0xDEADBEEFCAFEull}},
        std::pair{"shim_welcome", Welcome{0xDEADBEEFCAFEull, 42}},
        std::pair{"shim_event", EventMessage{sample_event()}},
        std::pair{"shim_ack", Ack{41}},
        std::pair{"shim_start_run", StartRun{7, 3, true, 2, 1500}},
        std::pair{"shim_stop", Stop{8, 3, 9, 0}},
        std::pair{"shim_input", Input{9, 3, std::string{"y\0\xFF\n", 4}, true}},
        std::pair{"shim_done", Done{9, false, "the pipe is full", 65536, "4712 sleep 100"}},
        std::pair{"shim_watch", Watch{1ull << 50}},
        std::pair{"shim_output", Output{(1ull << 50) + 1}},
        std::pair{"shim_ping", Ping{1}},
        std::pair{"shim_pong", Pong{2}},
        std::pair{"shim_bye", Bye{100}},
        std::pair{"shim_release", Release{0xDEADBEEFCAFEull}},
        std::pair{"shim_signal", Signal{5, 3, 10}},
        std::pair{"control_request", sample_request(1)},
        std::pair{"control_reply", Reply{3, "not_found", R"({"a":1})", "no such process"}},
        std::pair{"launch", sample_launch()},
    };
}

/// Of version 2 of each conversation.
inline auto sample_messages_of_2() {
    return std::tuple{std::pair{"shim_resize", wire::Resize{11, 3, 50, 132}}, std::pair{"control_request", sample_request(2)}};
}

/// Of version 3.
inline auto sample_messages_of_3() {
    return std::tuple{std::pair{"shim_hand_over", wire::HandOver{0xDEADBEEFCAFEull}}, std::pair{"shim_bye", wire::Bye{100, true}},
                      std::pair{"shim_input", wire::Input{9, 3, "y\n", true, 0xABCDEF0123456789ull}},
                      std::pair{"shim_cancel_input", wire::CancelInput{9}}};
}

/// Calls with version, name and message.
template <class Function>
void for_each_sample(Function function) {
    const auto visit = [&](std::uint32_t version, const auto& samples) {
        std::apply([&](const auto&... sample) { (function(version, sample.first, sample.second), ...); }, samples);
    };
    visit(1, sample_messages());
    visit(2, sample_messages_of_2());
    visit(3, sample_messages_of_3());
}

}  // namespace pp::test
