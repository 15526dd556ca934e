#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pp::ring {

// The ring file PPR1: the bounded log of one process, over all its runs.
//
// Constraints: one writer that may be SIGKILLed between any two instructions; many readers that only read; disk
// bounded by construction; a full disk is an answer of a system call and never SIGBUS.
//
// Not taken: records with inline headers (splice cannot write them, and grep, tail -c and sendfile could not read the
// payload), and O_APPEND segments (splice refuses O_APPEND; growing files measured 0.81 of a ring in place).
//
//     superblock A | superblock B     4 KiB each: alternating checkpoints of the state page, for a reboot
//     descriptors                     32 bytes each, slot = number % count
//     data                            raw payload, offset = cursor % capacity
//
// The file is sparse: descriptors and payload are written by pwrite and splice, and what was never used takes no disk.
// Who holds the truth while a shim lives is the state page (state_page.h).
//
// Little endian. A cursor counts payload bytes since the process was created; it never resets.

inline constexpr std::string_view kRingMagic = "PPR1RING";
inline constexpr std::uint32_t kOldestRingVersion = 1;
inline constexpr std::uint32_t kRingVersion = 1;  // 1: the first

inline constexpr std::uint64_t kSuperblockSize = 4096;
inline constexpr std::uint64_t kDescriptorsOffset = 2 * kSuperblockSize;
inline constexpr std::uint64_t kMinCapacity = 64u << 10;
inline constexpr std::uint64_t kDefaultCapacity = 16u << 20;
inline constexpr std::uint64_t kMaxCapacity = 1u << 30;

/// Payload bytes per descriptor that the descriptor area is made for; smaller chunks are merged by time first.
inline constexpr std::uint64_t kBytesPerDescriptor = 256;

enum class Stream : std::uint8_t {
    merged = 0,  ///< stdout and stderr over one pipe or terminal, in exact order
    out = 1,
    err = 2,
    note = 3,  ///< said by pp itself, not by the child
};

enum DescriptorFlags : std::uint8_t {
    kRecovered = 1,  ///< first chunk after a successor took over
    kClockStep = 2,  ///< the wall clock had gone back: the time was held at the last one
};

/// Where a chunk begins and what it is. It ends where the next one begins, the newest one at the tail.
struct Descriptor {
    std::uint64_t begin = 0;
    std::int64_t time_ns = 0;   ///< wall clock when the chunk was taken; never decreases within a ring
    std::uint64_t line = 0;     ///< newlines before `begin`, since the process was created
    std::uint32_t run = 0;
    Stream stream = Stream::merged;
    std::uint8_t flags = 0;
    std::uint16_t generation = 0;  ///< of the shim that wrote it; counts successions

    bool operator==(const Descriptor&) const = default;
};
static_assert(sizeof(Descriptor) == 32);

/// A stretch of cursors whose bytes were never stored: the disk refused them, and the pipe was kept flowing.
struct Gap {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool operator==(const Gap&) const = default;
};
inline constexpr std::size_t kMaxGaps = 8;  ///< with more, the two oldest become one that spans both

/// Start of a run, kept beside the ring: cursors [begin, begin + length) in slot run % kHeadSlots of the heads file.
struct Head {
    std::uint64_t run = 0;  ///< 0: none
    std::uint64_t begin = 0;
    std::uint64_t length = 0;
};
inline constexpr std::size_t kHeadSlots = 8;
inline constexpr std::uint64_t kHeadSize = 64u << 10;

/// Shape of a ring file, fixed when it is made.
struct Geometry {
    std::uint64_t capacity = 0;          ///< payload bytes, a power of two
    std::uint64_t descriptor_count = 0;  ///< a power of two

    static Geometry for_capacity(std::uint64_t capacity);

    [[nodiscard]] std::uint64_t data_offset() const { return kDescriptorsOffset + descriptor_count * sizeof(Descriptor); }
    [[nodiscard]] std::uint64_t file_size() const { return data_offset() + capacity; }
    [[nodiscard]] std::uint64_t offset_of(std::uint64_t cursor) const { return data_offset() + cursor % capacity; }
    [[nodiscard]] std::uint64_t offset_of_descriptor(std::uint64_t number) const {
        return kDescriptorsOffset + number % descriptor_count * sizeof(Descriptor);
    }
    [[nodiscard]] bool valid() const;
    bool operator==(const Geometry&) const = default;
};

/// Checkpoint in the ring file; the valid one with the higher sequence counts.
struct Superblock {
    char magic[8] = {};
    std::uint32_t version = kRingVersion;
    std::uint32_t sealed = 0;  ///< the writer ended in order: nothing came after this
    std::uint64_t sequence = 0;
    std::uint64_t process = 0;
    std::uint8_t uuid[16] = {};
    Geometry geometry;
    std::uint64_t tail = 0;
    std::uint64_t descriptors = 0;  ///< count ever published
    std::uint64_t lines = 0;
    Gap gaps[kMaxGaps] = {};
    Head heads[kHeadSlots] = {};
    std::uint64_t checksum = 0;  ///< of all bytes before
};
static_assert(sizeof(Superblock) < kSuperblockSize);

/// FNV-1a, 64 bit: enough to tell torn and damaged from whole.
std::uint64_t checksum(const void* data, std::size_t size);

}  // namespace pp::ring
