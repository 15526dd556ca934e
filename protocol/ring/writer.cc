#include "protocol/ring/writer.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "protocol/os/error.h"
#include "protocol/ring/superblock.h"

namespace pp::ring {
namespace {

constexpr std::int64_t kShortestQuantum = 1'000'000;       // 1 ms
constexpr std::int64_t kLongestQuantum = 60'000'000'000;   // 1 min
constexpr std::int64_t kClockNoise = 1'000'000'000;         // a clock that is set right goes back by less
constexpr std::uint64_t kRecount = 4u << 20;               // bytes that a successor counts again: about 1 ms

os::UniqueFd open_file(const std::string& path, int flags) {
    os::UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) os::throw_errno("open", path);
    return fd;
}

template <class Clock>
std::int64_t now_of() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

bool refused_splice(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP; }

}  // namespace

Writer::Writer() : clock_{now_of<std::chrono::system_clock>, now_of<std::chrono::steady_clock>} {}

Writer Writer::open(const Paths& paths, std::uint64_t process, std::uint64_t capacity) {
    Writer writer;
    writer.heads_path_ = paths.heads;
    struct stat status {};
    if (::lstat(paths.ring.c_str(), &status) != 0 && errno == ENOENT) create_file(paths.ring, process, capacity);
    writer.ring_ = open_file(paths.ring, O_RDWR);
    if (::fstat(writer.ring_.get(), &status) != 0) os::throw_errno("fstat", paths.ring);
    const auto found = find_superblock(writer.ring_.get());
    if (!found) throw std::runtime_error("ring " + paths.ring + " has no whole superblock");
    const Superblock block = *found;
    if (status.st_size != static_cast<off_t>(block.geometry.file_size()))
        throw std::runtime_error("ring " + paths.ring + " is " + std::to_string(status.st_size) +
                                 " bytes long, its superblock says " + std::to_string(block.geometry.file_size()));
    writer.geometry_ = block.geometry;
    writer.checkpoint_sequence_ = block.sequence;

    std::optional<StateSnapshot> state;
    state = find_state(paths.state);  // a damaged page is said, never overwritten
    const bool same_ring = state && std::memcmp(state->ring_uuid, block.uuid, sizeof block.uuid) == 0 &&
                           state->geometry == block.geometry;
    if (state && state->this_boot && same_ring) {
        writer.page_ = StatePage::open(paths.state, os::MappedFile::Access::read_write);
    } else {
        writer.page_ = StatePage::create(paths.state, process, block.uuid, block.geometry, block.tail);
        writer.has_made_page_ = true;
        StatePageLayout& page = *writer.page_;
        page.descriptors = block.descriptors;
        page.lines = block.lines;
        std::memcpy(page.gaps, block.gaps, sizeof page.gaps);
        std::uint32_t gaps = 0;
        while (gaps < kMaxGaps && block.gaps[gaps].end > block.gaps[gaps].begin) ++gaps;
        page.gap_count = gaps;
        std::copy(block.heads, block.heads + kHeadSlots, page.heads);
    }
    if (state) writer.dropped_bytes_ = state->lifecycle.dropped_bytes;
    writer.data_ =
        os::MappedFile{writer.ring_.get(), 0, block.geometry.file_size(), os::MappedFile::Access::read};
    writer.recover();
    return writer;
}

/// Made beside and renamed: whoever is killed here leaves no ring that nobody can open.
void Writer::create_file(const std::string& path, std::uint64_t process, std::uint64_t capacity) {
    const std::string beside = path + ".new";
    ::unlink(beside.c_str());  // left by a crash
    const os::UniqueFd file = open_file(beside, O_RDWR | O_CREAT | O_EXCL);
    Superblock block;
    block.geometry = Geometry::for_capacity(capacity);
    block.process = process;
    if (::getrandom(block.uuid, sizeof block.uuid, 0) != static_cast<ssize_t>(sizeof block.uuid))
        os::throw_errno("getrandom");
    bool done = ::ftruncate(file.get(), static_cast<off_t>(block.geometry.file_size())) == 0;
    for (int i = 0; i < 2 && done; ++i) {  // both at once: from now on there is always a whole one
        ++block.sequence;
        done = write_superblock(file.get(), block);
    }
    if (done && ::rename(beside.c_str(), path.c_str()) == 0) return;
    const int error = errno;
    ::unlink(beside.c_str());
    os::throw_error(error, "make ring", path);
}

void Writer::recover() {
    StatePageLayout& page = *page_;
    tail_ = page_.written();
    descriptors_ = page.descriptors.load(std::memory_order_relaxed);
    if (descriptors_ > 0) {
        const auto offset = static_cast<off_t>(geometry_.offset_of_descriptor(descriptors_ - 1));
        has_last_ = ::pread(ring_.get(), &last_, sizeof last_, offset) == static_cast<ssize_t>(sizeof last_) &&
                    last_.begin <= tail_;
        if (has_last_) last_time_ns_ = last_.time_ns;
    }
    const auto gap_count = std::min<std::size_t>(page.gap_count, kMaxGaps);
    std::uint64_t refused = 0;
    for (std::size_t i = 0; i < gap_count; ++i) refused += page.gaps[i].end - page.gaps[i].begin;
    dropped_bytes_ = std::max(dropped_bytes_, refused);
    // Killed between the note of a gap and the step over it: its bytes were taken, and are counted now.
    const auto noted = gap_count > 0 ? page.gaps[gap_count - 1].end : 0;
    if (noted > tail_ && noted - tail_ <= geometry_.capacity) move_position(noted - tail_);
    tail_ = page_.written();

    page.tail.store(tail_, std::memory_order_release);
    page.reserve.store(tail_, std::memory_order_release);
    // Killed between the two words of the count, they do not fit each other; the last descriptor's does.
    if (has_last_ && tail_ - last_.begin <= std::min(geometry_.capacity, kRecount)) {
        page.lines = last_.line;
        page.lines_upto = last_.begin;
    }
    count_lines();
    page_.wake();
}

Writer::Taken Writer::take(int pipe, Stream stream, std::uint32_t run, std::size_t max) {
    wrap_if_at_end();
    StatePageLayout& page = *page_;
    auto& position = page.position[page.lap.load(std::memory_order_relaxed) & 1];
    const auto room = geometry_.file_size() - static_cast<std::uint64_t>(position);
    max = std::min({static_cast<std::uint64_t>(max), room, geometry_.capacity / 4});

    save_heads(tail_ + max);
    describe(stream, run);
    // A reader that copies now must learn that these bytes may change under it, before the first of them does.
    page.reserve.store(tail_ + max, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);

    if (read_fallback_) return take_by_read(pipe, max);
    const ssize_t moved = ::splice(pipe, nullptr, ring_.get(), &position, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved > 0) {
        publish_tail(tail_ + static_cast<std::uint64_t>(moved));
        capture_error_ = 0;
        return {Taken::What::bytes, static_cast<std::size_t>(moved)};
    }
    const int error = moved < 0 ? errno : 0;
    if (refused_splice(error)) {
        read_fallback_ = true;
        return take_by_read(pipe, max);
    }
    page.reserve.store(tail_, std::memory_order_release);
    if (moved == 0) return {Taken::What::end_of_file, 0};
    if (error == EAGAIN || error == EINTR) return {};
    return drop(pipe, max, error);
}

Writer::Taken Writer::take_by_read(int pipe, std::size_t max) {
    std::array<std::byte, 64 << 10> buffer;
    const ssize_t got = ::read(pipe, buffer.data(), std::min(max, buffer.size()));
    if (got <= 0) {
        (*page_).reserve.store(tail_, std::memory_order_release);
        if (got == 0) return {Taken::What::end_of_file, 0};
        return {errno == EAGAIN || errno == EINTR ? Taken::What::nothing : Taken::What::failed, 0};
    }
    const auto count = static_cast<std::size_t>(got);
    const ssize_t stored = ::pwrite(ring_.get(), buffer.data(), count, static_cast<off_t>(geometry_.offset_of(tail_)));
    if (stored != got) {
        capture_error_ = stored < 0 ? errno : ENOSPC;
        note_gap(tail_, tail_ + count);
        advance(count);
        return {Taken::What::dropped, count};
    }
    advance(count);
    capture_error_ = 0;
    return {Taken::What::bytes, count};
}

/// The disk refuses: the pipe is kept flowing, and what it held becomes a gap of exactly that many cursors.
Writer::Taken Writer::drop(int pipe, std::size_t max, int error) {
    std::array<std::byte, 64 << 10> buffer;
    const ssize_t got = ::read(pipe, buffer.data(), std::min(max, buffer.size()));
    if (got == 0) return {Taken::What::end_of_file, 0};
    if (got < 0) return {errno == EAGAIN || errno == EINTR ? Taken::What::nothing : Taken::What::failed, 0};
    const auto count = static_cast<std::uint64_t>(got);
    capture_error_ = error;
    note_gap(tail_, tail_ + count);
    advance(count);
    return {Taken::What::dropped, static_cast<std::size_t>(count)};
}

void Writer::append(std::span<const std::byte> bytes, Stream stream, std::uint32_t run) {
    while (!bytes.empty()) {
        wrap_if_at_end();
        StatePageLayout& page = *page_;
        const auto position = page.position[page.lap.load(std::memory_order_relaxed) & 1];
        const auto room = geometry_.file_size() - static_cast<std::uint64_t>(position);
        const auto count = std::min({static_cast<std::uint64_t>(bytes.size()), room, geometry_.capacity / 4});
        save_heads(tail_ + count);
        describe(stream, run);
        page.reserve.store(tail_ + count, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (::pwrite(ring_.get(), bytes.data(), count, position) != static_cast<ssize_t>(count)) {
            capture_error_ = ENOSPC;
            note_gap(tail_, tail_ + count);
        }
        advance(count);
        bytes = bytes.subspan(count);
    }
}

/// The ring's end is reached: the next lap begins. Kill-safe: the slot of the next lap is set before it is named.
void Writer::wrap_if_at_end() {
    StatePageLayout& page = *page_;
    const std::uint64_t lap = page.lap.load(std::memory_order_relaxed);
    if (static_cast<std::uint64_t>(page.position[lap & 1]) < geometry_.file_size()) return;
    page.position[(lap + 1) & 1] = static_cast<std::int64_t>(geometry_.data_offset());
    page.lap.store(lap + 1, std::memory_order_release);
}

/// Moves on without the kernel's help: for bytes written by pwrite, and for those that never were.
void Writer::advance(std::uint64_t count) {
    move_position(count);
    publish_tail(tail_ + count);
}

void Writer::move_position(std::uint64_t count) {
    StatePageLayout& page = *page_;
    while (count > 0) {
        wrap_if_at_end();
        auto& position = page.position[page.lap.load(std::memory_order_relaxed) & 1];
        const auto step = std::min(count, geometry_.file_size() - static_cast<std::uint64_t>(position));
        position += static_cast<std::int64_t>(step);
        count -= step;
    }
}

void Writer::publish_tail(std::uint64_t tail) {
    StatePageLayout& page = *page_;
    tail_ = tail;
    // a reader that sees the new tail must also see the bytes before it
    page.tail.store(tail, std::memory_order_release);
    page.reserve.store(tail, std::memory_order_release);
    page_.wake();
    count_lines();
}

void Writer::count_lines() {
    StatePageLayout& page = *page_;
    std::uint64_t from = page.lines_upto;
    if (from > tail_ || tail_ - from > geometry_.capacity) from = tail_;  // not of this ring: begin again here
    const auto gap_count = std::min<std::size_t>(page.gap_count, kMaxGaps);
    while (from < tail_) {
        auto stop = tail_;
        // Where the disk refused there may be a hole, and to look at a hole is SIGBUS on a tmpfs that is full.
        for (std::size_t i = 0; i < gap_count; ++i) {
            const Gap& gap = page.gaps[i];
            if (from >= gap.begin && from < gap.end) from = std::min(gap.end, tail_);
            if (gap.begin > from) stop = std::min(stop, gap.begin);
        }
        if (from >= stop) continue;
        page.lines += newlines(from, stop);
        from = stop;
    }
    page.lines_upto = from;
}

std::uint64_t Writer::newlines(std::uint64_t from, std::uint64_t to) const {
    std::uint64_t found = 0;
    while (from < to) {
        const auto offset = geometry_.offset_of(from);
        const auto size = std::min(to - from, geometry_.file_size() - offset);
        const auto* begin = reinterpret_cast<const unsigned char*>(data_.data()) + offset;
        for (std::uint64_t done = 0; done < size;) {  // in blocks, so that the compiler can sum a vector of them
            const auto block = std::min<std::uint64_t>(size - done, 4096);
            unsigned count = 0;
            for (std::uint64_t i = 0; i < block; ++i) count += begin[done + i] == '\n' ? 1U : 0U;
            found += count;
            done += block;
        }
        from += size;
    }
    return found;
}

/// Makes sure that what is taken next stands under a descriptor with its stream and run. Chunks of one stream and run
/// within a quantum of time share one; the quantum grows while descriptors are used up faster than payload.
void Writer::describe(Stream stream, std::uint32_t run) {
    const std::int64_t now = wall_clock();
    const std::int64_t steady = clock_.steady();
    const bool same = has_last_ && last_.stream == stream && last_.run == run && !recovered_ && !clock_stepped_;
    if (same && last_.begin < tail_ && steady - last_steady_ns_ < quantum_ns_) return;

    Descriptor next;
    next.begin = tail_;
    next.time_ns = now;
    next.line = (*page_).lines;
    next.run = run;
    next.stream = stream;
    next.generation = generation_;
    next.flags = static_cast<std::uint8_t>((recovered_ ? kRecovered : 0) | (clock_stepped_ ? kClockStep : 0));
    const bool replace = has_last_ && last_.begin == tail_;  // nothing came under it
    const std::uint64_t number = replace ? descriptors_ - 1 : descriptors_;
    if (!write_descriptor(number, next)) return;  // the disk is full: if the payload fits at all, it is tagged as the last
    last_ = next;
    last_steady_ns_ = steady;
    has_last_ = true;
    recovered_ = false;
    clock_stepped_ = false;
    if (replace) return;
    ++descriptors_;
    (*page_).descriptors.store(descriptors_, std::memory_order_release);

    if (descriptors_ >= geometry_.descriptor_count && descriptors_ % 64 == 0) {
        Descriptor oldest;
        const auto offset = static_cast<off_t>(geometry_.offset_of_descriptor(descriptors_ - geometry_.descriptor_count));
        if (::pread(ring_.get(), &oldest, sizeof oldest, offset) != static_cast<ssize_t>(sizeof oldest)) return;
        const bool binding = oldest.begin + geometry_.capacity > tail_;
        quantum_ns_ = binding ? std::min(quantum_ns_ * 2, kLongestQuantum) : std::max(quantum_ns_ / 2, kShortestQuantum);
    }
}

bool Writer::write_descriptor(std::uint64_t number, const Descriptor& descriptor) {
    const auto offset = static_cast<off_t>(geometry_.offset_of_descriptor(number));
    return ::pwrite(ring_.get(), &descriptor, sizeof descriptor, offset) == static_cast<ssize_t>(sizeof descriptor);
}

/// Held at the last one where the clock has gone back; said once for each step.
std::int64_t Writer::wall_clock() {
    const auto now = clock_.wall();
    const auto before = std::exchange(is_behind_, now < last_time_ns_);
    if (is_behind_ && !before) clock_stepped_ = clock_stepped_ || last_time_ns_ - now > kClockNoise;
    return last_time_ns_ = std::max(last_time_ns_, now);
}

void Writer::note_gap(std::uint64_t begin, std::uint64_t end) {
    StatePageLayout& page = *page_;
    dropped_bytes_ += end - begin;
    std::uint32_t count = std::min<std::uint32_t>(page.gap_count, kMaxGaps);
    if (count > 0 && page.gaps[count - 1].end == begin) {
        page.gaps[count - 1].end = end;
        return;
    }
    if (count == kMaxGaps) {  // the oldest two become one, at the cost of what lay between them, if it is still there
        page.gaps[0].end = page.gaps[1].end;
        std::copy(page.gaps + 2, page.gaps + kMaxGaps, page.gaps + 1);
        --count;
    }
    page.gaps[count] = {begin, end};
    page.gap_count.store(count + 1, std::memory_order_release);
}

void Writer::begin_run(std::uint32_t run) {
    Head& head = (*page_).heads[run % kHeadSlots];
    head.length = 0;
    head.run = run;
    head.begin = tail_;
    (*page_).run_lines[run % kHeadSlots].store(RunLines::pack(run, (*page_).lines), std::memory_order_release);
}

/// Before cursors below `upcoming - capacity` are overwritten, what the heads still want of them is copied aside.
void Writer::save_heads(std::uint64_t upcoming) {
    if (upcoming <= geometry_.capacity) return;
    const std::uint64_t doomed = upcoming - geometry_.capacity;
    StatePageLayout& page = *page_;
    for (std::size_t slot = 0; slot < kHeadSlots; ++slot) {
        const Head& head = page.heads[slot];
        const auto kept = head.begin + head.length;
        const bool threatened = head.run != 0 && head.length < kHeadSize && kept < doomed;
        const bool whole = kept + geometry_.capacity >= tail_;  // else an earlier copy failed, and it ends here for ever
        if (threatened && whole) copy_to_head(slot, std::min(tail_, head.begin + kHeadSize));
    }
}

bool Writer::copy_to_head(std::size_t slot, std::uint64_t end) {
    if (!heads_) {
        heads_.reset(::open(heads_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!heads_) return false;
    }
    Head& head = (*page_).heads[slot];
    while (head.begin + head.length < end) {
        const auto from = head.begin + head.length;
        const auto offset = geometry_.offset_of(from);
        const auto size = std::min(end - from, geometry_.file_size() - offset);
        const auto target = static_cast<off_t>(slot * kHeadSize + head.length);
        const ssize_t copied = ::pwrite(heads_.get(), data_.data() + offset, size, target);
        if (copied <= 0) return false;
        head.length += static_cast<std::uint64_t>(copied);
    }
    return true;
}

bool Writer::checkpoint(bool sealed) {
    const StatePageLayout& page = *page_;
    if (sealed) {
        // what no byte was ever written to is a hole already; a sync makes what there is survive the machine
        ::fdatasync(ring_.get());
    }
    Superblock block;
    block.sealed = sealed ? 1 : 0;
    block.sequence = checkpoint_sequence_ + 1;
    block.process = page.process;
    std::memcpy(block.uuid, page.ring_uuid, sizeof block.uuid);
    block.geometry = geometry_;
    block.tail = tail_;
    block.descriptors = descriptors_;
    block.lines = page.lines;
    const auto gaps = std::min<std::size_t>(page.gap_count, kMaxGaps);
    std::copy(page.gaps, page.gaps + gaps, block.gaps);
    std::copy(page.heads, page.heads + kHeadSlots, block.heads);
    // a refused one is written again in its own place: the other is the whole one
    if (!write_superblock(ring_.get(), block)) return false;
    ++checkpoint_sequence_;
    return !sealed || ::fdatasync(ring_.get()) == 0;
}

}  // namespace pp::ring
