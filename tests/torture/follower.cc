#include "tests/torture/follower.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/rundir/process_files.h"

namespace pp::torture {
namespace {

constexpr std::size_t kBuffer = 256 << 10;

}  // namespace

Follower::Follower(const WatchedPage& page, const rundir::Home& home, std::uint64_t process, Numbers numbers)
    : page_{page}, check_{numbers}, thread_{[this, paths = rundir::ring_paths(home, process)] {
          try {
              follow(paths);
          } catch (...) {
              failure_ = std::current_exception();
          }
      }} {}

void Follower::follow(const ring::Reader::Paths& paths) {
    auto reader = ring::Reader::find(paths);
    if (!reader) throw std::runtime_error("there is no ring " + paths.ring);
    std::vector<std::byte> buffer(kBuffer);
    for (std::uint64_t cursor = 0; true;) {
        const auto seen = page_.look();
        const bool was_drained = page_.state().lifecycle.drained != 0;
        const auto read = reader->read(cursor, UINT64_MAX, buffer);
        if (read.next != cursor + read.lost + read.size)
            throw std::runtime_error("from cursor " + std::to_string(cursor) + ": " + std::to_string(read.lost) +
                                     " lost and " + std::to_string(read.size) + " read do not lead to " +
                                     std::to_string(read.next));
        overwritten_ += read.lost;
        check_.skip(read.lost);
        check_.take({reinterpret_cast<const char*>(buffer.data()), read.size});
        if (read.next == cursor && was_drained) return;
        if (read.next == cursor) page_.wait_for_change(seen);
        cursor = read.next;
    }
}

void Follower::join() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
}

}  // namespace pp::torture
