#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/writer.h"

namespace pp::shim {

/// Empties the pipes of all runs into the ring, and never makes a child wait for anything but the page cache.
///
/// While a pipe is hot, reading is put off by 200 µs at a time: read at once, each line costs a wake-up and a contended
/// pipe lock, and the child runs 7 times slower (shim.md B1: 0.10 against 0.52 GB/s for 80-byte lines). Not when the last
/// batch was half a quiet pipe or more (64 KiB writes: 1.4 against 3.0 GB/s), and not while two streams of a run
/// are live, whose order would suffer.
class Capture {
  public:
    struct Callbacks {
        std::function<void()> on_output;                              ///< the tail has moved
        std::function<void(std::uint32_t, ring::Stream)> on_end;      ///< EOF: the last writer of this pipe has left
    };

    Capture(os::Loop& loop, ring::Writer& writer, Callbacks callbacks);
    ~Capture();

    /// Takes over the read end of a pipe (non-blocking).
    void add(os::UniqueFd pipe, ring::Stream stream, std::uint32_t run);
    /// Takes what is in the run's pipes now, and no more: all that a dead main wrote, however much others write on.
    void drain_what_is_there(std::uint32_t run);
    /// Every pipe has reached EOF.
    [[nodiscard]] bool empty() const { return sources_.empty(); }
    [[nodiscard]] bool has_run(std::uint32_t run) const;
    void for_each(const std::function<void(int fd, ring::Stream, std::uint32_t run)>& visit) const;

  private:
    struct Source;
    void on_readable(Source& source);
    std::size_t take(Source& source, std::size_t limit, bool& ended);
    void pace(Source& source, std::size_t taken);
    void end(Source& source);
    [[nodiscard]] bool other_stream_is_live(const Source& source) const;

    os::Loop& loop_;
    ring::Writer& writer_;
    Callbacks callbacks_;
    std::list<std::unique_ptr<Source>> sources_;
};

}  // namespace pp::shim
