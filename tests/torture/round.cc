#include "tests/torture/round.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>

#include "protocol/os/read_file.h"
#include "protocol/ring/reader.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/process_files.h"
#include "protocol/rundir/process_view.h"

namespace pp::torture {
namespace {

using nlohmann::json;
using rundir::EventKind;

constexpr std::uint64_t kEndless = std::uint64_t{1} << 40;
constexpr std::uint64_t kPipeHolds = 256 << 10;  // at most, of each pipe
constexpr std::chrono::nanoseconds kFirstRespite = std::chrono::milliseconds{1};
constexpr std::chrono::nanoseconds kLongestRespite = std::chrono::seconds{2};
constexpr std::array kSignals = {SIGTERM, SIGKILL, SIGHUP, SIGUSR2};
constexpr std::array kSmallRings = {std::uint64_t{64} << 10, std::uint64_t{1} << 20};
constexpr std::array kAllSizes = {Sizes::big, Sizes::lines, Sizes::mixed};

/// Exit codes of 0 to 99 and signals, so that each of them says which it is.
std::string text_of(ring::ExitKind kind, int value) {
    switch (kind) {
        case ring::ExitKind::none: return "no end";
        case ring::ExitKind::exited: return "code " + std::to_string(value);
        case ring::ExitKind::signaled: return "signal " + std::to_string(value);
        case ring::ExitKind::unknown: return "an unknown end";
        case ring::ExitKind::not_started: return "no start: errno " + std::to_string(value);
    }
    return "nonsense";
}

char letter_of(Kind kind) { return kind == Kind::raw_terminal || kind == Kind::cooked_terminal ? 't' : 'm'; }

}  // namespace

Round::Round(Watchdog& dog, const test::Installation& installation, Client& client, const Plan& plan, Random random)
    : dog_{dog}, installation_{installation}, client_{client}, plan_{plan}, random_{random} {}

Outcome Round::run(std::uint64_t kills) {
    draw();
    start();
    {
        std::jthread killing{[&] {
            try {
                rage(kills);
            } catch (const std::exception& error) {
                failure_ = error.what();
                tell_child_to_end();
            }
        }};
        if (pump_) pump_->pump(input_ends_, most_);
        page_->wait_until("its end, and that of its output", [](const auto& state) { return state.lifecycle.drained != 0; });
    }
    if (!failure_.empty()) violate("the killing failed: " + failure_);
    wait_for_the_shim_to_leave();
    outcome_.rounds = 1;
    check_output();
    check_exit();
    check_events();
    check_hub();
    clear();
    return std::move(outcome_);
}

// Before ---------------------------------------------------------------------------------------------------------------

void Round::draw() {
    sizes_ = random_.one_of(kAllSizes);
    overwrites_ = (plan_.kind == Kind::merged || plan_.is_terminal()) && random_.one_in(3);
    capacity_ = overwrites_ ? random_.one_of(kSmallRings) : plan_.capacity;
    most_ = overwrites_ ? kEndless : plan_.capacity / 4 * 3 / (plan_.kind == Kind::split ? 2 : 1);
    end_ = !plan_.leaves_nobody() ? End::under_fire : random_.one_in(2) ? End::in_the_gap : End::in_peace;
    if (random_.one_in(3))
        ending_ = {ring::ExitKind::signaled, random_.one_of(kSignals)};
    else
        ending_ = {ring::ExitKind::exited, random_.within(0, 99)};
}

std::vector<std::string> Round::command() const {
    const bool by_signal = ending_.kind == ring::ExitKind::signaled;
    const auto value = std::to_string(ending_.value);
    if (plan_.kind == Kind::input) return {"sh", "-c", by_signal ? "cat; kill -" + value + " $$" : "cat; exit " + value};
    const std::string letters = plan_.kind == Kind::split ? "oe" : std::string{letter_of(plan_.kind)};
    std::vector<std::string> words{installation_.program("torture_writer"), "--letters", letters, "--sizes",
                                   name_of(sizes_), "--most", std::to_string(most_), "--total",
                                   installation_.work() + "/total", by_signal ? "--signal" : "--exit", value};
    if (plan_.kind == Kind::raw_terminal) words.emplace_back("--raw");
    return words;
}

void Round::start() {
    std::filesystem::remove(installation_.work() + "/total");
    json options{{"log", {{"size", capacity_}}}};
    if (!plan_.is_terminal()) options["streams"] = plan_.kind == Kind::split ? "split" : "merged";
    if (plan_.kind == Kind::input) options["stdin"] = "pipe";
    const auto started = client_.insist("start", {{"command", command()},
                                                  {"name", "subject"},
                                                  {"mode", plan_.is_terminal() ? "pty" : "pipe"},
                                                  {"wait", {{"for", "none"}}},
                                                  {"options", options}});
    process_ = rundir::find_process_number(started.at("process").at("id").get<std::string>()).value();
    page_.emplace(dog_, installation_.home(), process_);
    const auto running =
        page_->wait_until("its first run", [](const auto& state) { return state.lifecycle.main_pid > 0; });
    if (plan_.kind != Kind::input)  // it has made ready for the signal that tells it to end
        page_->wait_until("its first output", [](const auto& state) { return state.tail > 0; });
    if (auto main = os::PidFd::find(running.lifecycle.main_pid)) main_ = std::move(*main);
    if (plan_.kind == Kind::input) pump_.emplace(client_, process_, random_.split());
    if (overwrites_)
        follower_.emplace(*page_, installation_.home(), process_,
                          Numbers{letter_of(plan_.kind), plan_.kind == Kind::cooked_terminal});
}

// Under fire -----------------------------------------------------------------------------------------------------------

void Round::rage(std::uint64_t kills) {
    Killer killer{dog_, installation_, *page_, process_, plan_.victims, random_.split()};
    bool goes_on = true;
    while (goes_on && killer.kills().of(plan_.victims) < kills) {
        const bool is_last = killer.kills().of(plan_.victims) + 1 == kills;
        goes_on = killer.strike([&] {
            if (end_ == End::in_the_gap && is_last) tell_child_to_end();
        });
    }
    tell_child_to_end();
    const bool until_it_ends = end_ == End::under_fire || ends_by_hangup();
    // ever later: the end of input takes a shim that lives for a while
    for (auto respite = kFirstRespite; goes_on && until_it_ends; respite = std::min(2 * respite, kLongestRespite))
        goes_on = killer.strike([] {}, respite);
    outcome_.kills = killer.kills();
}

void Round::tell_child_to_end() {
    input_ends_ = true;
    if (!pump_ && main_) main_.send_signal(SIGUSR1);
}

void Round::wait_for_the_shim_to_leave() {
    const Watchdog::Wait wait{dog_, rundir::process_id(process_) + "'s shim to leave"};
    const os::UniqueFd lock{::open(installation_.home().process_lock(process_).c_str(), O_RDONLY | O_CLOEXEC)};
    struct flock held {};
    held.l_type = F_RDLCK;  // which waits for a shim's own, and is gone with the descriptor
    held.l_len = 1;
    while (lock && ::fcntl(lock.get(), F_OFD_SETLKW, &held) != 0 && errno == EINTR) {
    }
}

// After ----------------------------------------------------------------------------------------------------------------

void Round::violate(const std::string& what) {
    outcome_.violations.push_back(plan_.name() + ", " + name_of(sizes_) + (overwrites_ ? ", small ring" : "") + ", " +
                                  rundir::process_id(process_) + ": " + what);
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> Round::totals() const {
    const auto text = os::find_file_content(installation_.work() + "/total");
    unsigned long long first = 0;
    unsigned long long second = 0;
    if (!text || std::sscanf(text->c_str(), "%llu %llu", &first, &second) != 2) return std::nullopt;
    return std::pair{first, second};
}

void Round::check_output() {
    if (plan_.kind == Kind::input) return check_input();
    const auto total = totals();
    // it wrote all that it was to write before anybody told it to end, and nobody may have been there
    if (plan_.leaves_nobody() && total && total->first == most_) end_ = End::in_the_gap;
    if (!total && !ends_by_hangup()) return violate("the child has not said how much it wrote");
    if (plan_.kind == Kind::split) return check_split(total->first, total->second);
    check_one(total ? total->first : kEndless);
}

/// Reads what the ring holds, or takes over what the follower has read meanwhile.
void Round::check_one(std::uint64_t total) {
    const bool cooked = plan_.kind == Kind::cooked_terminal;
    if (cooked && total != kEndless) total += total / Numbers{}.record_size();  // a "\r" for each line
    const auto expected = total == kEndless ? std::nullopt : std::optional{total};
    const auto state = page_->state();
    if (follower_) {
        follower_->join();
        settle(follower_->check(), expected);
        outcome_.overwritten += follower_->overwritten();
        if (follower_->check().taken() + follower_->overwritten() != state.tail)
            violate("read " + std::to_string(follower_->check().taken()) + " + overwritten " +
                    std::to_string(follower_->overwritten()) + " is not written " + std::to_string(state.tail));
    } else {
        NumberCheck check{{letter_of(plan_.kind), cooked}};
        read_all([&](std::span<const char> bytes) { check.take(bytes); });
        settle(check, expected);
    }
    if (expected && state.tail == *expected && state.lines != *expected / Numbers{'m', cooked}.record_size())
        violate(std::to_string(state.lines) + " newlines were counted in " + std::to_string(*expected) + " bytes");
}

void Round::check_split(std::uint64_t total_out, std::uint64_t total_err) {
    auto reader = ring::Reader::find(rundir::ring_paths(installation_.home(), process_)).value();
    NumberCheck out{{'o', false}};
    NumberCheck err{{'e', false}};
    std::vector<std::byte> buffer(1 << 20);
    std::uint64_t end = 0;
    for (const auto& chunk : reader.chunks(0, UINT64_MAX)) {
        if (chunk.begin != end) violate("no chunk holds the cursors from " + std::to_string(end) + " to " + std::to_string(chunk.begin));
        for (auto cursor = end = chunk.begin; cursor < chunk.end; end = cursor) {
            const auto read = reader.read(cursor, chunk.end, buffer);
            if (read.lost > 0) violate(std::to_string(read.lost) + " bytes at cursor " + std::to_string(cursor) + " are not there");
            (chunk.stream == ring::Stream::err ? err : out).take({reinterpret_cast<const char*>(buffer.data()), read.size});
            cursor = read.next;
        }
    }
    settle(out, total_out);
    settle(err, total_err);
}

void Round::check_input() {
    std::string arrived;
    read_all([&](std::span<const char> bytes) { arrived.append(bytes.data(), bytes.size()); });
    outcome_.bytes += arrived.size();
    outcome_.unsure_inputs += pump_->unsure();
    for (const auto& fault : pump_->faults_in(arrived)) violate(fault);
    for (const auto& refusal : pump_->refusals()) violate("input was refused: " + refusal);
}

/// A child that ended with all of ours dead may have taken with it what was in its pipes, and nothing before that; and a
/// terminal takes with it what nobody has read.
void Round::settle(const NumberCheck& check, std::optional<std::uint64_t> total) {
    outcome_.bytes += check.taken();
    outcome_.lost += check.lost();
    outcome_.doubled += check.doubled();
    for (const auto& fault : check.faults()) violate(fault);
    if (!total || check.place() == *total) return;
    const bool may_be_cut = end_ == End::in_the_gap && check.place() < *total && *total - check.place() <= kPipeHolds;
    if (may_be_cut || (ends_by_hangup() && check.place() < *total)) return;
    outcome_.lost += *total - std::min(*total, check.place());
    violate("the stream ends at byte " + std::to_string(check.place()) + ", and " + std::to_string(*total) + " were written");
}

void Round::read_all(const std::function<void(std::span<const char>)>& visit) const {
    auto reader = ring::Reader::find(rundir::ring_paths(installation_.home(), process_)).value();
    std::vector<std::byte> buffer(1 << 20);
    for (std::uint64_t cursor = 0;;) {
        const auto read = reader.read(cursor, UINT64_MAX, buffer);
        if (read.next == cursor) return;
        visit({reinterpret_cast<const char*>(buffer.data()), read.size});
        cursor = read.next;
    }
}

void Round::check_exit() {
    const auto life = page_->state().lifecycle;
    const bool is_unknown = life.exit_kind == ring::ExitKind::unknown;
    const bool may_be_unknown = end_ == End::in_the_gap || ends_by_hangup();
    const bool is_hangup = ends_by_hangup() && life.exit_kind == ring::ExitKind::signaled && life.exit_value == SIGHUP;
    const bool is_true = (life.exit_kind == ending_.kind && life.exit_value == ending_.value) || is_hangup;
    outcome_.true_exits += is_true ? 1 : 0;
    outcome_.unknown_exits += is_unknown ? 1 : 0;
    if (!is_true && !(is_unknown && may_be_unknown))
        violate("it ended with " + text_of(ending_.kind, ending_.value) + ", and pp says " +
                text_of(life.exit_kind, life.exit_value));
}

void Round::check_events() {
    const auto events = rundir::read_events(installation_.home().events(process_), 1);
    const auto count = [&](EventKind kind) {
        return std::count_if(events.begin(), events.end(), [&](const auto& event) { return event.kind == kind; });
    };
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].number != i + 1) return violate("event " + std::to_string(i + 1) + " is missing");
    }
    for (const auto& [kind, name] : {std::pair{EventKind::started, "started"}, {EventKind::exited, "exited"}, {EventKind::drained, "drained"}}) {
        if (count(kind) != 1) violate(std::to_string(count(kind)) + " events say " + name);
    }
}

void Round::check_hub() {
    const auto status = client_.insist("get_status", {{"process", rundir::process_id(process_)}});
    const auto& runs = status.at("runs");
    const auto life = page_->state().lifecycle;
    if (runs.size() != 1) return violate("the hub knows of " + std::to_string(runs.size()) + " runs");
    const auto view = status.at("process");
    const bool code_agrees = life.exit_kind != ring::ExitKind::exited || view.at("exit_code") == life.exit_value;
    const bool signal_agrees =
        life.exit_kind != ring::ExitKind::signaled || view.at("signal") == rundir::signal_name(life.exit_value);
    if (view.at("state") != "finished" || !code_agrees || !signal_agrees) violate("the hub says " + view.dump());
}

void Round::clear() {
    const auto id = rundir::process_id(process_);
    const auto cleared = client_.ask("clear", {{"process", id}});
    if (!cleared.ok) violate("it cannot be cleared: " + cleared.text);
    for (const auto& path : {installation_.home().process(process_), installation_.home().state_page(process_),
                             installation_.home().shim_socket(process_)}) {
        if (std::filesystem::exists(path)) violate(path + " is left");
    }
}

}  // namespace pp::torture
