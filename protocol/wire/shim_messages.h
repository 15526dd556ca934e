#pragma once

#include <csignal>
#include <cstdint>
#include <string>

#include "protocol/rundir/event_log.h"
#include "protocol/wire/version.h"

namespace pp::wire {

// hub ⇄ shim, over ipc run/shims.sock (ROUTER at the hub, DEALER at the shim). docs/protocol.md tells the order.
//
//     shim → hub   Hello · EventMessage · Done · Output · Pong · Bye
//     hub → shim   Welcome · Ack · StartRun · Stop · Signal · Input · CancelInput · Resize · HandOver · Watch · Ping · Release
//
// Every command carries a token; the shim answers it with one Done. Events are sent again from the first that was not
// acknowledged whenever a hub says Welcome.

/// shim → hub: first on each connection.
struct Hello {
    static constexpr std::uint32_t kType = 1;
    std::uint32_t protocol = kShimProtocol;
    std::string version;
    std::uint64_t process = 0;
    std::int32_t pid = 0;             ///< of the shim
    std::uint64_t next_event = 1;
    std::uint64_t epoch = 0;          ///< of the hub it means to speak to

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("protocol", self.protocol);
        visit.optional("version", self.version);
        visit.required("process", self.process);
        visit.required("pid", self.pid);
        visit.required("next_event", self.next_event);
        visit.optional("epoch", self.epoch);
    }
};

/// hub → shim: answer to Hello. Events from `from_event` on are wanted.
struct Welcome {
    static constexpr std::uint32_t kType = 2;
    std::uint64_t epoch = 0;
    std::uint64_t from_event = 1;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("epoch", self.epoch);
        visit.required("from_event", self.from_event);
    }
};

/// shim → hub: one event of rundir/event_log.h.
struct EventMessage {
    static constexpr std::uint32_t kType = 3;
    rundir::Event event;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit);
};

/// hub → shim: events up to and with this number are in the history.
struct Ack {
    static constexpr std::uint32_t kType = 4;
    std::uint64_t number = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("number", self.number);
    }
};

/// hub → shim: read the launch file again and begin a run. Refused while main lives, unless `replace`: then main is
/// stopped first, as Stop does, and the run begins when it has ended (main alone: what it left behind lives on only if
/// the tree cannot be ended within the grace).
struct StartRun {
    static constexpr std::uint32_t kType = 5;
    std::uint64_t token = 0;
    std::uint32_t run = 0;  ///< the number that the new run gets; a shim that is further refuses
    bool replace = false;
    std::int32_t signal = SIGTERM;
    std::uint32_t grace_ms = 5000;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("run", self.run);
        visit.optional("replace", self.replace);
        visit.optional("signal", self.signal);
        visit.optional("grace_ms", self.grace_ms);
    }
};

/// hub → shim: end the process and its tree. `signal` now to main's group, what remains when main has gone gets TERM,
/// SIGKILL when the grace is over. Done comes when the tree is gone, or with the survivors' count.
struct Stop {
    static constexpr std::uint32_t kType = 6;
    std::uint64_t token = 0;
    std::uint32_t run = 0;  ///< number of the run meant, from 1; a shim on a later run refuses
    std::int32_t signal = SIGTERM;
    std::uint32_t grace_ms = 5000;  ///< 0: SIGKILL at once

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("run", self.run);
        visit.optional("signal", self.signal);
        visit.optional("grace_ms", self.grace_ms);
    }
};

/// hub → shim: write to stdin, or close it. Done tells in `count` how many bytes were taken; the rest is the sender's.
struct Input {
    static constexpr std::uint32_t kType = 7;
    std::uint64_t token = 0;
    std::uint32_t run = 0;
    std::string data;
    bool eof = false;  ///< close after the data, if all of it was taken
    /// Since protocol 3: the same each time it is sent, and taken once; one at a time may be under way. 0: it is sent once.
    std::uint64_t id = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("run", self.run);
        visit.optional("data", self.data);
        visit.optional("eof", self.eof);
        visit.optional("id", self.id);
    }
};

/// shim → hub: the command with this token has ended.
struct Done {
    static constexpr std::uint32_t kType = 8;
    std::uint64_t token = 0;
    bool ok = true;
    std::string error;       ///< for a person, if not ok
    std::uint64_t count = 0;  ///< what the command counts: bytes taken, survivors
    std::string detail;      ///< survivors, one "pid command" per line

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("ok", self.ok);
        visit.optional("error", self.error);
        visit.optional("count", self.count);
        visit.optional("detail", self.detail);
    }
};

/// hub → shim: say Output once, as soon as the tail lies beyond this cursor. A new Watch replaces the old one.
struct Watch {
    static constexpr std::uint32_t kType = 9;
    std::uint64_t cursor = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("cursor", self.cursor);
    }
};

/// shim → hub: answer to Watch.
struct Output {
    static constexpr std::uint32_t kType = 10;
    std::uint64_t tail = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("tail", self.tail);
    }
};

/// hub → shim, and back as Pong: is anybody there.
struct Ping {
    static constexpr std::uint32_t kType = 11;
    std::uint64_t token = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
    }
};
struct Pong {
    static constexpr std::uint32_t kType = 12;
    std::uint64_t token = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
    }
};

/// shim → hub: finished, drained, all acknowledged; may I end? The hub answers Release, behind any command that it sent
/// before: a StartRun that crossed the Bye is thus seen first, and the shim stays.
struct Bye {
    static constexpr std::uint32_t kType = 13;
    std::uint64_t next_event = 1;
    bool hand_over = false;  ///< a successor goes on; since protocol 3

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("next_event", self.next_event);
        visit.optional("hand_over", self.hand_over);
    }
};
struct Release {
    static constexpr std::uint32_t kType = 14;
    std::uint64_t epoch = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.optional("epoch", self.epoch);
    }
};

/// hub → shim: a signal to main's group, nothing more.
struct Signal {
    static constexpr std::uint32_t kType = 15;
    std::uint64_t token = 0;
    std::uint32_t run = 0;
    std::int32_t signal = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("run", self.run);
        visit.required("signal", self.signal);
    }
};

/// hub → shim: the terminal's size, from 1 to 1000 each. Since protocol 2.
struct Resize {
    static constexpr std::uint32_t kType = 16;
    std::uint64_t token = 0;
    std::uint32_t run = 0;
    std::uint32_t rows = 24;
    std::uint32_t columns = 80;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("run", self.run);
        visit.required("rows", self.rows);
        visit.required("columns", self.columns);
    }
};

/// hub → shim: make room for a successor, which the keeper starts, of the program as it lies there now. The shim says Bye with
/// `hand_over` when nothing waits for stdin to be read, and ends at the Release, between two of its steps and without a
/// goodbye to the keeper. Since protocol 3; one that does not know it is killed, which loses nothing either where splice
/// captures.
struct HandOver {
    static constexpr std::uint32_t kType = 17;
    std::uint64_t epoch = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.optional("epoch", self.epoch);
    }
};

/// hub → shim: what waits for room in stdin is not wanted any more; it is answered with what was taken. Since protocol 3.
struct CancelInput {
    static constexpr std::uint32_t kType = 18;
    std::uint64_t input = 0;  ///< token of the Input

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("input", self.input);
    }
};

template <class Self, class Visitor>
void EventMessage::fields(Self& self, Visitor& visit) {
    auto& event = self.event;
    auto kind = static_cast<std::uint32_t>(event.kind);
    auto exit_kind = static_cast<std::uint32_t>(event.exit_kind);
    std::string text{event.text};
    visit.required("number", event.number);
    visit.required("time_ns", event.time_ns);
    visit.required("kind", kind);
    visit.required("run", event.run);
    visit.optional("pid", event.pid);
    visit.optional("signal", event.signal);
    visit.optional("start_time", event.start_time);
    visit.optional("cursor", event.cursor);
    visit.optional("exit_kind", exit_kind);
    visit.optional("exit_value", event.exit_value);
    visit.optional("core_dumped", event.core_dumped);
    visit.optional("stop_requested", event.stop_requested);
    visit.optional("user_us", event.user_us);
    visit.optional("system_us", event.system_us);
    visit.optional("max_resident_kib", event.max_resident_kib);
    visit.optional("descendants", event.descendants);
    visit.optional("generation", event.generation);
    visit.optional("text", text);
    if constexpr (!std::is_const_v<Self>) {
        event.kind = static_cast<rundir::EventKind>(kind);
        event.exit_kind = static_cast<ring::ExitKind>(exit_kind);
        text.copy(event.text, sizeof event.text - 1);
    }
}

}  // namespace pp::wire
