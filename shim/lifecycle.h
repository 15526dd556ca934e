#pragma once

#include <cstdint>

namespace pp::shim {

/// Where the newest run stands. Decided here by pure functions, done by Shim.
enum class Phase : std::uint8_t {
    idle,      ///< no run yet
    running,   ///< main lives
    stopping,  ///< main was asked to end; the grace runs
    clearing,  ///< main has ended; what remains of the tree was asked to; the grace runs on
    killing,   ///< the grace is over, all got SIGKILL
    finished,  ///< main has ended; descendants may live on
};

struct State {
    Phase phase = Phase::idle;
    bool start_next = false;  ///< a new run begins as soon as the stop is through
    bool operator==(const State&) const = default;
};

enum class Event : std::uint8_t {
    start_requested,
    replace_requested,  ///< stop what runs, then start
    stop_requested,
    start_failed,
    main_exited,
    grace_over,
    tree_gone,  ///< main and all descendants have ended
    kill_over,  ///< what got SIGKILL is still there after seconds: stuck in the kernel, or another user's
};

enum class Action : std::uint8_t {
    none,
    spawn,             ///< begin a run
    refuse_running,    ///< the request cannot be granted: main lives
    signal_main,       ///< the stop's signal to main's group; the grace begins
    record_exit,       ///< main's exit, for who waits
    record_exit_and_terminate_rest,
    terminate_rest,    ///< TERM to all that remains; the grace begins
    kill_all,          ///< KILL to all that remains
    report_stop,       ///< the stop is through, or could not be: main lives, and no run begins
    report_stop_and_spawn,
    note_tree_gone,
};

struct Step {
    State state;
    Action action = Action::none;
    bool operator==(const Step&) const = default;
};

/// What lives of the process.
struct Alive {
    bool main = false;
    bool tree = false;  ///< something beside main
};
Step step(State state, Event event, Alive alive);

/// Where a successor goes on from what the state page says.
State resumed(bool main_lives, bool was_stopping, bool start_next);

}  // namespace pp::shim
