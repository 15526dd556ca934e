#include "tests/protocol/ring/test_ring.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "protocol/os/error.h"

namespace pp::test {

Pipe make_pipe(int capacity, bool non_blocking) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | (non_blocking ? O_NONBLOCK : 0)) != 0) os::throw_errno("pipe");
    if (capacity > 0) ::fcntl(ends[1], F_SETPIPE_SZ, capacity);
    return {os::UniqueFd{ends[0]}, os::UniqueFd{ends[1]}};
}

TestRing::TestRing(std::uint64_t capacity)
    : capacity_{capacity}, writer_{ring::Writer::open(paths(), 1, capacity)}, pipe_{make_pipe(0, true)} {}

ring::Reader TestRing::reader() const {
    auto reader = ring::Reader::find(reader_paths());
    if (!reader) throw std::runtime_error("there is no ring");
    return std::move(*reader);
}

void TestRing::begin_run(std::uint32_t run) {
    ring::Lifecycle life;
    life.run = run;
    life.state = ring::LifeState::running;
    life.start_cursor = writer_.tail();
    writer_.begin_run(run);
    writer_.page().publish(life);
}

void TestRing::write(std::string_view bytes, ring::Stream stream, std::uint32_t run) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(pipe_.write_end.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 32768));
        if (put <= 0) os::throw_errno("write", "pipe");
        bytes.remove_prefix(static_cast<std::size_t>(put));
        while (writer_.take(pipe_.read_end.get(), stream, run, 1 << 20).what != ring::Writer::Taken::What::nothing) {
        }
    }
}

void TestRing::reopen() { writer_ = ring::Writer::open(paths(), 1, capacity_); }

void TestRing::lose_page() { ::unlink(paths().state.c_str()); }

ReadAll read_all(ring::Reader& reader, std::uint64_t cursor, std::size_t buffer_size) {
    ReadAll all;
    all.next = cursor;
    std::vector<std::byte> buffer(buffer_size);
    const auto end = reader.refresh().tail;
    while (all.next < end) {
        const auto read = reader.read(all.next, end, buffer);
        all.bytes.append(reinterpret_cast<const char*>(buffer.data()), read.size);
        all.lost += read.lost;
        if (read.next == all.next) throw std::runtime_error("a read did not get on");
        all.next = read.next;
    }
    return all;
}

}  // namespace pp::test
