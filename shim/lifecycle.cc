#include "shim/lifecycle.h"

#include <cstdlib>

namespace pp::shim {
namespace {

bool is_ending(Phase phase) {
    return phase == Phase::stopping || phase == Phase::clearing || phase == Phase::killing;
}

Step on_stop_through(State state) {
    if (state.start_next) return {{Phase::idle, true}, Action::report_stop_and_spawn};
    return {{Phase::finished, false}, Action::report_stop};
}

Step on_stop(State state, bool has_tree, bool start_next) {
    if (state.phase == Phase::running) return {{Phase::stopping, start_next}, Action::signal_main};
    if (is_ending(state.phase)) return {{state.phase, start_next}, Action::none};  // the grace does not begin again
    if (has_tree) return {{Phase::clearing, start_next}, Action::terminate_rest};
    return on_stop_through({state.phase, start_next});
}

Step on_main_exit(State state) {
    switch (state.phase) {
        case Phase::running: return {{Phase::finished, false}, Action::record_exit};
        case Phase::stopping:
            return {{Phase::clearing, state.start_next}, Action::record_exit_and_terminate_rest};
        case Phase::killing: return {state, Action::record_exit};
        case Phase::idle:
        case Phase::clearing:
        case Phase::finished: return {state, Action::none};
    }
    std::abort();  // not a Phase
}

}  // namespace

Step step(State state, Event event, Alive alive) {
    switch (event) {
        case Event::start_requested:
            if (state.phase == Phase::running) return {state, Action::refuse_running};
            if (is_ending(state.phase)) return {{state.phase, true}, Action::none};
            return {{Phase::running, false}, Action::spawn};
        case Event::replace_requested:
            // descendants of a run that finished by itself are a part of what is replaced: they may hold its port
            if (!alive.tree && (state.phase == Phase::idle || state.phase == Phase::finished))
                return {{Phase::running, false}, Action::spawn};
            return on_stop(state, alive.tree, true);
        case Event::stop_requested: return on_stop(state, alive.tree, false);
        case Event::start_failed: return {{Phase::finished, false}, Action::none};
        case Event::main_exited: return on_main_exit(state);
        case Event::grace_over:
            if (state.phase == Phase::stopping || state.phase == Phase::clearing)
                return {{Phase::killing, state.start_next}, Action::kill_all};
            return {state, Action::none};
        case Event::tree_gone:
            if (state.phase == Phase::clearing || state.phase == Phase::killing) return on_stop_through(state);
            return {state, state.phase == Phase::finished ? Action::note_tree_gone : Action::none};
        case Event::kill_over:
            if (state.phase != Phase::killing) return {state, Action::none};
            return alive.main ? Step{{Phase::running, false}, Action::report_stop} : on_stop_through(state);
    }
    std::abort();  // not an Event
}

State resumed(bool main_lives, bool was_stopping, bool start_next) {
    if (main_lives) return {was_stopping ? Phase::stopping : Phase::running, start_next};
    return {was_stopping ? Phase::clearing : Phase::finished, start_next};
}

}  // namespace pp::shim
