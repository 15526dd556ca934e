#include "shim/main_exit.h"

#include <sys/resource.h>

#include "protocol/os/proc.h"
#include "shim/clock.h"

namespace pp::shim {
namespace {

std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

/// A shim that was killed right behind the fork never learnt the start time: then the pid alone has to do.
std::optional<ring::OrphanExit> find_record(const ring::StatePage& page, pid_t main, std::uint64_t start_time) {
    const auto orphan = ring::read_state(page.fd()).orphan;
    if (orphan.pid != main || orphan.kind == ring::ExitKind::none) return std::nullopt;
    const bool is_same = orphan.start_time == 0 || start_time == 0 || orphan.start_time == start_time;
    return is_same ? std::optional{orphan} : std::nullopt;
}

ring::OrphanExit make_exit(const os::ExitStatus& status, const rusage& usage) {
    ring::OrphanExit exit;
    exit.ended_at_ns = now_ns();
    exit.kind = status.kind == os::ExitStatus::Kind::exited     ? ring::ExitKind::exited
                : status.kind == os::ExitStatus::Kind::signaled ? ring::ExitKind::signaled
                                                                : ring::ExitKind::unknown;
    exit.value = status.value;
    exit.core_dumped = status.core ? 1 : 0;
    exit.user_us = microseconds(usage.ru_utime);
    exit.system_us = microseconds(usage.ru_stime);
    exit.max_resident_kib = static_cast<std::uint64_t>(usage.ru_maxrss);
    return exit;
}

}  // namespace

std::optional<ring::OrphanExit> find_main_exit(const os::PidFd& main, std::uint64_t start_time,
                                               const ring::StatePage& page, pid_t keeper,
                                               const AskStranger& ask_stranger) {
    const bool is_held = main.get() >= 0;
    if (is_held && !main.ended()) return std::nullopt;
    rusage usage{};
    if (is_held) {
        if (const auto status = main.find_exit(&usage)) return make_exit(*status, usage);
    }
    if (const auto record = find_record(page, main.pid(), start_time)) return record;
    if (is_held) {
        const auto stat = os::find_proc_stat(main.pid());
        if (stat && stat->parent == keeper && keeper > 0) return std::nullopt;
        if (const auto status = ask_stranger(main, start_time)) return make_exit(*status, usage);
        // the keeper may have reaped it between our two looks
        if (const auto record = find_record(page, main.pid(), start_time)) return record;
    }
    return make_exit(os::ExitStatus{}, usage);
}

}  // namespace pp::shim
