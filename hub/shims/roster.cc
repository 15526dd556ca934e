#include "hub/shims/roster.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include "protocol/rundir/home.h"
#include "protocol/wire/codec.h"

namespace pp::hub {
namespace {

constexpr int kFramesPerTurn = 64;

constexpr std::chrono::seconds kCancelLimit{5};
constexpr std::chrono::milliseconds kWordCounts{50};  // as a sign of life, for whoever asks for one that long after it

bool is_input(const Roster::Command& command) { return std::holds_alternative<wire::Input>(command); }

/// Whether a successor may be sent what a shim of this protocol may have got too: a StartRun and a Stop name their run, and
/// what was taken of an Input is on record.
bool may_repeat(const Roster::Command& command, std::uint32_t protocol) {
    if (const auto* const input = std::get_if<wire::Input>(&command))
        return input->id != 0 && protocol >= wire::kInputIdSince;
    return std::holds_alternative<wire::StartRun>(command) || std::holds_alternative<wire::Stop>(command);
}

}  // namespace

struct Roster::Shim {
    std::uint64_t process = 0;
    std::string peer;
    int pid = 0;
    std::uint32_t protocol = 0;
    std::string version;
    bool leaving = false;
    std::optional<os::PidFd> pid_fd;
    std::unique_ptr<EventLoop::Watch> death;
    std::unique_ptr<Patience> patience;
    std::uint64_t frames = 0;  ///< that came from it
    EventLoop::Clock::time_point heard_at;  ///< the newest of them
    std::unique_ptr<EventLoop::Timer> look_again;
};

struct Roster::Pending {
    std::uint64_t token = 0;
    std::uint64_t process = 0;
    Command command;
    OnAnswer on_answer;
    bool sent = false;
    bool may_repeat = true;  ///< to another shim than the one that it was sent to
    bool cancelled = false;
    std::unique_ptr<EventLoop::Timer> limit;
};

struct Roster::Watcher {
    std::uint64_t cursor = 0;
    std::function<void()> callback;
};

Roster::Roster(EventLoop& loop, const Log& log, const std::string& socket_path, wire::Context& context,
               std::uint64_t epoch, Callbacks callbacks, std::chrono::milliseconds patience)
    : loop_{loop},
      log_{log},
      epoch_{epoch},
      callbacks_{std::move(callbacks)},
      patience_{patience},
      channel_{wire::Channel::router(context, socket_path)},
      watch_{loop, channel_.fd(), EventLoop::Watch::For::reading, [this] { channel_.on_wake(); }} {
    loop_.on_prepare([this, alive = std::weak_ptr<char>{alive_}] { return !alive.expired() && drain(); });
}

Roster::~Roster() = default;

bool Roster::drain() {
    for (int i = 0; i < kFramesPerTurn; ++i) {
        const auto frame = channel_.try_receive_if_woken();
        if (!frame) return i > 0;
        try {
            on_frame(*frame);
        } catch (const wire::BadMessage& bad) {
            log_.say(std::string{"a message on shims.sock was dropped: "} + bad.what());
        }
    }
    return true;
}

void Roster::on_frame(const wire::Frame& frame) {
    const auto type = wire::type_of(frame.bytes);
    if (type == wire::Hello::kType) return on_hello(frame.peer, wire::decode<wire::Hello>(frame.bytes));
    const auto known = processes_.find(frame.peer);
    if (known == processes_.end())
        return;  // of a shim that has been succeeded, or of nobody: a Hello comes first
    const auto process = known->second;
    Shim& shim = *shims_.at(process);
    shim.patience->end();  // whatever it says, it lives
    ++shim.frames;
    shim.heard_at = EventLoop::Clock::now();
    switch (type) {
        case wire::EventMessage::kType:
            return callbacks_.on_event(process, wire::decode<wire::EventMessage>(frame.bytes).event);
        case wire::Done::kType:
            return on_done(process, wire::decode<wire::Done>(frame.bytes));
        case wire::Output::kType:
            return on_output_message(process, wire::decode<wire::Output>(frame.bytes).tail);
        case wire::Bye::kType:
            return on_bye(shim, wire::decode<wire::Bye>(frame.bytes).hand_over);
        case wire::Pong::kType:
            return;
        default:
            throw wire::BadMessage("a shim sent type " + std::to_string(type));
    }
}

void Roster::on_hello(const std::string& peer, const wire::Hello& hello) {
    if (hello.process == 0) throw wire::BadMessage("a Hello names no process");
    std::optional<os::PidFd> pid_fd;
    try {
        pid_fd = os::PidFd::find(hello.pid);
        if (!pid_fd) return;  // it has died and been reaped since: a successor has greeted us, or will
    } catch (const std::system_error& error) {  // out of descriptors: its end is told by the keeper
        log_.say(rundir::process_id(hello.process) + ": " + error.what());
    }
    auto& slot = shims_[hello.process];
    if (slot && slot->peer == peer && slot->pid == hello.pid) return welcome(*slot);  // something of it has changed
    if (slot) processes_.erase(slot->peer);
    slot = std::make_unique<Shim>();
    slot->process = hello.process;
    slot->peer = peer;
    slot->pid = hello.pid;
    slot->protocol = hello.protocol;
    slot->version = hello.version;
    slot->patience = std::make_unique<Patience>(
        loop_, patience_,
        Patience::Callbacks{[this, &shim = *slot] { say(shim, wire::Ping{next_token_++}); },
                            [this, process = hello.process] { on_silence(process); }});
    slot->pid_fd = std::move(pid_fd);
    processes_[peer] = hello.process;
    if (slot->pid_fd) {
        slot->death = std::make_unique<EventLoop::Watch>(
            loop_, slot->pid_fd->get(), EventLoop::Watch::For::reading,
            [this, process = hello.process, pid = hello.pid] { on_shim_ended(process, pid); });
    }
    if (hello.protocol > wire::kShimProtocol || hello.protocol < wire::kOldestShimProtocol) {
        log_.say(rundir::process_id(hello.process) + " has a shim of version " + hello.version +
                 " (protocol " + std::to_string(hello.protocol) +
                 "), which this hub cannot command; it is left running");
        return callbacks_.on_hello(hello.process);
    }
    welcome(*slot);
    std::vector<std::uint64_t> lost;
    for (auto& [token, pending] : pending_) {
        if (pending->process != hello.process) continue;
        if (std::exchange(pending->sent, false) && !pending->may_repeat)
            lost.push_back(token);
        else
            transmit(*pending);
    }
    for (const auto token : lost) finish(token, Answer{Answer::Kind::lost, "", 0, ""});
}

void Roster::welcome(const Shim& shim) {
    const auto process = shim.process;
    wire::Welcome message;
    message.epoch = epoch_;
    message.from_event = callbacks_.last_event(process) + 1;
    say(shim, message);
    callbacks_.on_hello(process);
    arm_watch(process);
}

void Roster::on_shim_ended(std::uint64_t process, int pid) {
    read_all();  // what it said before it died still counts: its last events
    const auto shim = shims_.find(process);
    if (shim == shims_.end() || shim->second->pid != pid) return;  // its successor has greeted us already
    processes_.erase(shim->second->peer);
    shims_.erase(process);
    callbacks_.on_death(process);
}

/// What it has said may lie here unread, if it was us who did not come to read it.
void Roster::read_all() {
    channel_.on_wake();
    while (drain()) {
    }
}

void Roster::on_silence(std::uint64_t process) {
    const auto [pid, frames] = std::pair{shims_.at(process)->pid, shims_.at(process)->frames};
    read_all();
    const auto shim = shims_.find(process);
    if (shim != shims_.end() && shim->second->pid == pid && shim->second->frames == frames) callbacks_.on_hung(process);
}

void Roster::on_bye(Shim& shim, bool hands_over) {
    const bool starting = std::any_of(pending_.begin(), pending_.end(), [&](const auto& entry) {
        return entry.second->process == shim.process && entry.second->sent &&
               std::holds_alternative<wire::StartRun>(entry.second->command);
    });
    if (!starting && !hands_over)
        shim.leaving = true;  // a StartRun that crossed the Bye is seen before the Release: the shim stays
    wire::Release release;
    release.epoch = epoch_;
    say(shim, release);
}

void Roster::on_done(std::uint64_t process, const wire::Done& done) {
    const auto pending = pending_.find(done.token);
    if (pending == pending_.end() || pending->second->process != process) return;
    Answer answer;
    answer.kind = done.ok ? Answer::Kind::done : Answer::Kind::refused;
    answer.text = done.error;
    answer.count = done.count;
    answer.detail = done.detail;
    finish(done.token, answer);
}

void Roster::send(std::uint64_t process, Command command, std::chrono::milliseconds limit,
                  OnAnswer on_answer) {
    auto pending = std::make_unique<Pending>();
    const auto token = next_token_++;
    std::visit([&](auto& message) { message.token = token; }, command);
    pending->token = token;
    pending->process = process;
    pending->command = std::move(command);
    pending->on_answer = std::move(on_answer);
    pending->limit = std::make_unique<EventLoop::Timer>(loop_, [this, token] { on_limit(token); });
    pending->limit->set(limit);
    Pending& kept = *pending;
    pending_[token] = std::move(pending);
    if (presence(process) == Presence::newer) {
        return loop_.defer([this, token] {
            finish(token, Answer{Answer::Kind::no_answer,
                                 "its shim is of a newer pp; restart the hub with that version", 0, ""});
        });
    }
    transmit(kept);
}

/// What a shim of this protocol cannot do; empty: it can.
std::string Roster::why_not(const Shim& shim, const Command& command) {
    if (std::holds_alternative<wire::Resize>(command) && shim.protocol < wire::kResizeSince)
        return "its shim is of an earlier pp, which cannot resize; restart the process";
    return {};
}

/// To the shim if it is there; else the command waits for a Hello.
void Roster::transmit(Pending& pending) {
    const auto shim = shims_.find(pending.process);
    if (shim == shims_.end() || presence(pending.process) == Presence::newer) return;
    if (is_input(pending.command) && has_input_under_way(pending.process)) return;
    if (const auto why = why_not(*shim->second, pending.command); !why.empty()) {
        return loop_.defer([this, token = pending.token, why] {
            finish(token, Answer{Answer::Kind::refused, why, 0, ""});
        });
    }
    pending.may_repeat = may_repeat(pending.command, shim->second->protocol);
    pending.sent =
        std::visit([&](const auto& message) { return say(*shim->second, message); }, pending.command);
    expect_life(*shim->second);
}

void Roster::ping(std::uint64_t process) {
    const auto found = shims_.find(process);
    if (found == shims_.end() || presence(process) == Presence::newer) return;
    Shim& shim = *found->second;
    if (EventLoop::Clock::now() - shim.heard_at >= kWordCounts) return expect_life(shim);
    if (shim.look_again) return;
    shim.look_again = std::make_unique<EventLoop::Timer>(loop_, [this, &shim] {
        shim.look_again.reset();
        expect_life(shim);
    });
    shim.look_again->set(kWordCounts);
}

/// What was asked may take minutes; the Ping behind it does not.
void Roster::expect_life(Shim& shim) {
    if (shim.patience->is_on()) return;
    say(shim, wire::Ping{next_token_++});
    shim.patience->begin();
}

std::chrono::milliseconds Roster::silent_for(std::uint64_t process) const {
    const auto shim = shims_.find(process);
    return shim == shims_.end() ? std::chrono::milliseconds{0} : shim->second->patience->waited();
}

bool Roster::hand_over(std::uint64_t process) {
    const auto shim = shims_.find(process);
    if (shim == shims_.end() || presence(process) == Presence::newer || shim->second->protocol < wire::kHandOverSince)
        return false;
    wire::HandOver order;
    order.epoch = epoch_;
    if (!say(*shim->second, order)) return false;
    expect_life(*shim->second);
    return true;
}

bool Roster::has_input_under_way(std::uint64_t process) const {
    return std::any_of(pending_.begin(), pending_.end(), [&](const auto& entry) {
        return entry.second->process == process && entry.second->sent && is_input(entry.second->command);
    });
}

void Roster::send_next_input(std::uint64_t process) {
    const auto next = std::find_if(pending_.begin(), pending_.end(), [&](const auto& entry) {
        return entry.second->process == process && !entry.second->sent && is_input(entry.second->command);
    });
    if (next != pending_.end()) transmit(*next->second);
}

/// An Input is not over before its shim has said what became of it: told that nothing was taken, its sender sends it again.
void Roster::on_limit(std::uint64_t token) {
    const auto found = pending_.find(token);
    if (found == pending_.end()) return;
    Pending& pending = *found->second;
    if (!is_input(pending.command)) {
        ping(pending.process);  // it may hang since its last sign of life
        return finish(token, Answer{Answer::Kind::no_answer, "its shim did not answer in time", 0, ""});
    }
    const auto shim = shims_.find(pending.process);
    if (!pending.sent && shim != shims_.end()) return finish(token, Answer{});  // others wait before it
    const bool can_cancel = shim != shims_.end() && shim->second->protocol >= wire::kInputIdSince;
    if (!can_cancel || std::exchange(pending.cancelled, true)) {
        const auto kind = pending.sent ? Answer::Kind::lost : Answer::Kind::no_answer;
        return finish(token, Answer{kind, "its shim did not answer in time", 0, ""});
    }
    say(*shim->second, wire::CancelInput{token});
    pending.limit->set(kCancelLimit);
}

void Roster::finish(std::uint64_t token, const Answer& answer) {
    auto pending = pending_.extract(token);
    if (pending.empty()) return;
    const bool was_input = is_input(pending.mapped()->command);
    const auto process = pending.mapped()->process;
    pending.mapped()->on_answer(answer);
    if (was_input) send_next_input(process);
}

bool Roster::is_asked(std::uint64_t process) const {
    return std::any_of(pending_.begin(), pending_.end(),
                       [&](const auto& entry) { return entry.second->process == process; });
}

void Roster::give_up(std::uint64_t process, const std::string& why) {
    std::vector<std::uint64_t> tokens;
    for (const auto& [token, pending] : pending_) {
        if (pending->process == process) tokens.push_back(token);
    }
    for (const auto token : tokens) finish(token, Answer{Answer::Kind::no_answer, why, 0, ""});
}

Subscription Roster::on_output(std::uint64_t process, std::uint64_t cursor, std::function<void()> callback) {
    const auto id = next_token_++;
    watchers_[process][id] = {cursor, std::move(callback)};
    arm_watch(process);
    ping(process);  // who waits for output should not wait for one that hangs
    return Subscription{[this, alive = std::weak_ptr<char>{alive_}, process, id] {
        if (alive.expired()) return;
        const auto of_process = watchers_.find(process);
        if (of_process == watchers_.end()) return;
        of_process->second.erase(id);
        if (of_process->second.empty()) watchers_.erase(of_process);
    }};
}

/// A shim keeps one watch: the lowest cursor that anybody waits at.
void Roster::arm_watch(std::uint64_t process) {
    const auto waiting = watchers_.find(process);
    const auto shim = shims_.find(process);
    if (waiting == watchers_.end() || waiting->second.empty() || presence(process) == Presence::absent ||
        presence(process) == Presence::newer)
        return;
    const auto first =
        std::min_element(waiting->second.begin(), waiting->second.end(),
                         [](const auto& a, const auto& b) { return a.second.cursor < b.second.cursor; });
    wire::Watch watch;
    watch.cursor = first->second.cursor;
    say(*shim->second, watch);
}

void Roster::on_output_message(std::uint64_t process, std::uint64_t tail) {
    const auto waiting = watchers_.find(process);
    if (waiting == watchers_.end()) return;
    std::vector<std::function<void()>> due;
    std::erase_if(waiting->second, [&](auto& entry) {
        if (entry.second.cursor >= tail) return false;
        due.push_back(std::move(entry.second.callback));
        return true;
    });
    if (waiting->second.empty()) watchers_.erase(waiting);
    arm_watch(process);
    for (const auto& callback : due) callback();
}

void Roster::acknowledge(std::uint64_t process, std::uint64_t number) {
    const auto shim = shims_.find(process);
    if (shim == shims_.end()) return;
    wire::Ack ack;
    ack.number = number;
    say(*shim->second, ack);
}

Roster::Presence Roster::presence(std::uint64_t process) const {
    const auto shim = shims_.find(process);
    if (shim == shims_.end()) return Presence::absent;
    const auto protocol = shim->second->protocol;
    if (protocol > wire::kShimProtocol || protocol < wire::kOldestShimProtocol) return Presence::newer;
    return shim->second->leaving ? Presence::leaving : Presence::connected;
}

std::set<int> Roster::shim_pids() const {
    std::set<int> pids;
    for (const auto& [process, shim] : shims_) pids.insert(shim->pid);
    return pids;
}

int Roster::shim_pid(std::uint64_t process) const {
    const auto shim = shims_.find(process);
    return shim == shims_.end() ? 0 : shim->second->pid;
}

std::string Roster::shim_version(std::uint64_t process) const {
    const auto shim = shims_.find(process);
    return shim == shims_.end() ? "" : shim->second->version;
}

std::vector<std::uint64_t> Roster::processes() const {
    std::vector<std::uint64_t> found;
    for (const auto& [process, shim] : shims_) found.push_back(process);
    return found;
}

template <class Message>
bool Roster::say(const Shim& shim, const Message& message) {
    return channel_.send(wire::encode(message), shim.peer);
}

}  // namespace pp::hub
