#include "cli/run/session.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/failure.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/output/terminal_size.h"
#include "cli/run/program_exit.h"
#include "protocol/os/error.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

constexpr int kSignalBase = 128;
constexpr const char* kGrace = "5 s";  // what the hub gives where nobody says otherwise

}  // namespace

int exit_code_of(const ring::Lifecycle& life, const std::string& what) {
    switch (life.exit_kind) {
        case ring::ExitKind::exited:
            return life.exit_value;
        case ring::ExitKind::signaled:
            return kSignalBase + life.exit_value;
        case ring::ExitKind::not_started:
            say(what + " could not be started: " + os::error_text(life.exit_value));
            return code(life.exit_value == ENOENT ? Exit::no_program : Exit::not_executable);
        case ring::ExitKind::none:
        case ring::ExitKind::unknown:
            say("how " + what + " ended is not known: whoever could have seen it was killed");
            return code(Exit::failed);
    }
    return code(Exit::failed);
}

RunSession::RunSession(const Context& context, RunOptions options)
    : context_{context},
      options_{std::move(options)},
      signals_{SIGINT, SIGTERM, SIGHUP, SIGWINCH},
      signal_watch_{loop_, signals_.get(), POLLIN, [this](short) { on_signal(); }},
      hub_{loop_, context},
      out_{loop_, STDOUT_FILENO, {[this] { on_room(); }, [this] { finish(code(Exit::done)); }}},
      error_{loop_, STDERR_FILENO, {[this] { on_room(); }, [] {}}} {}

int RunSession::run() {
    hub_.ask(start_request(context_, options_), [this](const Answer& answer) { on_started(answer); });
    loop_.run();
    return exit_code_.value_or(code(Exit::failed));
}

void RunSession::on_started(const Answer& answer) {
    if (answer.exit == Exit::failed && !answer.lost)
        throw Failure{exit_for_refused_start(context_, options_), answer.text};
    const auto result = json::parse(required(answer).result);
    const auto& process = result.at("process");
    name_ = printable(process.value("name", ""));
    const auto id = process.at("id").get<std::string>();
    const auto run = process.value("run", 0u);
    if (result.value("already_running", false)) {
        const auto pid = process.value("pid", json{});
        say(name_ + " (" + id + ") is already running" + (pid.is_number() ? ", pid " + pid.dump() : "") +
            "; showing its output from the beginning of the run");
    }
    say_sandbox(result);
    follow(id, result.value("begin_cursor", std::uint64_t{0}), run);
}

void RunSession::follow(const std::string& id, std::uint64_t cursor, std::uint32_t run) {
    id_ = id;
    Follower::Start start;
    start.process = rundir::find_process_number(id).value_or(0);
    start.cursor = cursor;
    start.run = run;
    follower_ = std::make_unique<Follower>(
        loop_, context_.home, start,
        Follower::Owner{
            .has_room = [this] { return has_room(); },
            .on_piece = [this](const ring::Piece& piece) { on_piece(piece); },
            .on_restart =
                [](const ring::Lifecycle& life) { say("restarted (run " + std::to_string(life.run) + ")"); },
            .on_idle = {},
            .on_run_end = [this] { on_end_while_asking(); },
            .on_end = [this](const ring::Lifecycle& life) { on_end(life); }});
    if (options_.pass_stdin) pass_stdin();
    follower_->look();
}

void RunSession::pass_stdin() {
    const auto on_refused = [this](const Answer& answer) {
        const bool ended =
            follower_->lifecycle() && follower_->lifecycle()->state == ring::LifeState::finished;
        if (!ended && !exit_code_) say("standard input is not passed on any more: " + answer.text);
    };
    stdin_ = std::make_unique<StdinPump>(loop_, hub_, id_, StdinPump::Owner{[] {}, on_refused});
}

bool RunSession::has_room() const {
    return !exit_code_ && !prompt_ && !out_.busy() && !error_.busy();
}

void RunSession::on_piece(const ring::Piece& piece) {
    if (piece.lost > 0) losses_.add(piece.lost);
    const bool to_error = piece.stream == ring::Stream::err || piece.stream == ring::Stream::note;
    (to_error ? error_ : out_).put(piece.text());
}

void RunSession::on_room() {
    if (exit_code_) return finish(*exit_code_);
    if (follower_) follower_->look();
}

void RunSession::on_end(const ring::Lifecycle& lifecycle) {
    const std::string what =
        options_.command.empty() ? name_ : "'" + printable(options_.command.front()) + "'";
    finish(exit_code_of(lifecycle, what));
}

/// Ends the session once what was shown has been written.
void RunSession::finish(int exit_code) {
    exit_code_ = exit_code;
    prompt_.reset();
    losses_.finish();
    if (!out_.busy() && !error_.busy()) loop_.stop();
}

void RunSession::on_signal() {
    while (const auto signal = signals_.try_read()) {
        if (signal->ssi_signo == SIGINT) {
            on_interrupt();
            continue;
        }
        if (signal->ssi_signo == SIGWINCH) {
            resize();
            continue;
        }
        exit_code_ = kSignalBase + static_cast<int>(signal->ssi_signo);
        loop_.stop();
    }
}

/// The child's terminal follows ours; what the hub answers changes nothing.
void RunSession::resize() {
    const auto size = find_terminal_size();
    if (!options_.terminal || !follower_ || exit_code_ || !size) return;
    const json arguments{{"process", id_}, {"rows", size->rows}, {"cols", size->columns}};
    try {
        hub_.ask("resize_pty", arguments.dump(), [](const Answer&) {});
    } catch (const Failure&) {  // no hub: the next change of size tells it
    }
}

void RunSession::on_interrupt() {
    if (exit_code_) return loop_.stop();  // only the writing is left, and nobody wants it
    if (!follower_) {
        say("the hub has been asked to start it and has not answered; 'pp ls' shows what came of it");
        exit_code_ = kSignalBase + SIGINT;
        return loop_.stop();
    }
    if (prompt_) return detach();  // a second Ctrl-C
    switch (options_.on_exit) {
        case OnExit::stop:
            return stop(stop_asked_);
        case OnExit::detach:
            return detach();
        case OnExit::ask:
            break;
    }
    if (!KeyPrompt::can_ask()) return detach();
    ask();
}

/// Nothing is shown while a key is waited for: it would tear the question apart.
void RunSession::ask() {
    if (stdin_) stdin_->pause(true);
    prompt_ = std::make_unique<KeyPrompt>(loop_, [this](Choice choice) { on_choice(choice); });
    follower_->hold(true);
}

void RunSession::stop_asking() {
    prompt_.reset();
    if (stdin_) stdin_->pause(false);
    follower_->hold(false);
}

/// There is nothing left to choose: what is still to be shown comes, and then the end.
void RunSession::on_end_while_asking() {
    prompt_.reset();
    say(name_ + " has ended meanwhile");
    stop_asking();
}

void RunSession::on_choice(Choice choice) {
    switch (choice) {
        case Choice::detach:
            return detach();
        case Choice::stop:
            stop(stop_asked_);
            break;
        case Choice::keep:
            break;
    }
    stop_asking();
}

/// What has ended is not left: its end is shown instead.
void RunSession::detach() {
    if (follower_->run_has_ended()) return stop_asking();
    prompt_.reset();
    losses_.finish();
    const auto& life = follower_->lifecycle();
    const bool stopping = life && life->state == ring::LifeState::stopping;
    say(name_ + " (" + id_ + ") is " +
        (stopping ? "being stopped; how it ends says: pp status "
                  : "left running; come back with: pp logs -f ") +
        (name_.empty() ? id_ : name_));
    exit_code_ = code(Exit::done);
    loop_.stop();
}

/// `again` is for somebody who has asked already and will not wait for the grace to pass.
void RunSession::stop(bool again) {
    if (!std::exchange(stop_asked_, true))
        say(name_ + " is being stopped; KILL follows in " + kGrace + ", or at once after Ctrl-C" +
            (options_.on_exit == OnExit::ask ? " and s" : " again"));
    json arguments{{"process", id_}};
    if (again) arguments["force"] = true;
    try {
        hub_.ask("stop", arguments.dump(),
                 [this, again](const Answer& answer) { on_stopped(answer, again); });
    } catch (const Failure& failure) {
        say(failure.what());
    }
}

void RunSession::on_stopped(const Answer& answer, bool again) {
    if (exit_code_) return;
    if (answer.lost) return stop(again);  // to stop what is stopped does no harm
    if (answer.exit != Exit::done) return say(answer.text);
    const auto result = json::parse(answer.result, nullptr, false);
    if (!result.is_object() || !result.contains("survivors")) return;
    for (const auto& survivor : result["survivors"])
        say("still alive: pid " + survivor.value("pid", json{}).dump() + " " +
            printable(survivor.value("command", "")));
}

}  // namespace pp::cli
