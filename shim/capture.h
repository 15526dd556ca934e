#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/writer.h"
#include "shim/terminal.h"

namespace pp::shim {

/// Empties the pipes of all runs into the ring, and never makes a child wait for anything but the page cache.
///
/// While a pipe is hot, reading is put off by 200 µs at a time: read at once, each line costs a wake-up and a contended
/// pipe lock, and the child runs 7 times slower (0.10 against 0.52 GB/s for 80-byte lines, measured on 2 cores). Not when the last
/// batch was half a quiet pipe or more (64 KiB writes: 1.4 against 3.0 GB/s), and not while two streams of a run
/// are live, whose order would suffer, and not for a terminal, whose line discipline makes the child wait long before.
class Capture {
  public:
    /// What is read, as it has to be kept for a successor.
    struct Open {
        int pipe = -1;       ///< or the aux pipe of a terminal
        int master = -1;     ///< of a terminal
        int aux_write = -1;  ///< of a terminal
        ring::Stream stream{};
        std::uint32_t run = 0;
        [[nodiscard]] bool is_terminal() const { return master >= 0; }
    };
    struct Callbacks {
        std::function<void()> on_output;          ///< the tail has moved
        std::function<void(const Open&)> on_end;  ///< EOF: the last writer of this pipe or terminal has left
    };

    Capture(os::Loop& loop, ring::Writer& writer, Callbacks callbacks);
    ~Capture();

    /// Takes over the read end of a pipe (non-blocking).
    void add(os::UniqueFd pipe, ring::Stream stream, std::uint32_t run);
    /// Takes over a terminal; without its slave if main is dead.
    void add(Terminal terminal, std::uint32_t run);
    /// Main is dead. Takes what is in the run's pipes now, and no more: all that main wrote, however much others write on.
    void drain_what_is_there(std::uint32_t run);
    /// Every pipe has reached EOF.
    [[nodiscard]] bool empty() const { return sources_.empty(); }
    [[nodiscard]] bool has_run(std::uint32_t run) const;
    /// The master of the run's terminal, or -1.
    [[nodiscard]] int master_of(std::uint32_t run) const;
    void for_each(const std::function<void(const Open&)>& visit) const;
    /// splice was refused by a terminal, so that a SIGKILL may lose what was just read.
    [[nodiscard]] bool terminal_fallback() const { return terminal_fallback_; }

  private:
    struct Source;
    void on_readable(Source& source);
    std::size_t take(Source& source, std::size_t limit, bool& ended);
    std::size_t take_pipe(Source& source, std::size_t limit, bool& ended);
    std::size_t take_terminal(Source& source, std::size_t limit, bool& ended);
    ssize_t move_to_pipe(Source& source, std::size_t limit);
    void pace(Source& source, std::size_t taken);
    void end(Source& source);
    static Open open_of(const Source& source);
    [[nodiscard]] bool other_stream_is_live(const Source& source) const;

    os::Loop& loop_;
    ring::Writer& writer_;
    Callbacks callbacks_;
    std::list<std::unique_ptr<Source>> sources_;
    bool terminal_fallback_ = false;
};

}  // namespace pp::shim
