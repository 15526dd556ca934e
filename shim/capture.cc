#include "shim/capture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace pp::shim {
namespace {

using std::chrono::microseconds;

constexpr auto kPause = microseconds{200};
constexpr auto kHotWithin = microseconds{1000};
constexpr int kQuietPipe = 64 << 10;  // the kernel's default; 64 pipes of 1 MiB are all an ordinary user may have
constexpr int kHotPipe = 256 << 10;
constexpr std::size_t kTerminalHolds = 256u << 10;  // bytes; more than the kernel keeps for a terminal
constexpr std::size_t kTurnBudget = 4u << 20;  // bytes of one pipe before the others get their turn

/// Empty, and nobody has it open for writing.
bool is_at_end(int pipe) {
    pollfd polled{pipe, POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1 && polled.revents == POLLHUP;
}

}  // namespace

struct Capture::Source {
    os::UniqueFd pipe;
    Terminal terminal;  ///< or none; its aux_read is `pipe`
    ring::Stream stream;
    std::uint32_t run;
    std::unique_ptr<os::Loop::Watch> watch;
    std::unique_ptr<os::Loop::Timer> pause;
    os::Loop::TimePoint last_output{};
    std::size_t capacity = kQuietPipe;
    bool may_grow = true;
};

Capture::Capture(os::Loop& loop, ring::Writer& writer, Callbacks callbacks)
    : loop_{loop}, writer_{writer}, callbacks_{std::move(callbacks)} {}

Capture::~Capture() = default;

void Capture::add(os::UniqueFd pipe, ring::Stream stream, std::uint32_t run) {
    auto& source = *sources_.emplace_back(std::make_unique<Source>());
    source.pipe = std::move(pipe);
    source.stream = stream;
    source.run = run;
    if (const int size = ::fcntl(source.pipe.get(), F_GETPIPE_SZ); size > 0)
        source.capacity = static_cast<std::size_t>(size);
    source.watch = std::make_unique<os::Loop::Watch>(loop_, source.pipe.get(), POLLIN,
                                                     [this, &source](short) { on_readable(source); });
    source.pause = std::make_unique<os::Loop::Timer>(loop_, [&source] { source.watch->pause(false); });
}

void Capture::add(Terminal terminal, std::uint32_t run) {
    auto& source = *sources_.emplace_back(std::make_unique<Source>());
    source.pipe = std::move(terminal.aux_read);
    source.terminal = std::move(terminal);
    source.stream = ring::Stream::merged;
    source.run = run;
    source.watch = std::make_unique<os::Loop::Watch>(loop_, source.terminal.master.get(), POLLIN,
                                                     [this, &source](short) { on_readable(source); });
    on_readable(source);  // the aux pipe of a dead shim may hold something, and nothing else may ever come
}

void Capture::on_readable(Source& source) {
    bool ended = false;
    const auto taken = take(source, kTurnBudget, ended);
    if (taken > 0) callbacks_.on_output();
    if (ended) return end(source);
    if (!source.terminal.master) pace(source, taken);
}

/// Takes up to `limit` bytes; what was there when we came is what one turn can expect.
std::size_t Capture::take(Source& source, std::size_t limit, bool& ended) {
    return source.terminal.master ? take_terminal(source, limit, ended) : take_pipe(source, limit, ended);
}

std::size_t Capture::take_pipe(Source& source, std::size_t limit, bool& ended) {
    std::size_t total = 0;
    while (total < limit) {
        const auto taken =
            writer_.take(source.pipe.get(), source.stream, source.run, std::min(limit - total, source.capacity));
        switch (taken.what) {
            case ring::Writer::Taken::What::nothing: return total;
            case ring::Writer::Taken::What::end_of_file:
            case ring::Writer::Taken::What::failed: ended = true; return total;
            case ring::Writer::Taken::What::bytes:
            case ring::Writer::Taken::What::dropped: total += taken.count; break;
        }
        // a batch that left the pipe empty is whole: asking again would only meet the next byte alone
        if (taken.count < source.capacity / 2) return total;
    }
    return total;
}

/// What the aux pipe holds comes first: a shim may have died between the two moves.
std::size_t Capture::take_terminal(Source& source, std::size_t limit, bool& ended) {
    std::size_t total = 0;
    while (true) {
        bool no_pipe = false;
        while (const auto taken = take_pipe(source, source.capacity, no_pipe)) total += taken;
        if (total >= limit) return total;
        const ssize_t moved = move_to_pipe(source, std::min(limit - total, source.capacity));
        // EIO: nobody has the terminal open any more; before that, EAGAIN
        ended = no_pipe || moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR);
        if (moved <= 0) return total;
    }
}

ssize_t Capture::move_to_pipe(Source& source, std::size_t limit) {
    const int master = source.terminal.master.get();
    const int pipe = source.terminal.aux_write.get();
    if (!terminal_fallback_) {
        const ssize_t moved = ::splice(master, nullptr, pipe, nullptr, limit, SPLICE_F_NONBLOCK);
        if (moved >= 0 || errno != EINVAL) return moved;
        terminal_fallback_ = true;
    }
    std::array<char, 4096> buffer;  // a pipe takes that much whole, or not at all
    const ssize_t got = ::read(master, buffer.data(), std::min(limit, buffer.size()));
    return got <= 0 ? got : ::write(pipe, buffer.data(), static_cast<std::size_t>(got));
}

/// Decides when to look again.
void Capture::pace(Source& source, std::size_t taken) {
    const bool hot = loop_.now() - source.last_output < kHotWithin;
    source.last_output = loop_.now();
    // Of a quiet pipe: half of a grown one is more than a write of 64 KiB, and the child would wait for the
    // pause to end with the pipe full.
    const bool large = taken >= std::min<std::size_t>(source.capacity, kQuietPipe) / 2;
    if (hot && large && source.may_grow && source.capacity < kHotPipe) {
        const int grown = ::fcntl(source.pipe.get(), F_SETPIPE_SZ, kHotPipe);
        source.may_grow = grown > 0;  // EPERM: this user's pages are used up; the default does
        if (grown > 0) source.capacity = static_cast<std::size_t>(grown);
    } else if (!hot && source.capacity > kQuietPipe) {
        const int shrunk = ::fcntl(source.pipe.get(), F_SETPIPE_SZ, kQuietPipe);
        if (shrunk > 0) source.capacity = static_cast<std::size_t>(shrunk);
    }
    if (!hot || large || other_stream_is_live(source)) return;
    source.watch->pause(true);
    source.pause->set(kPause);
}

bool Capture::other_stream_is_live(const Source& source) const {
    return std::any_of(sources_.begin(), sources_.end(), [&](const auto& other) {
        return other.get() != &source && other->run == source.run && loop_.now() - other->last_output < kHotWithin;
    });
}

void Capture::drain_what_is_there(std::uint32_t run) {
    for (auto entry = sources_.begin(); entry != sources_.end();) {
        Source& source = **entry;
        ++entry;  // end() removes it
        if (source.run != run) continue;
        bool ended = false;
        if (source.terminal.master) {
            source.terminal.slave.reset();
            if (take(source, kTerminalHolds, ended) > 0) callbacks_.on_output();
            if (ended) end(source);
            continue;
        }
        int waiting = 0;
        if (::ioctl(source.pipe.get(), FIONREAD, &waiting) != 0) continue;
        std::size_t left = static_cast<std::size_t>(waiting);
        while (left > 0 && !ended) {
            const auto taken = take(source, left, ended);
            if (taken == 0) break;
            left -= std::min(left, taken);
        }
        if (waiting > 0) callbacks_.on_output();
        if (!ended && is_at_end(source.pipe.get())) take(source, 1, ended);
        if (ended) end(source);
    }
}

Capture::Open Capture::open_of(const Source& source) {
    return {source.pipe.get(), source.terminal.master.get(), source.terminal.aux_write.get(), source.stream, source.run};
}

void Capture::end(Source& source) {
    const auto ended = open_of(source);
    sources_.remove_if([&](const auto& other) { return other.get() == &source; });
    callbacks_.on_end(ended);
}

bool Capture::has_run(std::uint32_t run) const {
    return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) { return source->run == run; });
}

void Capture::for_each(const std::function<void(const Open&)>& visit) const {
    for (const auto& source : sources_) visit(open_of(*source));
}

int Capture::master_of(std::uint32_t run) const {
    for (const auto& source : sources_) {
        if (source->run == run && source->terminal.master) return source->terminal.master.get();
    }
    return -1;
}

}  // namespace pp::shim
