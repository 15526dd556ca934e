// The disk refuses: by a file size limit, and by a file system that is full.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/protocol/ring/test_ring.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/private_mounts.h"
#include "tests/support/skip.h"

using namespace pp;
using namespace pp::test;
using What = ring::Writer::Taken::What;

namespace {

/// Fills a tmpfs with a ring on it until it refuses, and sees it recover. Runs in a mount namespace of its own; returns what
/// went wrong, or nothing.
const char* fill_tmpfs(const std::string& mount_point) {
    static const std::string why_not = "skip: " + test::take_private_mounts();
    if (why_not.size() > 6) return why_not.c_str();
    if (::mount("none", mount_point.c_str(), "tmpfs", 0, "size=512k") != 0) return "skip: mount";
    const ring::Writer::Paths paths{mount_point + "/p1.state", mount_point + "/out.ring", mount_point + "/heads"};
    auto writer = ring::Writer::open(paths, 1, 1 << 20);
    writer.begin_run(1);
    Pipe pipe = make_pipe(0, true);
    const std::string line = std::string(99, 'x') + "\n";
    std::uint64_t dropped = 0;
    std::uint64_t written = 0;
    const auto put = [&](int times) {
        for (int i = 0; i < times; ++i) {
            if (::write(pipe.write_end.get(), line.data(), line.size()) != 100) return false;
            written += line.size();
            while (true) {
                const auto taken = writer.take(pipe.read_end.get(), ring::Stream::merged, 1, 1 << 20);
                if (taken.what == What::nothing) break;
                if (taken.what == What::dropped) dropped += taken.count;
            }
        }
        return true;
    };
    if (!put(8000)) return "the pipe was not kept flowing";
    if (dropped == 0) return "nothing was refused";
    if (writer.capture_error() != ENOSPC) return "the error is not ENOSPC";
    if (writer.dropped_bytes() != dropped) return "dropped_bytes is not exact";
    if (writer.tail() != written) return "the cursor stood still";
    if (::mount("none", mount_point.c_str(), "tmpfs", MS_REMOUNT, "size=8m") != 0) return "skip: remount";
    const auto before = dropped;
    if (!put(3000)) return "the pipe was not kept flowing afterwards";
    if (dropped != before) return "it did not recover";
    if (writer.capture_error() != 0) return "the error stayed";
    auto reader = ring::Reader::find({paths.state, paths.ring, paths.heads});
    const auto all = read_all(*reader, 0, 65536);
    if (all.bytes.size() + all.lost != written) return "read and lost do not add up";
    if (all.lost != dropped + (written > (1 << 20) ? written - (1 << 20) : 0) && all.lost < dropped)
        return "lost is less than dropped";
    if (all.bytes.find_first_not_of("x\n") != std::string::npos) return "bytes that were never written";
    return nullptr;
}

}  // namespace

TEST_CASE("what the disk refuses is counted, said, and skipped by readers", "[ring][refusal]") {
    TestRing ring;
    ring.begin_run(1);
    const auto data = ring.writer().page()->geometry.data_offset();
    ring.write(std::string(1000, 'a') + "\n");
    {
        const FileSizeLimit limit{data + 8192};
        ring.write(std::string(20000, 'b') + "\n");
    }
    CHECK(ring.writer().capture_error() == EFBIG);
    const auto dropped = ring.writer().dropped_bytes();
    CHECK(dropped == 1001 + 20001 - 8192);
    ring.write(std::string(500, 'c') + "\n");
    CHECK(ring.writer().capture_error() == 0);
    CHECK(ring.writer().tail() == 1001 + 20001 + 501);

    auto reader = ring.reader();
    const auto all = read_all(reader, 0, 1000);
    CHECK(all.lost == dropped);
    CHECK(all.bytes == std::string(1000, 'a') + "\n" + std::string(8192 - 1001, 'b') + std::string(500, 'c') + "\n");
    CHECK(reader.missing(0, all.next) == dropped);
    CHECK(reader.refresh().lines == 2);  // the newline among the refused is not there to be counted

    ring.reopen();
    CHECK(ring.writer().dropped_bytes() == dropped);
    CHECK(read_all(reader, 0).lost == dropped);
    ring.writer().checkpoint(true);
    ring.lose_page();
    auto after_reboot = ring.reader();
    CHECK(read_all(after_reboot, 0).lost == dropped);
}

TEST_CASE("many refusals in turn stay exact", "[ring][refusal]") {
    TestRing ring;
    ring.begin_run(1);
    const auto data = ring.writer().page()->geometry.data_offset();
    auto reader = ring.reader();
    std::uint64_t written = 0;
    for (int round = 0; round < 30; ++round) {
        ring.write(std::string(100, 'a'));
        {
            const FileSizeLimit limit{data};
            ring.write(std::string(50, 'b'));
        }
        written += 150;
    }
    CHECK(ring.writer().dropped_bytes() == 30 * 50);
    const auto all = read_all(reader, 0);
    CHECK(all.bytes.find_first_not_of('a') == std::string::npos);
    CHECK(all.bytes.size() + all.lost == written);
    CHECK(all.lost >= 30 * 50);
    // the newest are told one by one, older ones as one with what lay between
    CHECK(read_all(reader, written - 7 * 150).lost == 7 * 50);
}

TEST_CASE("a ring cannot be made where the disk refuses its first block, and nothing is left", "[ring][refusal]") {
    TempDir dir;
    const FileSizeLimit limit{1000};
    CHECK_THROWS_WITH(ring::Writer::open({dir / "s", dir / "r", dir / "h"}, 1, 65536), Catch::Contains("File too large"));
    CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a full file system is met by draining and counting, and left behind when there is room", "[ring][refusal]") {
    TempDir dir;
    Pipe answer = make_pipe();
    const pid_t child = ::fork();
    if (child == 0) {
        const char* wrong = nullptr;
        try {
            wrong = fill_tmpfs(dir.path());
        } catch (const std::exception&) {
            wrong = "it threw";
        }
        if (wrong == nullptr) wrong = "fine";
        [[maybe_unused]] const ssize_t put = ::write(answer.write_end.get(), wrong, std::strlen(wrong));
        ::_exit(0);
    }
    answer.write_end.reset();
    std::array<char, 200> text{};
    REQUIRE(::read(answer.read_end.get(), text.data(), text.size() - 1) > 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    if (std::string_view{text.data()}.starts_with("skip")) return test::skip(text.data() + 6);
    CHECK(std::string{text.data()} == "fine");
}
