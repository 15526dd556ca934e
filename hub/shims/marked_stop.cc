#include "hub/shims/marked_stop.h"

#include <algorithm>
#include <csignal>
#include <memory>
#include <system_error>
#include <utility>

#include "hub/process/marked.h"

namespace pp::hub {
namespace {

constexpr std::chrono::seconds kKillLimit{2};  // for SIGKILL to be acted on; what then lives cannot be ended

}  // namespace

void MarkedStop::ask(int signal, std::chrono::milliseconds grace, Then then) {
    thens_.push_back(std::move(then));
    const auto end = EventLoop::Clock::now() + grace;
    if (!killing_ && end < grace_end_) {
        grace_end_ = end;
        limit_.set(grace);
    }
    if (!killing_) signal_ = signal;
    for (const auto& [pid, member] : members_) send(member.process);
    if (thens_.size() == 1) loop_.defer([this] { look(); });  // after the caller has kept us
}

/// Whom a second look finds marked too, with the descriptor open, is the one that was meant: no number was used again.
void MarkedStop::look() {
    std::map<pid_t, os::PidFd> found;
    for (const pid_t pid : find_marked(home_, process_)) {
        if (members_.contains(pid)) continue;
        if (auto process = os::PidFd::find(pid)) found.emplace(pid, std::move(*process));
    }
    const auto again = found.empty() ? std::vector<pid_t>{} : find_marked(home_, process_);
    for (auto& [pid, process] : found) {
        if (process.ended() || !std::binary_search(again.begin(), again.end(), pid)) continue;
        found_ = true;
        Member& member = members_[pid];
        member.process = std::move(process);
        member.end = std::make_unique<EventLoop::Watch>(loop_, member.process.get(), EventLoop::Watch::For::reading,
                                                        [this, pid = pid] { on_end(pid); });
        send(member.process);
    }
    if (members_.empty()) finish();
}

void MarkedStop::on_end(pid_t pid) {
    members_.erase(pid);
    if (members_.empty()) look();
}

void MarkedStop::on_limit() {
    if (std::exchange(killing_, true)) return finish();
    signal_ = SIGKILL;
    limit_.set(kKillLimit);
    for (const auto& [pid, member] : members_) send(member.process);
    look();
}

/// One that changed its user refuses us; it is then among the survivors.
void MarkedStop::send(const os::PidFd& process) const {
    try {
        process.send_signal(signal_);
    } catch (const std::system_error&) {
    }
}

void MarkedStop::finish() {
    limit_.clear();
    Outcome outcome;
    outcome.found = found_;
    for (const auto& [pid, member] : members_) outcome.survivors.push_back(pid);
    for (const auto& then : std::exchange(thens_, {})) then(outcome);
}

}  // namespace pp::hub
