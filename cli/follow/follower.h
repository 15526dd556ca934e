#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/follow/page_watch.h"
#include "protocol/os/loop.h"
#include "protocol/ring/reader.h"
#include "protocol/ring/tail.h"
#include "protocol/rundir/home.h"

namespace pp::cli {

/// Where following is over.
enum class FollowUntil {
    run_ends,  ///< all that main wrote has been shown: what descendants write later is not waited for
    log_ends,  ///< nothing can come any more
};

/// Follows a log over the runs of a process, from files alone: neither hub nor shim is asked, and the death
/// of either is not noticed. Gives out pieces while there is room for them; what is not taken stays in the
/// ring.
class Follower {
  public:
    struct Start {
        rundir::ProcessNumber process = 0;
        ring::Selection selection;
        std::uint64_t cursor = 0;
        std::uint32_t run = 0;  ///< the one whose end is waited for; it may not have begun yet
        FollowUntil until = FollowUntil::run_ends;
    };
    struct Owner {
        std::function<bool()> has_room;
        std::function<void(const ring::Piece&)> on_piece;
        /// The process was started again: what comes now is of this run.
        std::function<void(const ring::Lifecycle&)> on_restart;
        /// All that there is has been given out; more may come. May be left empty.
        std::function<void()> on_idle;
        /// While held: the run that is waited for has ended. May be left empty.
        std::function<void()> on_run_end;
        /// Everything has been given out. The last call.
        std::function<void(const ring::Lifecycle&)> on_end;
    };

    Follower(os::Loop& loop, const rundir::Home& home, Start start, Owner owner);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    /// Goes on, after construction and whenever there is room again.
    void look();

    /// Gives nothing out until it is let go, and goes on then; on_run_end tells of an end meanwhile.
    void hold(bool held);
    /// Whether main has ended, as the page says now.
    [[nodiscard]] bool run_has_ended();

    /// The newest state that was seen.
    [[nodiscard]] const std::optional<ring::Lifecycle>& lifecycle() const { return lifecycle_; }

  private:
    bool open();
    void find_reader();
    void wait_for_files();
    void give_out();
    void give(const ring::Piece& piece);
    void next_run();
    void end();
    void watch_for_end(std::uint32_t seen);
    [[nodiscard]] bool main_has_ended() const;
    [[nodiscard]] std::uint64_t limit() const;
    [[nodiscard]] bool log_over() const;

    os::Loop& loop_;
    const rundir::Home& home_;
    Start start_;
    Owner owner_;
    std::unique_ptr<PageWatch> page_;
    std::optional<ring::Reader> reader_;
    std::optional<ring::Tail> tail_;
    std::uint64_t tail_limit_ = 0;
    std::optional<ring::Lifecycle> lifecycle_;
    os::UniqueFd files_notify_;
    std::unique_ptr<os::Loop::Watch> files_watch_;
    bool watches_run_ = false;  ///< else what there is of the way to it
    os::Loop::Timer again_;
    bool held_ = false;
    bool ended_ = false;
};

}  // namespace pp::cli
