#include "shim/shim.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "protocol/rundir/process_files.h"
#include "shim/clock.h"
#include "shim/find_pipes.h"
#include "shim/log.h"
#include "shim/main_exit.h"
#include "shim/stop_order.h"

namespace pp::shim {
namespace {

using rundir::EventKind;
using std::chrono::milliseconds;
using wire::HeldKind;

constexpr auto kCheckpointAfter = std::chrono::seconds{1};
constexpr auto kCheckpointAgainAfter = std::chrono::seconds{10};  // one that the disk refused
constexpr auto kAcceptAgainAfter = std::chrono::seconds{1};
constexpr milliseconds kFirstPause{500};  // before what the disk refused is tried again: nobody tells when it has room
constexpr milliseconds kLongestPause{30'000};
constexpr auto kKillPatience = std::chrono::seconds{5};  // what SIGKILL has not ended by then is stuck in the kernel

rundir::Launch load_launch(const rundir::Home& home, std::uint64_t process) {
    auto launch = rundir::find_launch(home.launch(process));
    if (!launch) throw std::runtime_error("launch file " + home.launch(process) + " is missing");
    return *launch;
}

ring::Writer::Paths writer_paths(const rundir::Home& home, std::uint64_t process) {
    return {home.state_page(process), home.ring(process), home.heads(process)};
}

std::uint64_t log_capacity(const rundir::Launch& launch) {
    return launch.log_capacity == 0 ? ring::kDefaultCapacity : launch.log_capacity;
}

}  // namespace

bool remove_names_of_cleared(const rundir::Home& home, std::uint64_t process) {
    if (::access(home.process(process).c_str(), F_OK) == 0 || errno != ENOENT) return false;
    ::unlink(home.state_page(process).c_str());
    ::unlink(home.shim_socket(process).c_str());
    return true;
}

Shim::Shim(Setup setup)
    : home_{std::move(setup.home)},
      process_{setup.process},
      signals_{SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ},
      hold_{home_.hold()},
      launch_{load_launch(home_, process_)},
      before_{rundir::read_process_files(home_, process_).lifecycle()},
      writer_{ring::Writer::open(writer_paths(home_, process_), process_, log_capacity(launch_))},
      record_{home_, process_, writer_, before_},
      streams_{loop_, writer_,
               {[this] { on_output(); }, [this] { on_pipe_end(); },
                [this] { record_.append(EventKind::input_closed); },
                [this](std::uint64_t token, std::uint64_t taken, const std::string& error) {
                    answer(token, error, taken);
                }}},
      tree_{loop_, home_, process_, [this] { on_tree_change(); }},
      grace_timer_{loop_, [this] { apply(Event::grace_over); }},
      kill_timer_{loop_, [this] { apply(Event::kill_over); }},
      checkpoint_timer_{loop_,
                        [this] {
                            if (!writer_.checkpoint(false)) checkpoint_timer_.set(kCheckpointAgainAfter);
                        }},
      accept_timer_{loop_, [this] { listener_watch_->pause(false); }},
      refused_timer_{loop_, [this] { retry_refused(); }},
      refused_pause_{kFirstPause} {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_TIMERSLACK, 1000);  // ns: the pauses of capture are 200 µs
    signal_watch_ = std::make_unique<os::Loop::Watch>(loop_, signals_.get(), POLLIN, [this](short) { on_child_signal(); });

    ring::StatePage& page = writer_.page();
    const bool has_live_run = life_.run > 0 && !record_.has_ended();
    const bool succeeds = setup.takeover || has_live_run;

    listen();
    refuse_cleared();
    keeper_ = std::make_unique<KeeperLink>(loop_, home_, process_, page.fd(), std::move(setup.birth),
                                           KeeperLink::Callbacks{[this] {
                                                                     if (main_) on_main_ended();
                                                                 },
                                                                 [this] { on_new_keeper(); },
                                                                 [this](const std::string& trouble) {
                                                                     log(home_, process_, trouble);
                                                                 }});
    streams_.use(*keeper_);
    hub_ = std::make_unique<HubLink>(
        loop_, home_, process_, record_.events(), page, std::move(setup.speaks),
        HubLink::Callbacks{[this](const wire::StartRun& request) { on_start(request); },
                           [this](const wire::Stop& request) { on_stop(request); },
                           [this](const wire::Signal& request) { on_signal(request); },
                           [this](wire::Input request) { on_input(std::move(request)); },
                           [this](const wire::CancelInput& request) { streams_.cancel_input(request.input); },
                           [this](const wire::Resize& request) { on_resize(request); },
                           [this] { is_handing_over_ = true; },
                           [this] { on_release(); },
                           [this] { said_bye_ = is_handing_over_ = offered_hand_over_ = false; }});
    record_.on_event([this](const rundir::Event& event) { hub_->send_event(event); });
    life_.shim_pid = ::getpid();
    if (succeeds) {
        resume();
    } else {
        state_ = {life_.run == 0 ? Phase::idle : Phase::finished, false};
        apply(Event::start_requested);
    }
    // the socket is bound: a hub that listens from now on kicks, one that listened before is in hub.epoch
    hub_->look_for_hub();
    loop_.on_prepare([this] {
        const bool more = hub_->drain();
        if (record_.is_owed() && !refused_timer_.armed()) refused_timer_.set(refused_pause_);
        return consider_ending() || consider_handing_over() || more;
    });
}

Shim::~Shim() = default;

void Shim::listen() {
    auto listener = os::listen_seqpacket(home_.shim_socket(process_));
    listener_watch_.reset();
    listener_ = std::move(listener);
    listener_watch_ = std::make_unique<os::Loop::Watch>(loop_, listener_.get(), POLLIN, [this](short) { on_socket(); });
}

void Shim::refuse_cleared() {
    if (remove_names_of_cleared(home_, process_)) throw std::runtime_error("the process was cleared");
}

// Beginning ------------------------------------------------------------------------------------------------------------

/// Goes on where a dead shim stopped.
void Shim::resume() {
    ++life_.generation;
    writer_.set_generation(static_cast<std::uint16_t>(life_.generation));
    if (writer_.has_made_page() && !record_.has_ended()) recall_main();
    auto held = keeper_->claim();
    find_foster_parents();
    if (life_.run == 0) {
        state_ = {Phase::idle, false};
        return apply(Event::start_requested);
    }
    const bool was_stopping = life_.stop_requested != 0 && life_.state != ring::LifeState::finished;
    if (life_.state == ring::LifeState::starting && newest_child().rule_out(life_.run, life_.generation)) {
        // the old shim died before it could start the child: nothing of this run exists but pipes that nobody has
        streams_.forget(held, life_.run);
        streams_.reclaim(std::move(held), 0);
        --life_.run;
        if (life_.restarts > 0) --life_.restarts;
        state_ = {life_.run == 0 ? Phase::idle : Phase::finished, false};
        return apply(Event::start_requested);
    }
    streams_.reclaim(std::move(held), record_.has_ended() ? 0 : life_.run);
    state_ = resumed(!record_.has_ended(), was_stopping, life_.start_next != 0);
    writer_.page()->unreachable.store(streams_.find_lost(tree_.pids(record_.has_ended() ? 0 : life_.main_pid)));
    record_.append(EventKind::taken_over);
    life_.drained = 0;  // the dead shim may not have come to tell it
    if (record_.has_ended()) {
        tree_.scan(0);
        record_.tell_exit();
    } else {
        resume_main();
    }
    record_.publish();
    resume_stop();
    if (!main_ && tree_.empty()) apply(Event::tree_gone);
    if (record_.has_ended()) on_pipe_end();
}

/// The page was lost with all of us, and main lives: what it said besides is asked of main.
void Shim::recall_main() {
    newest_child().recall(life_.run, life_.main_pid);
    const auto sources = recall_sources(life_.main_pid, life_.run, launch_);
    std::copy(sources.begin(), sources.end(), writer_.page()->sources);
}

/// Orphans of a dead shim are the keeper's, and those of a dead keeper its parent's.
void Shim::find_foster_parents() {
    const pid_t keeper = keeper_->keeper_pid();
    if (keeper <= 0) return;
    tree_.add_foster_parent(keeper);
    if (const auto stat = os::find_proc_stat(keeper); stat && stat->parent > 0) tree_.add_foster_parent(stat->parent);
}

void Shim::resume_main() {
    if (life_.main_pid == 0 || life_.state == ring::LifeState::starting) {  // killed between vfork and the record of it
        life_.main_pid = newest_child().pid();
        const auto stat = os::find_proc_stat(life_.main_pid);
        life_.main_start_time = stat ? stat->start_time : 0;
        life_.state = ring::LifeState::running;
        if (life_.started_at_ns == 0) life_.started_at_ns = now_ns();
    }
    record_.append_once(EventKind::started);
    auto found = life_.main_pid > 0 ? os::PidFd::find(life_.main_pid) : std::nullopt;
    const auto stat = found ? os::find_proc_stat(life_.main_pid) : std::nullopt;
    if (!stat || stat->start_time != life_.main_start_time) {
        main_ = os::PidFd{os::UniqueFd{}, life_.main_pid};  // gone and reaped: what is known of it is on record, or nothing
        return on_main_ended();
    }
    main_ = std::move(*found);
    main_watch_ = std::make_unique<os::Loop::Watch>(loop_, main_.get(), POLLIN, [this](short) { on_main_ended(); });
    keeper_->deposit(HeldKind::child, life_.run, ring::Stream::merged, main_.get(), main_.pid(), life_.main_start_time);
}

/// What the stop was that the dead shim was at: the signal, if it may not have been sent, and what is left of the grace.
void Shim::resume_stop() {
    if (state_.phase != Phase::stopping && state_.phase != Phase::clearing) return;
    const StopOrder order = load_stop_order(writer_.page());
    stop_signal_ = order.signal;
    grace_ = order.left;
    if (state_.phase == Phase::clearing)
        terminate_rest();
    else if (!order.sent)
        send_stop_signal();
    if (state_.phase == Phase::stopping || state_.phase == Phase::clearing) arm_grace();
}

void Shim::begin_run() {
    ring::StatePage& page = writer_.page();
    if (life_.run > 0) {
        ++life_.restarts;
        try {
            launch_ = load_launch(home_, process_);  // it may have been replaced since
        } catch (const std::exception&) {
            // damaged meanwhile: the one that the last run was started from still holds
        }
    }
    const ring::Lifecycle before = life_;
    life_ = ring::Lifecycle{};
    life_.run = before.run + 1;
    life_.restarts = before.restarts;
    life_.generation = before.generation;
    life_.shim_pid = ::getpid();
    life_.dropped_bytes = before.dropped_bytes;
    life_.state = ring::LifeState::starting;
    life_.start_cursor = writer_.tail();
    life_.started_at_ns = now_ns();
    newest_child().forget_pid();
    page->unreachable.store(0);
    static_cast<void>(ring::store_orphan(page.fd(), {}));  // of a page that is mapped and allocated
    record_.publish();
    writer_.begin_run(life_.run);

    Pipes pipes;
    try {
        pipes = make_pipes(launch_, terminal_size_.value_or(TerminalSize{launch_.rows, launch_.columns}));
    } catch (const std::system_error& error) {
        return fail_start(error.code().value(), "make pipes");
    }
    // before the child runs: whatever happens to us from now on, it will not notice
    streams_.deposit(pipes, life_.run);

    auto spawned = spawn(home_, launch_, life_.run, pipes, page);
    if (spawned.error != 0) {
        streams_.withdraw(pipes, life_.run);
        return fail_start(spawned.error, spawned.failed);
    }

    main_ = std::move(spawned.main);
    life_.main_pid = main_.pid();
    life_.main_start_time = spawned.start_time;
    life_.state = ring::LifeState::running;
    record_.append(EventKind::started);
    keeper_->deposit(HeldKind::child, life_.run, ring::Stream::merged, main_.get(), main_.pid(), life_.main_start_time);
    main_watch_ = std::make_unique<os::Loop::Watch>(loop_, main_.get(), POLLIN, [this](short) { on_main_ended(); });
    streams_.begin(std::move(pipes), life_.run);
    for (const auto token : std::exchange(start_tokens_, {})) answer(token, {}, life_.run);
}

void Shim::fail_start(int error, const char* failed) {
    life_.state = ring::LifeState::finished;
    life_.exit_kind = ring::ExitKind::not_started;
    life_.exit_value = error;
    life_.ended_at_ns = now_ns();
    life_.end_cursor = writer_.tail();
    auto event = record_.event(EventKind::start_failed);
    std::strncpy(event.text, failed, sizeof event.text - 1);
    record_.append(event);
    for (const auto token : std::exchange(start_tokens_, {}))
        answer(token, std::string{"could not "} + failed + ": " + os::error_text(error));
    apply(Event::start_failed);
    on_pipe_end();
}

// Deciding and doing ---------------------------------------------------------------------------------------------------

void Shim::apply(Event event) {
    const Step decided = step(state_, event, {static_cast<bool>(main_), !tree_.empty()});
    state_ = decided.state;
    const std::uint32_t next = state_.start_next ? 1 : 0;
    // that a run is wanted stands in the page until there is one
    if (std::exchange(life_.start_next, next) != next && decided.action != Action::spawn) record_.publish();
    perform(decided.action);
}

void Shim::perform(Action action) {
    switch (action) {
        case Action::none:
        case Action::refuse_running:
        case Action::record_exit: return;  // recorded by on_main_ended, whatever was decided
        case Action::record_exit_and_terminate_rest: return terminate_rest();
        case Action::spawn: return begin_run();
        case Action::signal_main: return signal_main();
        case Action::terminate_rest:
            arm_grace();
            return terminate_rest();
        case Action::kill_all: return kill_all();
        case Action::report_stop: return finish_stop();
        case Action::report_stop_and_spawn:
            finish_stop();
            return apply(Event::start_requested);
        case Action::note_tree_gone:
            return record_.append_once(EventKind::tree_gone);
    }
}

void Shim::arm_grace() {
    if (grace_.count() > 0)
        grace_timer_.set(std::chrono::duration_cast<os::Loop::Clock::duration>(grace_));
    else
        apply(Event::grace_over);
}

/// To main's group, as a terminal does. Main is our child or held by pidfd, and not reaped: its number is its own.
void Shim::signal_main() {
    life_.stop_requested = 1;
    life_.state = ring::LifeState::stopping;
    store_stop_order(writer_.page(), stop_signal_, grace_);
    auto event = record_.event(EventKind::stop_requested);
    event.signal = stop_signal_;
    record_.append(event);
    send_stop_signal();
    arm_grace();
}

void Shim::send_stop_signal() {
    if (grace_.count() > 0 && main_ && !main_.ended()) ::kill(-main_.pid(), stop_signal_);
    writer_.page()->stop_sent.store(1);
}

void Shim::terminate_rest() {
    tree_.scan(main_ ? main_.pid() : 0);
    if (tree_.empty() && !main_) return apply(Event::tree_gone);
    tree_.send_signal(SIGTERM);
}

void Shim::kill_all() {
    tree_.scan(main_ ? main_.pid() : 0);
    tree_.send_signal(SIGKILL);
    if (main_) ::kill(main_.pid(), SIGKILL);  // ours or held, and not reaped; EPERM: it is another user's by now
    tree_.scan(main_ ? main_.pid() : 0);  // who was forked while we looked
    tree_.send_signal(SIGKILL);
    kill_timer_.set(std::chrono::duration_cast<os::Loop::Clock::duration>(kKillPatience));
    if (!main_ && tree_.empty()) apply(Event::tree_gone);
}

/// The tree is gone, or what remains of it cannot be ended and is named; a main that cannot be ended runs on. Where a run
/// is to follow, the process has not finished: whoever follows it waits for that run.
void Shim::finish_stop() {
    grace_timer_.clear();
    kill_timer_.clear();
    life_.survivors = static_cast<std::uint32_t>(tree_.size() + (main_ ? 1 : 0));
    life_.descendants = static_cast<std::uint32_t>(tree_.size());
    if (main_) life_.state = ring::LifeState::running;
    else if (!state_.start_next) life_.state = ring::LifeState::finished;
    if (!main_ && tree_.empty()) {
        streams_.take_last_words(life_.run);  // and its end: nobody writes any more
        record_.append_once(EventKind::tree_gone);
        on_pipe_end();
    }
    record_.publish();
    const auto main = main_ ? std::to_string(main_.pid()) + " " + os::command_line(main_.pid()) + "\n" : "";
    for (const auto token : std::exchange(stop_tokens_, {})) answer(token, {}, life_.survivors, main + tree_.text());
    if (!main_) return;
    for (const auto token : std::exchange(start_tokens_, {}))
        answer(token, "the run before cannot be ended: pid " + std::to_string(main_.pid()) + " took no SIGKILL");
}

// What happens ---------------------------------------------------------------------------------------------------------

/// Whoever of our uid connects kicks: what a connection says is for versions to come, and is not waited for.
void Shim::on_socket() {
    auto end = os::AcceptEnd::nothing_waits;
    while (os::accept_own_uid(listener_.get(), end)) {
        hub_->look_for_hub();
        keeper_->ensure();
    }
    if (end == os::AcceptEnd::nothing_waits) return;
    listener_watch_->pause(true);  // no descriptors: who waits would wake us without end
    accept_timer_.set(kAcceptAgainAfter);
}

void Shim::on_child_signal() {
    bool names_may_be_gone = false;
    while (const auto info = signals_.try_read()) {
        // TERM, INT: a shim ends with its process, not before. CHLD: below.
        names_may_be_gone = names_may_be_gone || info->ssi_signo == SIGHUP;
    }
    if (names_may_be_gone) restore_names();
    while (true) {
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) != 0 || info.si_pid == 0) return;
        if (main_ && info.si_pid == main_.pid()) {
            on_main_ended();
            if (main_) return;
            continue;
        }
        ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);  // a grandchild that came to us
    }
}

void Shim::on_main_ended() {
    if (main_.get() >= 0 && !main_.ended()) return;  // an old main was meant
    const auto exit = find_main_exit(main_, life_.main_start_time, writer_.page(), keeper_->keeper_pid());
    if (!exit) {
        if (main_watch_) main_watch_->pause(true);  // the keeper, its parent now, is about to tell
        return;
    }
    record_exit(*exit);
}

/// Exit first, then drain: what main wrote is in the pipe by now, so a bounded look takes all of it, however long a
/// descendant holds the pipe open. Recorded, then told, then reaped.
void Shim::record_exit(const ring::OrphanExit& exit) {
    streams_.take_last_words(life_.run);
    life_.exit_kind = exit.kind;
    life_.exit_value = exit.value;
    life_.core_dumped = exit.core_dumped;
    life_.user_us = exit.user_us;
    life_.system_us = exit.system_us;
    life_.max_resident_kib = exit.max_resident_kib;
    life_.ended_at_ns = exit.ended_at_ns;
    life_.end_cursor = writer_.tail();
    if (state_.phase == Phase::running) life_.state = ring::LifeState::finished;
    const os::PidFd ended = std::move(main_);
    main_ = {};
    main_watch_.reset();
    tree_.scan(0);
    life_.descendants = static_cast<std::uint32_t>(tree_.size());
    record_.tell_exit();
    if (ended.get() >= 0) ended.reap();
    newest_child().forget_pid();
    keeper_->withdraw(HeldKind::child, life_.run, ring::Stream::merged);
    record_.save_exit();
    streams_.close_input("the process has ended");
    apply(Event::main_exited);
    if (!main_ && tree_.empty()) apply(Event::tree_gone);
    on_pipe_end();
}

void Shim::on_pipe_end() {
    if (record_.has_ended() && streams_.at_end()) record_.tell_drained();
}

void Shim::on_tree_change() {
    life_.descendants = static_cast<std::uint32_t>(tree_.size());
    record_.publish();
    if (!main_ && tree_.empty()) apply(Event::tree_gone);
}

void Shim::on_output() {
    if (!checkpoint_timer_.armed()) checkpoint_timer_.set(kCheckpointAfter);
    if (writer_.capture_error() != static_cast<int>(life_.capture_error) || has_read_fallback() != (life_.read_fallback != 0) ||
        writer_.dropped_bytes() != life_.dropped_bytes)
        note_capture_faults();
    hub_->on_output(writer_.tail());
}

bool Shim::has_read_fallback() const { return writer_.read_fallback() || streams_.terminal_fallback(); }

void Shim::note_capture_faults() {
    const bool changed = writer_.capture_error() != static_cast<int>(life_.capture_error);
    life_.capture_error = static_cast<std::uint32_t>(writer_.capture_error());
    life_.read_fallback = has_read_fallback() ? 1 : 0;
    life_.dropped_bytes = writer_.dropped_bytes();
    if (!changed) return record_.publish();
    auto event = record_.event(EventKind::capture_fault);
    event.exit_value = writer_.capture_error();
    record_.append(event);
}

void Shim::on_new_keeper() {
    find_foster_parents();  // to whom orphans went while we started that keeper, too
    streams_.deposit_all();
    if (main_)
        keeper_->deposit(HeldKind::child, life_.run, ring::Stream::merged, main_.get(), main_.pid(), life_.main_start_time);
    // the dead keeper may have been about to tell how main ended
    if (main_ && main_.ended()) on_main_ended();
}

/// Somebody has found that the run directory was wiped, or a part of it, and says so by SIGHUP: what bears a name there gets
/// it again, and the hub that listens now is greeted.
void Shim::restore_names() {
    try {
        home_.prepare();
        hold_ = home_.hold();
        restore_page();
        listen();
        log(home_, process_, "its names in " + home_.run() + " are there again");
    } catch (const std::exception& error) {
        log(home_, process_, std::string{"its names in the run directory could not be restored: "} + error.what());
    }
    keeper_->ensure();
    hub_->greet();
}

/// Followers sleep on the old page: they wake, see that it has no name, and take the new one.
void Shim::restore_page() {
    ring::StatePage& page = writer_.page();
    if (page.is_at(home_.state_page(process_))) return;
    ring::StatePage other = page.restore(home_.state_page(process_));
    std::swap(page, other);
    keeper_->use_page(page.fd());
    other.wake();
}

// Ending ---------------------------------------------------------------------------------------------------------------

void Shim::retry_refused() {
    refused_pause_ = record_.save_owed() ? kFirstPause : std::min(refused_pause_ * 2, kLongestPause);
}

/// Finished, nobody of the tree lives, every pipe at its end, and all told: then there is nothing left to do. Looked at
/// before every sleep, so that what happened in between has been told in its order. True if there was something to say.
bool Shim::consider_ending() {
    if (state_.phase != Phase::finished || main_ || !tree_.empty() || !streams_.at_end() || said_bye_) return false;
    if (!hub_->connected()) {  // the events are on disk for whoever comes; if the disk refused them, they are here
        if (record_.all_stored()) end();
        return false;
    }
    if (hub_->owes_acknowledgement()) return false;
    said_bye_ = true;
    hub_->say_bye(false);
    return true;
}

/// Asked to make room for a successor: not while input waits, whose sender could not be told what was taken of it, and not
/// before the keeper has all.
bool Shim::consider_handing_over() {
    if (!is_handing_over_ || offered_hand_over_ || !can_hand_over()) return false;
    offered_hand_over_ = true;
    hub_->say_bye(true);
    return true;
}

/// Behind all that the hub sent before it: nothing of that is lost.
void Shim::on_release() {
    if (said_bye_) return end();
    if (std::exchange(offered_hand_over_, false) && can_hand_over()) hand_over();
}

/// What the disk has refused of its events is in its memory alone: then as little as it may end.
bool Shim::can_hand_over() {
    return !streams_.has_waiting_input() && keeper_->has_everything() &&
           (record_.all_stored() || !hub_->owes_acknowledgement());
}

/// Without a goodbye: the keeper starts the successor, which has all from the page and the keeper's hands.
void Shim::hand_over() {
    is_handing_over_ = false;  // the turn is ended first, and offers nothing more
    record_.publish();
    writer_.checkpoint(false);
    loop_.stop();
}

void Shim::end() {
    record_.save_owed();
    writer_.checkpoint(true);
    ::unlink(home_.shim_socket(process_).c_str());
    keeper_->say_goodbye();
    loop_.stop();
}

}  // namespace pp::shim
