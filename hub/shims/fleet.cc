#include "hub/shims/fleet.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include "hub/shims/shim_process.h"
#include "hub/shims/succession.h"
#include "hub/token.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "protocol/wire/shim_socket.h"

namespace pp::hub {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Whatever is asked of one that hangs is still answered, by the one that comes in its place.
constexpr seconds kBeginLimit =
    2 * kPatience + seconds{10};  // from asking for a shim to the run's first event, besides the grace
constexpr seconds kAnswerLimit = kPatience + seconds{10};  // beyond the grace that a command itself may take
constexpr seconds kInputPatience{
    10};  // for a process to read its stdin; then its sender is told that it does not
constexpr seconds kSuccessionLimit{2};  // for the keeper to tell that it started a successor
constexpr seconds kWorthSaying{1};      // of silence
constexpr seconds kNameLimit{2};        // for shims to put back what was removed from the run directory

}  // namespace

/// A run that was ordered and has not begun yet.
struct Fleet::Begin {
    RunOrder order;
    std::function<void(const std::string&)> then;
    bool spawning = false;  ///< the keeper was asked
    bool spawned = false;   ///< its new shim begins the run by itself
    bool sent = false;      ///< the shim that is there was told
    std::unique_ptr<EventLoop::Timer> limit;
};

Fleet::Fleet(Parts parts, wire::Context& context, std::uint64_t epoch)
    : parts_{parts},
      epoch_{epoch},
      keeper_{parts.loop,
              parts.worker,
              parts.home,
              parts.log,
              {[this](std::uint64_t process, KeeperClient::Gone how) { on_shim_gone(process, how); },
               [this] { on_keeper_lost(); }},
              {}},
      name_limit_{parts.loop, [this] { note_named(0); }},
      roster_{parts.loop,
              parts.log,
              parts.home.shims_socket(),
              context,
              epoch,
              {[this](std::uint64_t process) { return parts_.history.last_event(process); },
               [this](std::uint64_t process) { on_hello(process); },
               [this](std::uint64_t process, const rundir::Event& event) { on_event(process, event); },
               [this](std::uint64_t process) { on_death(process); },
               [this](std::uint64_t process) { on_hung(process); }}} {}

Fleet::~Fleet() = default;

// Finding
// --------------------------------------------------------------------------------------------------------------

void Fleet::adopt(std::function<void()> then) {
    keeper_.connect_if_there();
    bool any_lives = false;
    std::vector<std::uint64_t> nameless;
    for (const auto process : parts_.registry.numbers()) {
        const auto& files = parts_.registry.files(process);
        any_lives |= files.held;
        const bool has_page = files.state || !files.page_damage.empty();
        if (files.held && (!kick(process) || !has_page)) nameless.push_back(process);
        if (files.held) await_shim(process, kSuccessionLimit);
        if (!files.held && needs_shim(files)) want_shim(process);
    }
    if (any_lives) keeper_.ensure();
    then_adopted_ = std::move(then);
    restore_names(nameless);
    if (!nameless_.empty()) return name_limit_.set(kNameLimit);
    note_named(0);
}

/// Of 0: the time is over.
void Fleet::note_named(std::uint64_t process) {
    nameless_.erase(process);
    if (process == 0) nameless_.clear();
    if (!nameless_.empty()) return;
    name_limit_.clear();
    if (const auto then = std::exchange(then_adopted_, nullptr)) then();
}

/// A shim says Hello when it has done that. One of before there was this does not hear it, and neither does
/// one that hangs: that is found when somebody asks for it.
void Fleet::restore_names(const std::vector<std::uint64_t>& processes) {
    if (processes.empty()) return;
    const auto pids = find_shim_pids();
    for (const auto process : processes) {
        const auto shim = find_shim_among(pids, parts_.home, process, 0);
        if (!shim || !call_to_restore_names(*shim)) continue;
        parts_.log.say(rundir::process_id(process) +
                       ": its page or socket was removed from the run directory; its shim (pid " +
                       std::to_string(shim->pid()) + ") puts it back");
        nameless_.insert(process);
    }
    parts_.on_names_gone();
}

/// Tells the shim that a hub listens. False if it has no socket: one that is just starting will say Hello by
/// itself, for it binds its socket before it reads hub.epoch.
bool Fleet::kick(std::uint64_t process) {
    try {
        const auto socket = os::find_seqpacket(parts_.home.shim_socket(process));
        if (!socket) return false;
        wire::Kick kick;
        kick.epoch = epoch_;
        os::send_message(socket->get(), {reinterpret_cast<const std::byte*>(&kick), sizeof kick});
    } catch (const std::exception& error) {
        parts_.log.say(rundir::process_id(process) + " could not be told of this hub: " + error.what());
    }
    return true;
}

/// Its run has not ended as far as anybody recorded, its pipes may hold output still, or what it started
/// lives on.
bool Fleet::needs_shim(const rundir::ProcessFiles& files) const {
    if (files.held || !files.launch || !files.page_damage.empty()) return false;
    if (files.state && !files.state->this_boot) return false;
    const auto life = files.lifecycle();
    const bool has_ended = life.run == 0 || life.exit_kind != ring::ExitKind::none;
    if (!files.state) return !has_ended;  // its page went with all of us; main was seen
    return life.run > 0 && (!has_ended || life.drained == 0 || life.descendants > 0);
}

/// For what lives without one.
void Fleet::want_shim(std::uint64_t process) {
    if (roster_.presence(process) != Roster::Presence::absent || parts_.registry.has_forgotten(process))
        return;
    const auto& files = parts_.registry.refresh(process);
    if (files.held) return call_for(process);
    if (const auto doubt = parts_.registry.doubt(files); !doubt.empty())
        return roster_.give_up(process, "it has no shim, and gets none: " + doubt);
    if (!needs_shim(files))
        return roster_.give_up(process, "it has no shim, and none is needed: it has ended");
    keeper_.spawn(process, true, [this, process](int error, const std::string& problem) {
        if (error == 0 || error == EALREADY) return await_hello(process);
        const std::string why =
            "no shim could be started for it: " + (problem.empty() ? os::error_text(error) : problem);
        given_up_[process] = why;
        parts_.log.say(rundir::process_id(process) + ": " + why);
        parts_.history.note(HubEventKind::shim_given_up, process, why);
        roster_.give_up(process, why);
    });
}

// Who hangs
// ------------------------------------------------------------------------------------------------------------

void Fleet::look_at(std::uint64_t process) {
    if (roster_.presence(process) == Roster::Presence::absent && parts_.registry.files(process).held)
        return call_for(process);
    roster_.ping(process);
}

/// It lives, and has not said Hello to this hub.
void Fleet::call_for(std::uint64_t process) {
    if (roster_.presence(process) != Roster::Presence::absent) return;
    kick(process);
    await_hello(process);
}

/// It should say Hello soon. Where it has no socket when it has had time to make one, that was removed.
void Fleet::await_hello(std::uint64_t process) {
    if (roster_.presence(process) != Roster::Presence::absent) return;
    auto& patience = awaited_[process];
    const auto call_again = [this, process] {
        if (parts_.registry.has_forgotten(process)) return;
        const auto& files = parts_.registry.refresh(process);
        if (!files.held && needs_shim(files))  // what held its lock was a dead one's last fork, that was about to execute
            await_shim(process, milliseconds{0});
        else if (kick(process))
            parts_.on_names_gone();  // ours may be: it would not find us then
        else
            restore_names({process});
    };
    if (!patience)
        patience = std::make_unique<Patience>(
            parts_.loop, kPatience,
            Patience::Callbacks{call_again, [this, process] { look_for_hanging(process); }});
    patience->begin();
}

void Fleet::on_hung(std::uint64_t process) {
    end_hanging(process, find_shim(parts_.home, process, roster_.shim_pid(process), keeper_.keeper_pid()),
                "was asked and did not answer");
}

/// One that hangs before it says Hello: in the middle of a take-over, or since before this hub.
void Fleet::look_for_hanging(std::uint64_t process) {
    roster_.read_all();  // its Hello may wait here: it was us who did not look
    if (!awaited_.contains(process) || roster_.presence(process) != Roster::Presence::absent) return;
    awaited_.erase(process);
    end_hanging(process, find_shim_among(find_shim_pids(), parts_.home, process, keeper_.keeper_pid()),
                "should have said Hello and did not");
}

/// The keeper reaps it and starts its successor; where that does not know it, on_death asks for one.
void Fleet::end_hanging(std::uint64_t process, std::optional<os::PidFd> shim, const std::string& why) {
    const auto id = rundir::process_id(process);
    if (!shim) return parts_.log.say(id + ": its shim " + why + ", and cannot be found");
    parts_.log.say(id + ": its shim (pid " + std::to_string(shim->pid()) + ") " + why +
                   ": it hangs, and is killed");
    shim->send_signal(SIGKILL);
    if (roster_.shim_pid(process) == shim->pid()) return;  // its death is seen there
    Hunted& hunted = hunted_[process];
    hunted.death.reset();
    hunted.shim = std::move(*shim);
    hunted.death = std::make_unique<EventLoop::Watch>(parts_.loop, hunted.shim.get(),
                                                      EventLoop::Watch::For::reading, [this, process] {
                                                          hunted_.erase(process);
                                                          on_death(process);
                                                      });
}

// What shims say
// -------------------------------------------------------------------------------------------------------

void Fleet::on_hello(std::uint64_t process) {
    if (parts_.registry.has_forgotten(process)) return;
    orphaned_.erase(process);
    given_up_.erase(process);
    awaited_.erase(process);
    keeper_.ensure();  // a shim without a keeper has nobody to succeed it
    parts_.registry.refresh(process);
    note_named(process);
    end_upgrade(process, "");
    check_begun(process);
    if (const auto found = begins_.find(process); found != begins_.end()) {
        found->second->spawned = false;  // it took over what lived instead, so the run has to be asked for
        advance(process);
    }
}

void Fleet::on_event(std::uint64_t process, const rundir::Event& event) {
    if (parts_.registry.has_forgotten(process)) return roster_.acknowledge(process, event.number);
    const auto known = parts_.history.last_event(process);
    if (event.number > known + 1)
        parts_.log.say(rundir::process_id(process) + ": events " + std::to_string(known + 1) + " to " +
                       std::to_string(event.number - 1) + " are missing");
    if (!parts_.history.add(process, event)) roster_.acknowledge(process, event.number);
    parts_.registry.refresh(process);
    check_begun(process);
}

void Fleet::on_death(std::uint64_t process) {
    if (parts_.registry.has_forgotten(process)) return;
    parts_.registry.refresh(process);
    await_shim(process, keeper_.keeper_pid() > 0 ? kSuccessionLimit : milliseconds{0});
}

/// Its shim is to say Hello, or a keeper to tell of it, within this time; else it gets one.
void Fleet::await_shim(std::uint64_t process, milliseconds limit) {
    auto& timer = orphaned_[process];
    timer = std::make_unique<EventLoop::Timer>(parts_.loop, [this, process] {
        orphaned_.erase(process);
        if (parts_.registry.has_forgotten(process)) return;
        parts_.history.catch_up(process);
        want_shim(process);  // the keeper that would have told may have died with it
        if (begins_.contains(process)) advance(process);
    });
    timer->set(limit);
}

/// One that has a successor, which is about to say Hello, is waited for if somebody asks for it.
void Fleet::on_shim_gone(std::uint64_t process, KeeperClient::Gone how) {
    if (how == KeeperClient::Gone::succeeded) {
        awaited_.erase(process);  // this one has just begun to live
        if (roster_.is_asked(process) || begins_.contains(process) || successions_.contains(process))
            await_hello(process);
        return;
    }
    orphaned_.erase(process);
    awaited_.erase(process);
    if (parts_.registry.has_forgotten(process)) return keeper_.forget(process);  // a successor was on its way when it was cleared
    parts_.history.catch_up(process);
    if (!parts_.registry.knows(process)) return;
    if (how == KeeperClient::Gone::given_up) return on_given_up(process);
    parts_.registry.refresh(process);
    end_upgrade(process, "it has ended meanwhile", Upgrade::Result::left);
    check_begun(process);
    if (begins_.contains(process))
        advance(process);
    else
        roster_.give_up(process, "it has ended meanwhile");
}

/// What there is to say is in a file, for whoever looks. Where a shim lives all the same, only those that
/// tried to take its place have failed.
void Fleet::on_given_up(std::uint64_t process) {
    const auto& files = parts_.registry.refresh(process);
    if (files.held) return call_for(process);
    const auto given_up = rundir::find_given_up(parts_.home.given_up(process));
    const auto why =
        given_up ? given_up->why : "its shim failed to come up three times; see " + parts_.home.log("shim");
    parts_.log.say(rundir::process_id(process) + ": " + why);
    if (std::exchange(told_given_up_[process], why) != why)
        parts_.history.note(HubEventKind::shim_given_up, process, why);
    roster_.give_up(process, why);
    end_upgrade(process, why);
    end_begin(process, why);
}

/// Without a keeper nobody would start successors: a new one is started at once if there is anybody to keep.
/// Who has no shim gets one: the dead keeper tells of none any more. One whose shim we have not heard of yet
/// may lose it before it has said Hello to anybody.
void Fleet::on_keeper_lost() {
    bool any_lives = roster_.size() > 0;
    for (const auto process : parts_.registry.numbers()) {
        if (roster_.presence(process) != Roster::Presence::absent) continue;
        const auto& files = parts_.registry.refresh(process);
        if (!files.held && !needs_shim(files)) continue;
        any_lives = true;
        await_shim(process, files.held ? kSuccessionLimit : milliseconds{0});
    }
    if (!any_lives) return;
    parts_.log.say("the keeper has died; a new one is started");
    parts_.history.note(HubEventKind::keeper_lost);
    keeper_.ensure();
}

// Beginning a run
// ------------------------------------------------------------------------------------------------------

void Fleet::begin_run(std::uint64_t process, RunOrder order,
                      std::function<void(const std::string& problem)> then) {
    auto begin = std::make_unique<Begin>();
    begin->order = order;
    begin->then = std::move(then);
    begin->limit = std::make_unique<EventLoop::Timer>(parts_.loop, [this, process] {
        end_begin(process, "its shim did not begin the run in time; see " + parts_.home.log("shim"));
    });
    begin->limit->set(kBeginLimit + order.grace);
    if (begins_.contains(process)) return begin->then("another start of it is under way");
    given_up_.erase(process);
    parts_.registry.set_beginning(process, true);
    begins_[process] = std::move(begin);
    advance(process);
}

/// Does the next thing that brings the run nearer; called whenever something has changed.
void Fleet::advance(std::uint64_t process) {
    Begin& begin = *begins_.at(process);
    switch (roster_.presence(process)) {
        case Roster::Presence::newer:
            return end_begin(
                process,
                "its shim is of a newer pp, which this hub cannot command; restart the hub with that "
                "version");
        case Roster::Presence::leaving:
            return roster_.ping(process);  // it goes on when the keeper says that the shim is gone
        case Roster::Presence::connected: {
            if (begin.sent || begin.spawned) return;
            begin.sent = true;
            wire::StartRun start;
            start.run = begin.order.run;
            start.replace = begin.order.replace;
            start.signal = begin.order.signal;
            start.grace_ms = static_cast<std::uint32_t>(begin.order.grace.count());
            const auto limit = std::chrono::duration_cast<milliseconds>(kBeginLimit) + begin.order.grace;
            return roster_.send(process, start, limit, [this, process](const Roster::Answer& answer) {
                if (answer.kind == Roster::Answer::Kind::done) {
                    parts_.registry.refresh(process);
                    return check_begun(process);
                }
                end_begin(process, answer.text);
            });
        }
        case Roster::Presence::absent:
            break;
    }
    if (begin.spawning) return;
    if (begin.sent) return await_hello(process);  // a successor says Hello
    if (parts_.registry.refresh(process).held) return call_for(process);
    spawn_for(process);
}

void Fleet::spawn_for(std::uint64_t process) {
    Begin& begin = *begins_.at(process);
    begin.spawning = true;
    keeper_.spawn(process, false, [this, process](int error, const std::string& problem) {
        const auto found = begins_.find(process);
        if (found == begins_.end()) return;
        found->second->spawning = false;
        if (error != 0 && error != EALREADY)
            return end_begin(
                process, problem.empty() ? "no shim could be started: " + os::error_text(error) : problem);
        found->second->spawned = error == 0;
        await_hello(process);  // of the new one, or of an old one that is about to go, or to say Hello
    });
}

/// The page tells whether the run has begun, whoever began it.
void Fleet::check_begun(std::uint64_t process) {
    const auto found = begins_.find(process);
    if (found == begins_.end() || !parts_.registry.knows(process)) return;
    const auto& files = parts_.registry.files(process);
    if (!files.page_damage.empty()) return end_begin(process, files.page_damage);
    const auto life = files.lifecycle();
    const bool is_there = life.run >= found->second->order.run;
    const bool has_begun = life.state != ring::LifeState::starting || life.exit_kind != ring::ExitKind::none;
    if (is_there && has_begun) end_begin(process, "");
}

void Fleet::end_begin(std::uint64_t process, const std::string& problem) {
    auto begin = begins_.extract(process);
    if (begin.empty()) return;
    parts_.registry.set_beginning(process, false);
    begin.mapped()->then(problem);
}

// Commands
// -------------------------------------------------------------------------------------------------------------

void Fleet::stop(std::uint64_t process, wire::Stop stop, Roster::OnAnswer then) {
    if (!parts_.registry.doubt(parts_.registry.refresh(process)).empty())
        return stop_marked(process, stop, std::move(then));
    const auto limit = milliseconds{stop.grace_ms} + kAnswerLimit;
    roster_.send(process, stop, std::chrono::duration_cast<milliseconds>(limit), std::move(then));
    want_shim(process);
}

void Fleet::stop_marked(std::uint64_t process, const wire::Stop& stop, Roster::OnAnswer then) {
    auto& under_way = marked_stops_[process];
    if (!under_way) under_way = std::make_unique<MarkedStop>(parts_.loop, parts_.home, process);
    under_way->ask(
        stop.signal, milliseconds{stop.grace_ms},
        [this, process, then = std::move(then)](const MarkedStop::Outcome& outcome) {
            const auto ended = marked_stops_.extract(process);
            Roster::Answer answer;
            for (const pid_t pid : outcome.survivors)
                answer.detail += std::to_string(pid) + " " + os::command_line(pid) + "\n";
            if (!outcome.found && parts_.registry.knows(process) && parts_.registry.files(process).held) {
                answer.kind = Roster::Answer::Kind::refused;
                answer.text = "nothing that carries its mark was found, though its shim lives";
            }
            then(answer);
        });
}

void Fleet::input(std::uint64_t process, wire::Input input, Roster::OnAnswer then) {
    if (input.id == 0) input.id = random_number();
    roster_.send(process, std::move(input), kInputPatience, std::move(then));
    want_shim(process);
}

void Fleet::resize(std::uint64_t process, wire::Resize resize, Roster::OnAnswer then) {
    roster_.send(process, resize, kAnswerLimit, std::move(then));
    want_shim(process);
}

std::string Fleet::trouble(std::uint64_t process) const {
    const auto awaited = awaited_.find(process);
    const auto silence = std::max(roster_.silent_for(process),
                                  awaited == awaited_.end() ? milliseconds{0} : awaited->second->waited());
    if (silence >= kWorthSaying)
        return "its shim has not answered for " + std::to_string(duration_cast<seconds>(silence).count()) +
               " s; if it does not within " + std::to_string(kPatience.count()) +
               " s it is replaced, which the program does not notice";
    if (const auto found = given_up_.find(process); found != given_up_.end()) return found->second;
    if (roster_.presence(process) == Roster::Presence::newer)
        return "its shim is of a newer pp: it is shown and left running, and cannot be commanded by this hub";
    return "";
}

}  // namespace pp::hub
