#include "shim/find_pipes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "tests/support/temp_dir.h"

using namespace pp;

namespace {

ring::Source source_of(int fd) {
    ring::Source source;
    source.pipe_inode = shim::inode_of(fd);
    source.run = 1;
    return source;
}

}  // namespace

TEST_CASE("a pipe is found by its inode, and a FIFO that has the same number in its directory is not", "[shim][succession]") {
    const test::TempDir directory;
    const auto path = directory / "fifo";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    const os::UniqueFd fifo{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const os::UniqueFd read_end{ends[0]};
    const os::UniqueFd write_end{ends[1]};
    const auto looked = shim::find_pipes({::getpid()}, {source_of(fifo.get()), source_of(read_end.get())});
    const auto& found = looked.found;
    REQUIRE(found.size() == 1);
    CHECK(looked.unreachable_outputs == 0);  // it is not there, but we could look everywhere
    CHECK(found[0].source.pipe_inode == shim::inode_of(read_end.get()));
    CHECK(shim::inode_of(found[0].fd.get()) == shim::inode_of(read_end.get()));
}
