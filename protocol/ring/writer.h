#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "protocol/os/mapped_file.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/format.h"
#include "protocol/ring/state_page.h"

namespace pp::ring {

/// The shim's end of the ring: takes bytes out of pipes, says where they are, counts what the disk refused.
///
/// It is passive: the caller says which pipe is ready. Whoever makes one holds the process's lock, so there is one
/// writer at a time. It may be killed anywhere; the next one (adopt) goes on at the byte.
///
/// After construction nothing throws: a disk that refuses is an answer.
class Writer {
  public:
    struct Paths {
        std::string state;  ///< run/p12.state
        std::string ring;   ///< out.ring
        std::string heads;  ///< heads
    };

    /// Opens the ring of a process, or makes it with this capacity where there is none. The state page is taken over if it
    /// is of this boot, and made anew from the ring's checkpoint if not. Throws std::system_error or, for a file that is
    /// not what it should be, std::runtime_error with the damage.
    static Writer open(const Paths& paths, std::uint64_t process, std::uint64_t capacity);

    struct Taken {
        enum class What {
            bytes,        ///< `count` bytes were stored
            nothing,      ///< the pipe is empty
            end_of_file,  ///< the last writer has left
            dropped,      ///< `count` bytes were taken and counted, but the disk refused them
            failed,       ///< the pipe cannot be read at all; treat as its end
        };
        What what = What::nothing;
        std::size_t count = 0;
    };

    /// Moves up to `max` bytes from a pipe into the ring without blocking. May stop short at the ring's end: call again.
    Taken take(int pipe, Stream stream, std::uint32_t run, std::size_t max);

    /// Stores bytes of our own making.
    void append(std::span<const std::byte> bytes, Stream stream, std::uint32_t run);

    /// Writes the checkpoint; `sealed` also says that all is told, and syncs log and checkpoint. False if the disk refuses: the
    /// one before holds.
    bool checkpoint(bool sealed);

    [[nodiscard]] std::uint64_t tail() const { return tail_; }
    [[nodiscard]] StatePage& page() { return page_; }
    [[nodiscard]] const StatePage& page() const { return page_; }
    /// There was none of this boot: what it says of the process is for the caller to put in.
    [[nodiscard]] bool has_made_page() const { return has_made_page_; }
    [[nodiscard]] std::uint64_t dropped_bytes() const { return dropped_bytes_; }
    /// errno of the disk's last refusal, 0 once it takes bytes again.
    [[nodiscard]] int capture_error() const { return capture_error_; }
    /// splice was refused on this file system and read() is used: a SIGKILL may then lose what was just read.
    [[nodiscard]] bool read_fallback() const { return read_fallback_; }
    /// Marks what comes next as taken by this succession.
    void set_generation(std::uint16_t generation) { generation_ = generation; recovered_ = true; }
    /// A run begins at the tail: its head will be kept before the ring overwrites it.
    void begin_run(std::uint32_t run);

    /// Nanoseconds. The wall clock may jump, and the times in the ring never go back for that; the steady one tells how far
    /// chunks are apart.
    struct Clock {
        std::int64_t (*wall)();
        std::int64_t (*steady)();
    };
    /// Another clock than the system's.
    void set_clock(Clock clock) { clock_ = clock; }

  private:
    Writer();
    void recover();
    void count_lines();
    void describe(Stream stream, std::uint32_t run);
    bool write_descriptor(std::uint64_t number, const Descriptor& descriptor);
    void wrap_if_at_end();
    void advance(std::uint64_t count);
    void move_position(std::uint64_t count);
    void publish_tail(std::uint64_t tail);
    Taken take_by_read(int pipe, std::size_t max);
    Taken drop(int pipe, std::size_t max, int error);
    void note_gap(std::uint64_t begin, std::uint64_t end);
    void save_heads(std::uint64_t upcoming);
    bool copy_to_head(std::size_t slot, std::uint64_t end);
    std::uint64_t newlines(std::uint64_t from, std::uint64_t to) const;
    static void create_file(const std::string& path, std::uint64_t process, std::uint64_t capacity);
    [[nodiscard]] std::int64_t wall_clock();

    StatePage page_;
    bool has_made_page_ = false;
    os::UniqueFd ring_;
    os::UniqueFd heads_;
    os::MappedFile data_;
    std::string heads_path_;
    Geometry geometry_;
    std::uint64_t tail_ = 0;
    std::uint64_t descriptors_ = 0;
    Descriptor last_;
    bool has_last_ = false;
    std::uint64_t checkpoint_sequence_ = 0;
    std::uint64_t dropped_bytes_ = 0;
    int capture_error_ = 0;
    bool read_fallback_ = false;
    bool recovered_ = false;
    std::uint16_t generation_ = 0;
    Clock clock_;
    std::int64_t last_time_ns_ = 0;
    std::int64_t last_steady_ns_ = 0;  ///< when `last_` was written
    bool is_behind_ = false;           ///< the wall clock has gone back, and has not come up with last_time_ns_ yet
    bool clock_stepped_ = false;       ///< what is written next says so
    std::int64_t quantum_ns_ = 1'000'000;
};

}  // namespace pp::ring
