#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/os/mapped_file.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/format.h"

namespace pp::ring {

// The state page: 4 KiB in the run directory that hold what is true of a process now.
//
// One writer, the shim (the keeper writes `orphan` alone). It may die between any two instructions, so each fact is one
// aligned word, or a record with a checksum in the slot that is not in use.
//
// `position` is stored BY THE KERNEL: splice(2) is given its address as off_out, and consumes the pipe, fills the page
// cache and stores the new offset within one system call. SIGKILL is acted on at the return to user mode, so there is
// no moment at which bytes are taken but not counted (12,149 kills, 0 bytes lost; read() and then publish lost bytes
// in every run). The page is populated and mlocked so that this store cannot fault.
//
// A slot of `position` belongs to a lap: at a wrap the other slot is set first, then `lap` is stored. So at any time
//     written = lap * capacity + position[lap & 1] - data_offset

inline constexpr std::string_view kStateMagic = "PPRSTATE";
inline constexpr std::uint32_t kOldestStateVersion = 1;
inline constexpr std::uint32_t kStateVersion = 1;  // 1: the first
inline constexpr std::size_t kStatePageSize = 4096;
inline constexpr std::size_t kMaxSources = 24;
inline constexpr std::size_t kInputMarks = 8;

enum class LifeState : std::uint32_t {
    none = 0,  ///< no run yet
    starting = 1,
    building = 2,
    running = 3,
    stopping = 4,
    backoff = 5,
    finished = 6,
};

enum class ExitKind : std::uint32_t {
    none = 0,
    exited = 1,    ///< value is the exit code
    signaled = 2,  ///< value is the signal
    unknown = 3,   ///< never invented
    not_started = 4,  ///< value is the errno of the start
};

/// The newest run. Times are wall clock in nanoseconds, 0 = not yet.
struct Lifecycle {
    std::uint32_t run = 0;
    LifeState state = LifeState::none;
    std::int32_t main_pid = 0;
    std::uint32_t descendants = 0;      ///< alive beside main, as last counted
    std::uint64_t main_start_time = 0;  ///< clock ticks since boot, with main_pid the identity of main
    std::int64_t started_at_ns = 0;
    std::int64_t ended_at_ns = 0;
    std::uint64_t start_cursor = 0;
    std::uint64_t end_cursor = 0;  ///< all that main wrote lies before it; descendants may write on
    ExitKind exit_kind = ExitKind::none;
    std::int32_t exit_value = 0;
    std::uint32_t core_dumped = 0;
    std::uint32_t stop_requested = 0;  ///< pp was asked to end this run
    std::uint64_t user_us = 0;         ///< of main and its reaped children
    std::uint64_t system_us = 0;
    std::uint64_t max_resident_kib = 0;
    std::uint32_t restarts = 0;  ///< runs after the first
    std::uint32_t drained = 0;   ///< main has exited, and every pipe of every run reached EOF
    std::int32_t shim_pid = 0;
    std::uint32_t generation = 0;
    std::uint64_t dropped_bytes = 0;  ///< refused by the disk, over all runs
    std::uint32_t capture_error = 0;  ///< errno of the disk's last refusal, 0 while it takes all
    std::uint32_t read_fallback = 0;  ///< splice was refused: captured by read, not safe against SIGKILL
    std::uint32_t survivors = 0;      ///< of the last stop: alive after KILL
    std::uint32_t start_next = 0;     ///< a new run begins as soon as the stop is through

    bool operator==(const Lifecycle&) const = default;
};
static_assert(sizeof(Lifecycle) == 136);

/// How an orphan ended: written by the keeper, which is its parent, before it reaps.
struct OrphanExit {
    std::uint64_t start_time = 0;
    std::int64_t ended_at_ns = 0;
    std::int32_t pid = 0;
    ExitKind kind = ExitKind::none;
    std::int32_t value = 0;
    std::uint32_t core_dumped = 0;
    std::uint64_t user_us = 0;
    std::uint64_t system_us = 0;
    std::uint64_t max_resident_kib = 0;
    std::uint64_t checksum = 0;

    bool operator==(const OrphanExit&) const = default;
};

/// A pipe that output comes from, so that whoever comes after all of us can find it in /proc/PID/fd.
struct Source {
    std::uint64_t pipe_inode = 0;  ///< 0: free slot
    std::uint32_t run = 0;
    Stream stream = Stream::merged;
    std::uint8_t input = 0;  ///< stdin: we hold the write end
    std::uint16_t reserved = 0;
};
static_assert(sizeof(Source) == 16);

/// How far a request for stdin came.
struct InputMark {
    std::uint64_t request = 0;  ///< its id; 0: none
    std::int64_t taken = 0;     ///< bytes, stored BY THE KERNEL: sendfile(2) is given its address
};

/// How many newlines the log held when a run began. One word, so that a reader never has the run of one and the count of another.
struct RunLines {
    static constexpr int kLineBits = 40;  ///< and 24 of the run's number
    static std::uint64_t pack(std::uint32_t run, std::uint64_t lines) {
        return std::uint64_t{run} << kLineBits | (lines & ((std::uint64_t{1} << kLineBits) - 1));
    }
    /// Nothing if the word is another run's.
    static std::optional<std::uint64_t> find(std::uint64_t word, std::uint32_t run) {
        const auto lines = word & ((std::uint64_t{1} << kLineBits) - 1);
        return run != 0 && word == pack(run, lines) ? std::optional{lines} : std::nullopt;
    }
};

/// The child of a run in one word: its pid in the low half, the run in the high one.
struct SpawnedChild {
    std::uint32_t run = 0;
    std::int32_t pid = 0;
    [[nodiscard]] std::uint64_t pack() const { return std::uint64_t{run} << 32 | static_cast<std::uint32_t>(pid); }
    static SpawnedChild unpack(std::uint64_t word) {
        return {static_cast<std::uint32_t>(word >> 32), static_cast<std::int32_t>(static_cast<std::uint32_t>(word))};
    }
};

struct StatePageLayout {
    // identity: never changes; magic is stored last
    char magic[8];
    std::uint32_t version;
    std::uint32_t size;
    std::uint64_t process;
    std::uint8_t ring_uuid[16];
    char boot_id[40];
    Geometry geometry;
    std::int64_t created_at_ns;
    std::uint8_t identity_padding[0x100 - 104];

    // 0x100: where the kernel writes
    std::int64_t position[2];
    std::atomic<std::uint64_t> lap;
    std::uint8_t position_padding[64 - 24];

    // 0x140: what readers look at, in the order in which a copy of the page reads it
    std::atomic<std::uint64_t> tail;         ///< readable up to here
    std::atomic<std::uint64_t> descriptors;  ///< published ones
    std::atomic<std::uint64_t> reserve;      ///< the running splice may overwrite all below reserve - capacity
    std::uint8_t tail_padding[64 - 24];

    // 0x180: a follower sleeps on this word; it changes with the tail and with the lifecycle
    std::atomic<std::uint32_t> wake;
    std::atomic<std::uint32_t> lifecycle_slot;  ///< parity names the slot that counts
    std::uint8_t wake_padding[64 - 8];

    // 0x1C0
    std::uint64_t lines;       ///< newlines before lines_upto
    std::uint64_t lines_upto;
    std::atomic<std::uint64_t> next_event;  ///< sequence number that the next event gets, from 1
    std::atomic<std::uint32_t> gap_count;
    std::uint32_t events_reserved;
    Gap gaps[kMaxGaps];
    std::uint8_t gap_padding[0x280 - 0x1C0 - 32 - sizeof(Gap) * kMaxGaps];

    // 0x280
    struct LifecycleSlot {
        Lifecycle lifecycle;
        std::uint64_t checksum;
        std::uint8_t padding[256 - sizeof(Lifecycle) - 8];
    } lifecycles[2];

    // 0x480
    OrphanExit orphan;
    /// the newest child, as SpawnedChild packs it; stored by that child itself between vfork and exec, so that there is no moment
    /// in which it runs unrecorded
    std::atomic<std::uint64_t> spawned;
    std::uint8_t orphan_padding[128 - sizeof(OrphanExit) - 8];

    // 0x500
    Head heads[kHeadSlots];
    // 0x5C0
    Source sources[kMaxSources];

    /// the stop that is under way (zero in pages of before there was this); CLOCK_MONOTONIC
    std::atomic<std::int64_t> stop_deadline_ns;
    std::atomic<std::int32_t> stop_signal;
    std::atomic<std::uint32_t> stop_sent;

    /// outputs of the newest run that nobody can capture any more (zero in pages of before there was this)
    std::atomic<std::uint32_t> unreachable;

    std::uint8_t stop_padding[0x780 - 0x5C0 - sizeof(Source) * kMaxSources - 20];

    // 0x780: the newest requests for stdin, slot = number % kInputMarks (zero in pages of before there was this)
    InputMark input_marks[kInputMarks];
    std::atomic<std::uint32_t> inputs;  ///< number of the newest

    std::uint8_t rest[0xFC0 - 0x780 - sizeof(InputMark) * kInputMarks - 4];

    // 0xFC0: newlines before the begin of run `run % kHeadSlots`, as RunLines packs it (zero in pages of before there was this)
    std::atomic<std::uint64_t> run_lines[kHeadSlots];
};
static_assert(sizeof(StatePageLayout) == kStatePageSize);
static_assert(offsetof(StatePageLayout, position) == 0x100);
static_assert(offsetof(StatePageLayout, tail) == 0x140);
static_assert(offsetof(StatePageLayout, wake) == 0x180);
static_assert(offsetof(StatePageLayout, lines) == 0x1C0);
static_assert(offsetof(StatePageLayout, spawned) == 0x480 + sizeof(OrphanExit));
static_assert(offsetof(StatePageLayout, lifecycles) == 0x280);
static_assert(offsetof(StatePageLayout, heads) == 0x500);
static_assert(offsetof(StatePageLayout, input_marks) == 0x780);
static_assert(offsetof(StatePageLayout, run_lines) == 0xFC0);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// Why a page or ring cannot be used; said to the person as it is.
struct Damage {
    std::string what;
};

/// The page, mapped: by the shim and keeper to write, by a follower to sleep on.
class StatePage {
  public:
    StatePage() = default;
    /// Makes the page (0600) for a ring; replaces one that is there. Populated and mlocked (`locked()` tells whether).
    static StatePage create(const std::string& path, std::uint64_t process, const std::uint8_t (&uuid)[16],
                            const Geometry& geometry, std::uint64_t tail);
    /// Maps a page that is there. Throws std::system_error where the system refuses, and std::runtime_error with the
    /// damage where the page is not one of ours.
    static StatePage open(const std::string& path, os::MappedFile::Access access);
    /// From a descriptor that was sent.
    static StatePage from_fd(os::UniqueFd fd, os::MappedFile::Access access);

    /// Whether `path` names this page still: a run directory can be wiped under us.
    [[nodiscard]] bool is_at(const std::string& path) const;
    /// Puts a copy of this page there, as it is now, and gives that back: the writer goes on with the copy. (A file without a
    /// name cannot be given one again.) By rename, so that whoever is killed here leaves a whole one, or none. Throws
    /// std::system_error, and std::runtime_error where it has been cut short.
    [[nodiscard]] StatePage restore(const std::string& path) const { return copy_of(fd(), path); }
    /// The same of a page that is not mapped.
    static StatePage copy_of(int fd, const std::string& path);

    [[nodiscard]] StatePageLayout& operator*() const { return *layout(); }
    [[nodiscard]] StatePageLayout* operator->() const { return layout(); }
    explicit operator bool() const { return static_cast<bool>(mapping_); }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool locked() const { return locked_; }

    /// Publishes in the slot not in use, then wakes followers.
    void publish(const Lifecycle& lifecycle) const;
    /// Wakes all who sleep on the page.
    void wake() const;
    /// Bytes written, from the kernel's own word.
    [[nodiscard]] std::uint64_t written() const;

  private:
    static StatePage allocate(const std::string& path);
    [[nodiscard]] StatePageLayout* layout() const { return reinterpret_cast<StatePageLayout*>(mapping_.data()); }
    os::UniqueFd fd_;
    os::MappedFile mapping_;
    bool locked_ = false;
};

/// A copy of a page, taken by pread: a truncated file is an answer and not SIGBUS. Readers use this.
struct StateSnapshot {
    std::uint64_t process = 0;
    bool this_boot = false;  ///< a page of another boot is history only
    Geometry geometry;
    std::uint8_t ring_uuid[16] = {};
    std::int64_t created_at_ns = 0;
    std::uint64_t tail = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t reserve = 0;
    std::uint64_t lines = 0;
    std::uint64_t lines_upto = 0;
    std::uint64_t next_event = 1;
    std::size_t gap_count = 0;
    Gap gaps[kMaxGaps] = {};
    Head heads[kHeadSlots] = {};
    std::uint64_t run_lines[kHeadSlots] = {};  ///< see RunLines
    Source sources[kMaxSources] = {};
    Lifecycle lifecycle;
    OrphanExit orphan;
    std::uint32_t unreachable = 0;
};

/// Throws, as StatePage::from_fd() does, if this is none of our pages.
void check_page(int fd);

/// Writes how an orphan ended into a page; false, with errno, if it cannot be written.
[[nodiscard]] bool store_orphan(int fd, OrphanExit orphan);

/// What is another one whenever anything was written or published.
struct StateGlance {
    std::uint64_t tail = 0;
    std::uint32_t wake = 0;
    std::uint32_t lifecycle_slot = 0;
    bool operator==(const StateGlance&) const = default;
};

/// Of a page that was read before. Throws as read_state() does, for one that has been cut short since.
StateGlance glance_at_state(int fd);

/// Reads a page. Throws std::runtime_error with the damage for a short, foreign or inconsistent one, and
/// std::system_error where it cannot be read.
StateSnapshot read_state(int fd);

/// Nothing if there is no such file.
std::optional<StateSnapshot> find_state(const std::string& path);

}  // namespace pp::ring
