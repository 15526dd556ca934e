#include "cli/hub_client.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "cli/caller.h"
#include "cli/failure.h"
#include "cli/output/print.h"
#include "protocol/os/daemon.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"
#include "protocol/os/unique_fd.h"
#include "protocol/wire/codec.h"

namespace pp::cli {
namespace {

constexpr int kStartTries = 3;
constexpr int kAskTries = 3;
/// A hub that says nothing for so long hangs; what that may be for is told in hub/shims/patience.h. The time
/// is cut, and a slice at whose end we come late does not count: it was us who were stopped (Ctrl-Z), or the
/// machine.
constexpr auto kPatience = std::chrono::milliseconds{10'000};
constexpr int kSlices = 4;
constexpr std::uint64_t kAskedForLife = 0;  // token of a question whose answer is of no interest
constexpr std::array<std::string_view, 7> kReading{"list",          "get_status", "get_output", "search_logs",
                                                   "get_log_paths", "hub_status", "events"};

bool only_reads(const std::string& operation) {
    return std::find(kReading.begin(), kReading.end(), operation) != kReading.end();
}

/// By its key, however often it is asked.
bool is_taken_once(const std::string& operation) {
    return operation == "send_input";
}

/// Who listens there, or nothing. The kernel gives the number that is right in our pid namespace, wherever
/// the hub was started; 0: it cannot be seen from here.
std::optional<pid_t> find_listener(const std::string& socket_path, pid_t if_busy) {
    const os::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (!socket || socket_path.size() >= sizeof address.sun_path) return std::nullopt;
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return errno == EAGAIN ? std::optional{if_busy} : std::nullopt;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer.pid;
}

Exit exit_of(const std::string& status) {
    if (status == "ok") return Exit::done;
    if (status == "usage") return Exit::usage;
    if (status == "not_found") return Exit::not_found;
    if (status == "ambiguous") return Exit::ambiguous;
    if (status == "timed_out") return Exit::timed_out;
    return Exit::failed;
}

/// What a program said as it was started: "ready", and then what a person ought to know; or "error: …".
std::string complaint(std::string said) {
    while (!said.empty() && said.back() == '\n') said.pop_back();
    if (said == "ready") return {};
    if (said.starts_with("ready\n")) {
        std::istringstream problems{said.substr(6)};
        for (std::string problem; std::getline(problems, problem);) say(printable(problem));
        return {};
    }
    if (said.starts_with("error: ")) return said.substr(7);
    return said.empty() ? "it ended at once" : said;
}

/// Empty, or what went wrong. One that loses a race waits for the winner and then says that there is one.
std::string start_hub(const Context& context) {
    try {
        context.home.prepare();
        return complaint(os::start_detached(os::sibling_program("pp-hub"), {}, environment_for_hub(context)));
    } catch (const std::runtime_error& error) {  // the system refuses, or run/ is not ours alone
        return error.what();
    }
}

Answer lost_answer(const wire::Request& request) {
    return {Exit::failed,
            {},
            "the hub ended before it answered; whether '" + request.operation +
                "' was done is not known: 'pp ls --all' and 'pp status NAME' tell",
            true};
}

Answer unheard_answer() {
    return {
        Exit::no_hub, {}, "the hub ended, or took no connection, as often as it was asked; try again", false};
}

}  // namespace

std::optional<os::PidFd> find_hub(const rundir::Home& home) {
    if (!os::OfdLock::is_held(home.hub_lock())) return std::nullopt;
    const auto epoch = rundir::find_hub_epoch(home);
    if (!epoch) return std::nullopt;
    const auto pid = find_listener(home.control_socket(), epoch->pid);
    if (!pid) return std::nullopt;
    if (*pid == 0)
        throw Failure{
            Exit::no_hub,
            "a hub runs outside of this pid namespace, and cannot be used from inside: leave the sandbox, "
            "give it a PP_HOME of its own, or ask over MCP"};
    auto hub = os::PidFd::find(*pid);
    const auto stat = os::find_proc_stat(*pid);
    const bool same = hub && stat && stat->start_time == epoch->start_time && !hub->ended();
    return same ? std::move(hub) : std::nullopt;
}

bool hub_was_stopped(const rundir::Home& home) {
    return !rundir::find_hub_epoch(home);
}

os::PidFd find_or_start_hub(const Context& context) {
    std::string said = "it ended as soon as it was ready";
    for (int tries = 0; tries < kStartTries; ++tries) {
        if (auto hub = find_hub(context.home)) return std::move(*hub);
        if (const auto told = start_hub(context); !told.empty()) said = told;
    }
    if (auto hub = find_hub(context.home)) return std::move(*hub);
    throw Failure{Exit::no_hub, "there is no hub, and none could be started: " + said};
}

HubClient::HubClient(os::Loop& loop, const Context& context)
    : loop_{loop}, context_{context}, silence_{loop, [this] { on_silence(); }} {
    loop_.on_prepare([this] { return drain(); });
}

HubClient::~HubClient() {
    loop_.on_prepare({});
}

void HubClient::connect() {
    if (channel_) return;
    hub_ = find_or_start_hub(context_);
    if (!zmq_) zmq_ = std::make_unique<wire::Context>();
    channel_ = wire::Channel::watched_dealer(*zmq_, context_.home.control_socket());
    channel_watch_ =
        std::make_unique<os::Loop::Watch>(loop_, channel_->fd(), POLLIN, [](short) {});  // see drain()
    end_watch_ = std::make_unique<os::Loop::Watch>(loop_, channel_->end_fd(), POLLIN, [](short) {});
}

void HubClient::disconnect() {
    silence_.clear();
    channel_watch_.reset();
    end_watch_.reset();
    channel_.reset();
    hub_.reset();
}

void HubClient::ask(const std::string& operation, const std::string& arguments, OnAnswer on_answer,
                    Again again) {
    ask(request_of_caller(context_, operation, arguments), std::move(on_answer), again);
}

void HubClient::ask(wire::Request request, OnAnswer on_answer, Again again) {
    Question question{std::move(request), std::move(on_answer), again};
    question.request.token = next_token_++;
    if (::getrandom(&question.request.key, sizeof question.request.key, 0) < 0) question.request.key = 0;
    const auto token = question.request.token;
    if (hub_ && hub_->ended() && questions_.empty())
        disconnect();  // it owes no answer, and would not get this question
    connect();
    send(questions_.emplace(token, std::move(question)).first->second);
}

void HubClient::send(Question& question) {
    ++question.tries;
    const auto frame = wire::encode(question.request);
    if (frame.size() > wire::kMaxMessage) {
        questions_.erase(question.request.token);
        throw Failure{Exit::usage, "what is asked of the hub takes " + std::to_string(frame.size()) +
                                       " bytes with its environment; at most " +
                                       std::to_string(wire::kMaxMessage) + " are taken"};
    }
    channel_->send(frame);  // if nobody takes it the connection is over, and drain() is about to see that
    expect_life();
}

void HubClient::expect_life() {
    if (silence_.armed()) return;
    silent_slices_ = 0;
    slice_end_ = os::Loop::Clock::now() + kPatience / kSlices;
    silence_.set(slice_end_);
}

void HubClient::on_silence() {
    const bool came_late = os::Loop::Clock::now() - slice_end_ > kPatience / kSlices;
    if (!came_late) ++silent_slices_;
    if (silent_slices_ == kSlices) return on_hub_hangs();
    slice_end_ = os::Loop::Clock::now() + kPatience / kSlices;
    silence_.set(slice_end_);
    wire::Request request = request_of_caller(context_, "hub_status", "{}");
    request.token = kAskedForLife;
    if (channel_) channel_->send(wire::encode(request));
}

void HubClient::on_hub_hangs() {
    const std::string pid = hub_ ? " (pid " + std::to_string(hub_->pid()) + ")" : "";
    for (const auto& [token, question] : std::exchange(questions_, {}))
        question.on_answer({Exit::no_hub,
                            {},
                            "the hub" + pid + " lives, but has not answered for " +
                                std::to_string(kPatience / std::chrono::seconds{1}) +
                                " s: it hangs; 'pp hub restart' replaces it, and processes live on",
                            false,
                            true});
}

/// True if there was anything: whoever waits for an answer looks again before the loop sleeps.
bool HubClient::drain() {
    constexpr int kBudget = 16;
    int taken = 0;
    const auto end =
        channel_ ? channel_->end() : wire::Channel::End::none;  // asked first: then what came before is there
    for (; channel_ && taken < kBudget; ++taken) {
        const auto frame = channel_->try_receive();
        if (!frame) break;
        try {
            on_reply(wire::decode<wire::Reply>(frame->bytes));
        } catch (const wire::BadMessage& bad) {
            throw Failure{Exit::failed, std::string{"the hub's answer cannot be understood: "} + bad.what()};
        }
    }
    if (taken == kBudget || end == wire::Channel::End::none || !channel_) return taken > 0;
    settle_lost(end);
    return true;
}

void HubClient::on_reply(wire::Reply reply) {
    silence_.clear();
    auto found = questions_.extract(reply.token);
    const bool is_owed = std::any_of(questions_.begin(), questions_.end(), [](const auto& question) {
        return !only_reads(question.second.request
                               .operation);  // which are done some day; who waits for news is owed nothing
    });
    if (is_owed) expect_life();
    if (found.empty()) return;
    found.mapped().on_answer({exit_of(reply.status), std::move(reply.result), std::move(reply.text)});
}

void HubClient::settle_lost(wire::Channel::End end) {
    disconnect();
    auto lost = std::exchange(questions_, {});
    for (auto& [token, question] : lost) {
        const auto& operation = question.request.operation;
        question.may_have_happened |= end == wire::Channel::End::disconnected && !only_reads(operation);
        const bool is_patient = question.again == Again::unless_stopped;
        const bool is_over = is_patient && hub_was_stopped(context_.home);
        if ((question.may_have_happened && !is_taken_once(operation)) || is_over ||
            question.tries >= kAskTries) {
            question.on_answer(question.may_have_happened || is_patient ? lost_answer(question.request)
                                                                        : unheard_answer());
            continue;
        }
        try {
            connect();
            send(questions_.emplace(token, question).first->second);
        } catch (const Failure& failure) {
            questions_.erase(token);
            question.on_answer(question.may_have_happened ? lost_answer(question.request)
                                                          : Answer{failure.exit(), {}, failure.what()});
        }
    }
}

Answer HubClient::wait_for(const std::string& operation, const std::string& arguments) {
    return wait_for(request_of_caller(context_, operation, arguments));
}

Answer HubClient::wait_for(wire::Request request) {
    std::optional<Answer> given;
    ask(std::move(request), [&](const Answer& answer) { given = answer; });
    while (!given) loop_.turn();
    return std::move(*given);
}

const Answer& required(const Answer& answer) {
    if (answer.exit == Exit::done) return answer;
    throw Failure{answer.exit, answer.text.empty() ? "the hub refused, and did not say why" : answer.text};
}

Answer ask_hub(const Context& context, const std::string& operation, const std::string& arguments) {
    os::Loop loop;
    HubClient hub{loop, context};
    return required(hub.wait_for(operation, arguments));
}

}  // namespace pp::cli
