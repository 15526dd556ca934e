#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/reader.h"
#include "protocol/ring/writer.h"
#include "tests/support/temp_dir.h"

namespace pp::test {

struct Pipe {
    os::UniqueFd read_end;
    os::UniqueFd write_end;
};
/// With `capacity` bytes of room if given; both ends non-blocking if asked.
Pipe make_pipe(int capacity = 0, bool non_blocking = false);

/// A ring in a directory of its own, written through a real pipe.
class TestRing {
  public:
    explicit TestRing(std::uint64_t capacity = ring::kMinCapacity);

    [[nodiscard]] ring::Writer::Paths paths() const { return {dir_ / "p1.state", dir_ / "out.ring", dir_ / "heads"}; }
    [[nodiscard]] ring::Reader::Paths reader_paths() const {
        return {dir_ / "p1.state", dir_ / "out.ring", dir_ / "heads"};
    }
    [[nodiscard]] const TempDir& dir() const { return dir_; }
    ring::Writer& writer() { return writer_; }
    [[nodiscard]] ring::Reader reader() const;

    /// Begins a run and makes it the newest of the page.
    void begin_run(std::uint32_t run);
    /// What a child would write.
    void write(std::string_view bytes, ring::Stream stream = ring::Stream::merged, std::uint32_t run = 1);
    /// Opens the ring anew, as a successor does.
    void reopen();
    /// As after a reboot: the state page is gone.
    void lose_page();

  private:
    TempDir dir_;
    std::uint64_t capacity_;
    ring::Writer writer_;
    Pipe pipe_;
};

/// Everything from `cursor` to the tail, with what was lost.
struct ReadAll {
    std::string bytes;
    std::uint64_t lost = 0;
    std::uint64_t next = 0;
};
ReadAll read_all(ring::Reader& reader, std::uint64_t cursor, std::size_t buffer_size = 4096);

}  // namespace pp::test
