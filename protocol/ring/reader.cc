#include "protocol/ring/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "protocol/os/error.h"
#include "protocol/ring/superblock.h"

namespace pp::ring {
namespace {

StateSnapshot from_checkpoint(const Superblock& block) {
    StateSnapshot state;
    state.process = block.process;
    state.geometry = block.geometry;
    std::memcpy(state.ring_uuid, block.uuid, sizeof state.ring_uuid);
    state.tail = block.tail;
    state.reserve = block.tail;
    state.descriptors = block.descriptors;
    state.lines = block.lines;
    state.lines_upto = block.tail;
    std::copy(block.heads, block.heads + kHeadSlots, state.heads);
    while (state.gap_count < kMaxGaps && block.gaps[state.gap_count].end > block.gaps[state.gap_count].begin)
        ++state.gap_count;
    std::copy(block.gaps, block.gaps + kMaxGaps, state.gaps);
    return state;
}

}  // namespace

std::optional<Reader> Reader::find(const Paths& paths) {
    Reader reader;
    reader.heads_path_ = paths.heads;
    reader.ring_.reset(::open(paths.ring.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!reader.ring_ && errno == ENOENT) return std::nullopt;
    if (!reader.ring_) os::throw_errno("open", paths.ring);

    const auto block = find_superblock(reader.ring_.get());
    if (!block) throw std::runtime_error("ring " + paths.ring + " has no whole superblock");
    struct stat status {};
    if (::fstat(reader.ring_.get(), &status) != 0) os::throw_errno("fstat", paths.ring);
    if (status.st_size < static_cast<off_t>(block->geometry.file_size()))
        throw std::runtime_error("ring " + paths.ring + " is cut short: " + std::to_string(status.st_size) + " of " +
                                 std::to_string(block->geometry.file_size()) + " bytes");

    reader.state_ = from_checkpoint(*block);
    os::UniqueFd page{::open(paths.state.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!page && errno != ENOENT) os::throw_errno("open", paths.state);
    if (page) {
        auto state = read_state(page.get());
        const bool same = state.geometry == block->geometry &&
                          std::memcmp(state.ring_uuid, block->uuid, sizeof block->uuid) == 0;
        if (state.this_boot && !same)
            throw std::runtime_error("state page " + paths.state + " belongs to another ring than " + paths.ring);
        if (state.this_boot) {
            reader.state_ = state;
            reader.page_ = std::move(page);
        } else {
            reader.state_.lifecycle = state.lifecycle;
        }
    }
    return reader;
}

const StateSnapshot& Reader::refresh() {
    if (page_) state_ = read_state(page_.get());
    return state_;
}

/// First cursor that no running or finished splice has touched since.
std::uint64_t Reader::oldest_byte() const {
    const auto capacity = state_.geometry.capacity;
    return state_.reserve > capacity ? state_.reserve - capacity : 0;
}

/// The writer may be at work on number `descriptors`, whose slot is that of the oldest: leave that one alone.
std::uint64_t Reader::oldest_descriptor() const {
    const auto count = state_.geometry.descriptor_count;
    return state_.descriptors >= count ? state_.descriptors - count + 1 : 0;
}

Reader::Bounds Reader::bounds() {
    refresh();
    auto begin = std::min(oldest_byte(), state_.tail);
    const auto oldest = oldest_descriptor();
    if (oldest > 0) {
        if (const auto first = descriptor(oldest)) begin = std::max(begin, std::min(first->begin, state_.tail));
    }
    return {begin, state_.tail};
}

std::optional<Descriptor> Reader::descriptor(std::uint64_t number) {
    Descriptor found;
    const auto offset = static_cast<off_t>(state_.geometry.offset_of_descriptor(number));
    if (::pread(ring_.get(), &found, sizeof found, offset) != static_cast<ssize_t>(sizeof found)) return std::nullopt;
    return found;
}

std::size_t Reader::read_data(std::uint64_t cursor, std::span<std::byte> buffer) {
    std::size_t done = 0;
    while (done < buffer.size()) {
        const auto offset = state_.geometry.offset_of(cursor + done);
        const auto size = std::min<std::uint64_t>(buffer.size() - done, state_.geometry.file_size() - offset);
        const ssize_t got = ::pread(ring_.get(), buffer.data() + done, size, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Reader::Read Reader::read(std::uint64_t cursor, std::uint64_t limit, std::span<std::byte> buffer) {
    refresh();
    const auto end = std::min(limit, state_.tail);
    Read result;
    result.next = cursor;
    if (buffer.empty()) return result;
    const auto skip_to = [&](std::uint64_t target) {
        target = std::min(target, end);
        if (target <= result.next) return;
        result.lost += target - result.next;
        result.next = target;
    };
    const auto found = [&](std::size_t size) {
        result.size = size;
        result.next += size;
        return result;
    };

    while (result.next < end) {  // each turn returns or moves on
        auto stop = end;
        for (std::size_t i = 0; i < state_.gap_count; ++i) {
            const Gap& gap = state_.gaps[i];
            if (result.next >= gap.begin && result.next < gap.end) skip_to(gap.end);
            if (gap.begin > result.next) stop = std::min(stop, gap.begin);
        }
        if (result.next >= stop) continue;
        if (result.next < oldest_byte()) {
            if (const auto size = read_head(result.next, stop, buffer); size > 0) return found(size);
            auto target = std::min(stop, oldest_byte());
            for (const auto& head : state_.heads) {  // a later run's head may come before what the ring has
                if (head.length > 0 && head.begin > result.next) target = std::min(target, head.begin);
            }
            skip_to(target);
            continue;
        }

        const auto want = std::min<std::uint64_t>(buffer.size(), stop - result.next);
        const auto got = read_data(result.next, buffer.first(static_cast<std::size_t>(want)));
        std::atomic_thread_fence(std::memory_order_acquire);
        refresh();  // what was overwritten while we copied is not what it was
        if (got == 0) {  // the file was cut short, or the disk cannot read it
            skip_to(stop);
            continue;
        }
        const auto safe = oldest_byte();
        if (safe <= result.next) return found(got);
        if (safe >= result.next + got || in_a_head(result.next)) continue;
        const auto torn = static_cast<std::size_t>(safe - result.next);
        std::memmove(buffer.data(), buffer.data() + torn, got - torn);
        skip_to(safe);
        return found(got - torn);
    }
    return result;
}

bool Reader::in_a_head(std::uint64_t cursor) const {
    return std::any_of(std::begin(state_.heads), std::end(state_.heads), [&](const Head& head) {
        return cursor >= head.begin && cursor - head.begin < std::min(head.length, kHeadSize);
    });
}

std::size_t Reader::read_head(std::uint64_t cursor, std::uint64_t limit, std::span<std::byte> buffer) {
    for (std::size_t slot = 0; slot < kHeadSlots; ++slot) {
        const Head head = state_.heads[slot];
        const auto length = std::min(head.length, kHeadSize);
        if (cursor < head.begin || cursor - head.begin >= length) continue;
        if (!heads_) heads_.reset(::open(heads_path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!heads_) return 0;
        const auto within = cursor - head.begin;
        const auto size = std::min<std::uint64_t>({buffer.size(), length - within, limit - cursor});
        const ssize_t got = ::pread(heads_.get(), buffer.data(), static_cast<std::size_t>(size),
                                    static_cast<off_t>(slot * kHeadSize + within));
        if (got <= 0) return 0;
        refresh();  // a newer run may have taken the slot while we copied
        if (state_.heads[slot].run != head.run || state_.heads[slot].begin != head.begin) return 0;
        return static_cast<std::size_t>(got);
    }
    return 0;
}

std::optional<Head> Reader::find_head(std::uint32_t run) const {
    const Head& head = state_.heads[run % kHeadSlots];
    if (head.run != run || head.length == 0) return std::nullopt;
    return Head{head.run, head.begin, std::min(head.length, kHeadSize)};
}

template <class Before>
std::uint64_t Reader::partition(std::uint64_t low, std::uint64_t high, Before before) {
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        const auto candidate = descriptor(middle);
        if (candidate && before(*candidate))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

std::vector<Chunk> Reader::chunks(std::uint64_t begin, std::uint64_t end, std::size_t max) {
    refresh();
    end = std::min(end, state_.tail);
    const auto oldest = oldest_descriptor();
    if (begin >= end || oldest >= state_.descriptors) return {};
    const auto after =
        partition(oldest, state_.descriptors, [&](const Descriptor& candidate) { return candidate.begin <= begin; });
    return chunks_from(after > oldest ? after - 1 : oldest, begin, end, max);
}

std::vector<Chunk> Reader::last_chunks(std::uint64_t begin, std::uint64_t end, std::size_t max) {
    refresh();
    end = std::min(end, state_.tail);
    const auto oldest = oldest_descriptor();
    if (begin >= end || oldest >= state_.descriptors || max == 0) return {};
    const auto after =
        partition(oldest, state_.descriptors, [&](const Descriptor& candidate) { return candidate.begin < end; });
    return chunks_from(after - std::min<std::uint64_t>(after - oldest, max), begin, end, max);
}

std::uint64_t Reader::cursor_at_time(std::int64_t time_ns) {
    refresh();
    const auto last = state_.descriptors;
    const auto number =
        partition(oldest_descriptor(), last, [&](const Descriptor& candidate) { return candidate.time_ns < time_ns; });
    const auto found = number < last ? descriptor(number) : std::nullopt;
    return found ? std::min(found->begin, state_.tail) : state_.tail;
}

std::vector<Chunk> Reader::chunks_from(std::uint64_t number, std::uint64_t begin, std::uint64_t end, std::size_t max) {
    std::vector<Chunk> found;
    max = std::min(max, SIZE_MAX / 2);
    const auto last = state_.descriptors;
    const auto tail = state_.tail;
    std::array<Descriptor, 512> block;
    std::uint64_t previous = 0;
    bool past = false;
    while (number < last && !past) {
        const auto slot = number % state_.geometry.descriptor_count;
        const auto count = std::min<std::uint64_t>({block.size(), last - number, state_.geometry.descriptor_count - slot,
                                                    max - found.size() + 1});  // one more, to know where the last one ends
        const auto bytes = static_cast<std::size_t>(count) * sizeof(Descriptor);
        if (::pread(ring_.get(), block.data(), bytes, static_cast<off_t>(state_.geometry.offset_of_descriptor(number))) !=
            static_cast<ssize_t>(bytes))
            break;
        refresh();  // descriptors that were overwritten while we read them are none
        const auto overwritten = oldest_descriptor() > number ? oldest_descriptor() - number : 0;
        if (overwritten > 0) found.clear();  // and so are those before them
        for (auto i = std::min(overwritten, count); i < count && !past; ++i) {
            const Descriptor& d = block[i];
            if (d.begin < previous || d.begin > tail) continue;  // damaged: never trusted, never fatal
            previous = d.begin;
            if (!found.empty()) found.back().end = std::min(found.back().end, d.begin);
            past = d.begin >= end || found.size() == max;
            if (!past) found.push_back({d.begin, end, d.time_ns, d.line, d.run, d.stream, d.flags, d.begin});
        }
        number += count;
    }
    std::erase_if(found, [&](const Chunk& chunk) { return chunk.end <= begin || chunk.begin >= chunk.end; });
    if (!found.empty()) found.front().begin = std::max(found.front().begin, begin);
    return found;
}

std::uint64_t Reader::missing(std::uint64_t begin, std::uint64_t end) const {
    end = std::min(end, state_.tail);
    std::uint64_t count = 0;
    while (begin < end) {  // each turn takes a stretch that is all there, or all missing
        auto stop = end;
        bool gone = begin < oldest_byte();
        if (gone) stop = std::min(stop, oldest_byte());
        for (const Head& head : state_.heads) {
            const auto length = std::min(head.length, kHeadSize);
            if (begin < head.begin) {
                if (length > 0) stop = std::min(stop, head.begin);
            } else if (gone && begin - head.begin < length) {
                gone = false;
                stop = std::min(stop, begin + (length - (begin - head.begin)));
            }
        }
        for (std::size_t i = 0; i < state_.gap_count; ++i) {
            const Gap& gap = state_.gaps[i];
            if (gap.begin > begin) stop = std::min(stop, gap.begin);
            if (begin >= gap.begin && begin < gap.end) {
                gone = true;
                stop = std::min(stop, gap.end);
            }
        }
        if (gone) count += stop - begin;
        begin = stop;
    }
    return count;
}

std::optional<std::uint64_t> Reader::find_run_begin(std::uint32_t run) {
    refresh();
    const Head& head = state_.heads[run % kHeadSlots];
    if (run != 0 && head.run == run) return std::min(head.begin, state_.tail);
    std::uint64_t from = 0;
    while (true) {
        const auto block = chunks(from, UINT64_MAX, 1024);
        if (block.empty()) return std::nullopt;
        for (const Chunk& chunk : block) {
            if (chunk.run == run) return chunk.begin;
        }
        from = block.back().end;
    }
}

}  // namespace pp::ring
