#include "cli/follow/follower.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "protocol/os/error.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/rundir/process_files.h"

namespace pp::cli {
namespace {

constexpr int kPiecesPerTurn = 32;  // 2 MiB: signals and keys come between

/// A page of another boot will be replaced by the shim.
bool has_page(const std::string& path) {
    const auto state = ring::find_state(path);
    return state && state->this_boot;
}

/// Whoever makes something in the directory is seen; or, where it has been removed, whoever makes it or what is above it. True
/// if it is there.
bool watch_for_entries(int notify, const std::filesystem::path& directory) {
    std::filesystem::path missing;
    for (auto watched = directory; true;) {
        if (::inotify_add_watch(notify, watched.c_str(), IN_CREATE | IN_MOVED_TO) >= 0) {
            if (missing.empty()) return true;
            if (::access(missing.c_str(), F_OK) != 0) return false;
            watched = directory;  // made meanwhile
            missing.clear();
            continue;
        }
        if (errno != ENOENT || watched == watched.parent_path()) os::throw_errno("inotify_add_watch", watched.native());
        missing = std::exchange(watched, watched.parent_path());
    }
}

}  // namespace

Follower::Follower(os::Loop& loop, const rundir::Home& home, Start start, Owner owner)
    : loop_{loop}, home_{home}, start_{start}, owner_{std::move(owner)}, again_{loop, [this] { look(); }} {}

Follower::~Follower() = default;

/// False if the process has no page yet: its shim has not come that far.
bool Follower::open() {
    if (page_) return true;
    const auto path = home_.state_page(start_.process);
    if (!has_page(path)) {
        wait_for_files();
        if (!has_page(path)) return false;
    }
    files_watch_.reset();
    find_reader();
    page_ = std::make_unique<PageWatch>(loop_, path, [this] { look(); });
    return true;
}

void Follower::find_reader() {
    reader_ = ring::Reader::find(rundir::ring_paths(home_, start_.process));
    if (!reader_) throw std::runtime_error("ring " + home_.ring(start_.process) + " is missing");
}

void Follower::wait_for_files() {
    if (files_watch_ && watches_run_) return;
    files_watch_.reset();
    files_notify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!files_notify_) os::throw_errno("inotify_init1");
    watches_run_ = watch_for_entries(files_notify_.get(), home_.run());
    files_watch_ = std::make_unique<os::Loop::Watch>(loop_, files_notify_.get(), POLLIN, [this](short) {
        std::array<char, 4096> events;
        while (::read(files_notify_.get(), events.data(), events.size()) > 0) {
        }
        again_.set(os::Loop::Clock::duration::zero());  // look() may end this watch
    });
}

void Follower::look() {
    if (ended_ || !open()) return;
    if (page_->follow_name()) {
        if (tail_) start_.cursor = tail_->cursor();
        tail_.reset();
        find_reader();
    }
    const auto seen = page_->seen();
    lifecycle_ = reader_->refresh().lifecycle;
    if (held_) return watch_for_end(seen);
    if (!owner_.has_room()) return;  // the owner calls again
    give_out();
    if (ended_ || !owner_.has_room() || again_.armed()) return;
    if (owner_.on_idle) owner_.on_idle();
    page_->arm(seen);
}

void Follower::hold(bool held) {
    held_ = held;
    look();
}

bool Follower::main_has_ended() const {
    return lifecycle_ && lifecycle_->run == start_.run && lifecycle_->state == ring::LifeState::finished;
}

bool Follower::run_has_ended() {
    if (reader_) lifecycle_ = reader_->refresh().lifecycle;
    return main_has_ended();
}

void Follower::watch_for_end(std::uint32_t seen) {
    if (!main_has_ended()) return page_->arm(seen);
    if (owner_.on_run_end) owner_.on_run_end();
}

/// How far may be shown as things stand.
std::uint64_t Follower::limit() const {
    if (lifecycle_->run > start_.run) return lifecycle_->start_cursor;
    return main_has_ended() && start_.until == FollowUntil::run_ends ? lifecycle_->end_cursor : UINT64_MAX;
}

void Follower::give_out() {
    for (int pieces = 0; pieces < kPiecesPerTurn; ++pieces) {
        if (!tail_ || tail_limit_ != limit()) {
            const auto cursor = tail_ ? tail_->cursor() : start_.cursor;
            tail_limit_ = limit();
            tail_.emplace(*reader_, start_.selection, cursor, tail_limit_);
        }
        const auto piece = tail_->next();
        if (piece) {
            give(*piece);
            if (!owner_.has_room()) return;
        } else if (lifecycle_->run > start_.run) {
            next_run();
        } else {
            if (log_over()) end();
            return;
        }
    }
    again_.set(os::Loop::Clock::duration::zero());
}

/// A descendant of an earlier run may still be writing: that is not what this follower was made for.
void Follower::give(const ring::Piece& piece) {
    const bool earlier = start_.until == FollowUntil::run_ends && piece.run != 0 && piece.run < start_.run;
    if (!earlier) owner_.on_piece(piece);
}

void Follower::next_run() {
    const bool begun = start_.run != 0;
    start_.run = lifecycle_->run;
    if (begun) owner_.on_restart(*lifecycle_);
}

/// Everything up to the limit has been given out: may more come?
bool Follower::log_over() const {
    if (lifecycle_->run < start_.run) return false;
    if (reader_->unverified()) return true;  // of another boot
    if (lifecycle_->state != ring::LifeState::finished) return false;
    if (start_.until == FollowUntil::run_ends) return true;
    return lifecycle_->drained != 0 || lifecycle_->descendants == 0 ||
           !os::OfdLock::is_held(home_.process_lock(start_.process));
}

void Follower::end() {
    ended_ = true;
    owner_.on_end(*lifecycle_);
}

}  // namespace pp::cli
