#include "shim/capture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>

namespace pp::shim {
namespace {

using std::chrono::microseconds;

constexpr auto kPause = microseconds{200};
constexpr auto kHotWithin = microseconds{1000};
constexpr int kQuietPipe = 64 << 10;  // the kernel's default; 64 pipes of 1 MiB are all an ordinary user may have
constexpr int kHotPipe = 256 << 10;
constexpr std::size_t kTurnBudget = 4u << 20;  // bytes of one pipe before the others get their turn

/// Empty, and nobody has it open for writing.
bool is_at_end(int pipe) {
    pollfd polled{pipe, POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1 && polled.revents == POLLHUP;
}

}  // namespace

struct Capture::Source {
    os::UniqueFd pipe;
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

void Capture::on_readable(Source& source) {
    bool ended = false;
    const auto taken = take(source, kTurnBudget, ended);
    if (taken > 0) callbacks_.on_output();
    if (ended) return end(source);
    pace(source, taken);
}

/// Takes up to `limit` bytes; the pipe's fill when we came is what one turn can expect.
std::size_t Capture::take(Source& source, std::size_t limit, bool& ended) {
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
        int waiting = 0;
        bool ended = false;
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

void Capture::end(Source& source) {
    const auto run = source.run;
    const auto stream = source.stream;
    sources_.remove_if([&](const auto& other) { return other.get() == &source; });
    callbacks_.on_end(run, stream);
}

bool Capture::has_run(std::uint32_t run) const {
    return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) { return source->run == run; });
}

void Capture::for_each(const std::function<void(int fd, ring::Stream, std::uint32_t run)>& visit) const {
    for (const auto& source : sources_) visit(source->pipe.get(), source->stream, source->run);
}

}  // namespace pp::shim
