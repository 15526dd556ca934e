#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/ring/writer.h"
#include "shim/capture.h"
#include "shim/child.h"
#include "shim/input.h"
#include "shim/keeper_link.h"

namespace pp::shim {

/// All that runs between the children and us. Whatever a child would notice the closing of is deposited with the keeper
/// before the child begins, and recorded in the state page, so that a successor has it or can look for it.
class Streams {
  public:
    struct Callbacks {
        std::function<void()> on_output;        ///< the tail has moved
        std::function<void()> on_end;           ///< a pipe or terminal has reached its end
        std::function<void()> on_input_closed;  ///< on request
        Input::Answer on_input_answer;
    };
    Streams(os::Loop& loop, ring::Writer& writer, Callbacks callbacks);
    /// Before anything else; the keeper must outlive us.
    void use(KeeperLink& keeper) { keeper_ = &keeper; }

    // a run begins
    void deposit(const Pipes& pipes, std::uint32_t run);
    void begin(Pipes pipes, std::uint32_t run);
    /// Its child could not be started.
    void withdraw(const Pipes& pipes, std::uint32_t run);

    // succession
    /// `live_run`: the run whose main lives, or 0.
    void reclaim(std::vector<KeeperLink::Held> held, std::uint32_t live_run);
    /// Drops what is held for a run that never had a child. Its next attempt deposits under the same names, and the end of an
    /// old pipe would withdraw the new one.
    void forget(std::vector<KeeperLink::Held>& held, std::uint32_t run);
    /// What the keeper could not give back (it died too) is looked for by its recorded inode in /proc/PID/fd of these. Returns
    /// how many outputs were not found though one of these, into which we may not look, may well have them.
    std::uint32_t find_lost(const std::vector<pid_t>& pids);
    /// For a new keeper.
    void deposit_all();

    /// Main of the run is dead: takes what it wrote, however long others hold the pipe open.
    void take_last_words(std::uint32_t run) { capture_.drain_what_is_there(run); }
    /// Every pipe and terminal of every run is at its end.
    [[nodiscard]] bool at_end() const { return capture_.empty(); }
    [[nodiscard]] bool terminal_fallback() const { return capture_.terminal_fallback(); }

    void input(Input::Request request);
    /// Answers what was taken before; false if it was not.
    bool answer_input_again(const Input::Request& request) { return input_.answer_again(request); }
    void cancel_input(std::uint64_t token) { input_.cancel(token); }
    void close_input(const std::string& reason);
    [[nodiscard]] bool has_waiting_input() const { return input_.has_waiting(); }

    /// Of the run's terminal. 0 or an errno; ENOTTY: it has none.
    int resize_terminal(std::uint32_t run, TerminalSize size);

    /// Writes into the state page which pipes there are.
    void record();

  private:
    void on_end(const Capture::Open& ended);
    void deposit(const Capture::Open& open);
    void withdraw(const Capture::Open& open);
    void reclaim_terminal(Terminal terminal, std::uint32_t run, bool main_lives);

    ring::Writer& writer_;
    Callbacks callbacks_;
    KeeperLink* keeper_ = nullptr;
    Capture capture_;
    Input input_;
    bool input_is_terminal_ = false;
};

}  // namespace pp::shim
