#include "shim/lifecycle.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace pp::shim;

namespace {

constexpr Alive kMain{true, false};
constexpr Alive kTree{false, true};
constexpr Alive kNobody{};

}  // namespace

TEST_CASE("a run begins from idle and from finished, whatever it left behind", "[lifecycle]") {
    for (const auto phase : {Phase::idle, Phase::finished}) {
        for (const auto event : {Event::start_requested}) {
            CHECK(step({phase, false}, event, kNobody) == Step{{Phase::running, false}, Action::spawn});
            CHECK(step({phase, false}, event, kTree) == Step{{Phase::running, false}, Action::spawn});
        }
    }
    CHECK(step({Phase::running, false}, Event::start_requested, kMain).action == Action::refuse_running);
}

TEST_CASE("a start during a stop begins when that is through", "[lifecycle]") {
    for (const auto phase : {Phase::stopping, Phase::clearing, Phase::killing}) {
        const auto waiting = step({phase, false}, Event::start_requested, kTree);
        CHECK(waiting == Step{{phase, true}, Action::none});
    }
    CHECK(step({Phase::clearing, true}, Event::tree_gone, kNobody) == Step{{Phase::idle, true}, Action::report_stop_and_spawn});
    CHECK(step({Phase::clearing, true}, Event::stop_requested, kTree) == Step{{Phase::clearing, false}, Action::none});
}

TEST_CASE("a stop: the signal, TERM to what remains, KILL when the grace is over", "[lifecycle]") {
    auto at = step({Phase::running, false}, Event::stop_requested, kMain);
    CHECK(at == Step{{Phase::stopping, false}, Action::signal_main});
    at = step(at.state, Event::main_exited, kTree);
    CHECK(at == Step{{Phase::clearing, false}, Action::record_exit_and_terminate_rest});
    const auto killed = step(at.state, Event::grace_over, kTree);
    CHECK(killed == Step{{Phase::killing, false}, Action::kill_all});
    CHECK(step(at.state, Event::tree_gone, kNobody) == Step{{Phase::finished, false}, Action::report_stop});
    CHECK(step(killed.state, Event::tree_gone, kNobody) == Step{{Phase::finished, false}, Action::report_stop});
}

TEST_CASE("what takes no SIGKILL is reported; beside a main that lives no other begins", "[lifecycle]") {
    CHECK(step({Phase::killing, true}, Event::kill_over, kMain) == Step{{Phase::running, false}, Action::report_stop});
    CHECK(step({Phase::killing, false}, Event::kill_over, kTree) == Step{{Phase::finished, false}, Action::report_stop});
    CHECK(step({Phase::killing, true}, Event::kill_over, kTree) ==
          Step{{Phase::idle, true}, Action::report_stop_and_spawn});
}

TEST_CASE("descendants that outlive main are ended by a stop, and leave room for a new run", "[lifecycle]") {
    CHECK(step({Phase::running, false}, Event::main_exited, kTree) == Step{{Phase::finished, false}, Action::record_exit});
    CHECK(step({Phase::finished, false}, Event::stop_requested, kTree) ==
          Step{{Phase::clearing, false}, Action::terminate_rest});
    CHECK(step({Phase::finished, false}, Event::stop_requested, kNobody) ==
          Step{{Phase::finished, false}, Action::report_stop});
    CHECK(step({Phase::finished, false}, Event::start_requested, kTree) == Step{{Phase::running, false}, Action::spawn});
    CHECK(step({Phase::finished, false}, Event::replace_requested, kTree) ==
          Step{{Phase::clearing, true}, Action::terminate_rest});
}

TEST_CASE("late news changes nothing", "[lifecycle]") {
    for (const auto phase : {Phase::idle, Phase::finished}) {
        for (const auto event : {Event::main_exited, Event::grace_over, Event::kill_over})
            CHECK(step({phase, false}, event, kNobody) == Step{{phase, false}, Action::none});
    }
    CHECK(step({Phase::finished, false}, Event::tree_gone, kNobody).action == Action::note_tree_gone);
    CHECK(step({Phase::running, false}, Event::grace_over, kMain) == Step{{Phase::running, false}, Action::none});
}

TEST_CASE("a successor goes on where the page says", "[lifecycle]") {
    CHECK(resumed(true, false, false) == State{Phase::running, false});
    CHECK(resumed(true, true, true) == State{Phase::stopping, true});
    CHECK(resumed(false, true, true) == State{Phase::clearing, true});
    CHECK(resumed(false, false, false) == State{Phase::finished, false});
}
