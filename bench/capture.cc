#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "bench/support/conmon.h"
#include "bench/support/flood.h"
#include "bench/support/placement.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"
#include "protocol/os/error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world.h"

// How fast a child can write whose output pp keeps.

namespace {

using namespace pp;
using namespace pp::bench;

constexpr int kRounds = 5;
constexpr int kPipe = 256 << 10;  // that of a shim whose child writes much
constexpr std::uint64_t kSmallRing = 4u << 20;
constexpr std::uint64_t kDefaultRing = 0;

constexpr std::uint64_t kBlock = 64u << 10;
constexpr std::uint64_t kBlocks = 1u << 30;
constexpr std::uint64_t kBlocksForConmon = 256u << 20;
constexpr std::uint64_t kLine = 80;
constexpr std::uint64_t kLines = 64u << 20;

/// Bytes per second of each reader, one sample per round.
class Capture {
  public:
    explicit Capture(Placement placement) : placement_{placement} {}

    double discarded(std::uint64_t block, std::uint64_t total) {
        const Flood flood = make_flood(block, total);
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) os::throw_errno("pipe");
        const os::UniqueFd out{ends[0]};
        os::UniqueFd in{ends[1]};
        ::fcntl(out.get(), F_SETPIPE_SZ, kPipe);
        Spawned child{flood.argv(), in.get()};
        in.reset();
        while (::read(out.get(), buffer_.data(), buffer_.size()) > 0) {
        }
        return rate(flood);
    }

    double unread(std::uint64_t block, std::uint64_t total) {
        const Flood flood = make_flood(block, total);
        const Spawned child{flood.argv()};
        return rate(flood);
    }

    double by_pp(std::uint64_t block, std::uint64_t total, std::uint64_t ring) {
        const Flood flood = make_flood(block, total);
        auto launch = world_.launch(++process_, flood.argv());
        launch.log_capacity = ring;
        world_.start(launch);
        const double result = rate(flood);
        if (world_.wait_until_drained(process_).tail != total) throw std::runtime_error("pp has lost output");
        return result;
    }

    double by_conmon(std::uint64_t block, std::uint64_t total) {
        const Flood flood = make_flood(block, total);
        Conmon conmon{scratch_ / ("conmon-" + std::to_string(++process_)), flood.argv()};
        const double result = rate(flood);
        conmon.wait();
        struct stat status {};
        if (::stat(conmon.log().c_str(), &status) != 0 || static_cast<std::uint64_t>(status.st_size) < total)
            throw std::runtime_error("conmon has lost output");
        ::unlink(conmon.log().c_str());
        return result;
    }

  private:
    Flood make_flood(std::uint64_t block, std::uint64_t total) {
        return Flood{scratch_ / "flood", placement_.writer, block, total};
    }
    static double rate(const Flood& flood) {
        return static_cast<double>(flood.total()) / flood.wait().count();
    }

    Placement placement_;
    test::TempDir scratch_{"/tmp/pp-bench-"};
    test::World world_;
    std::uint64_t process_ = 0;
    std::vector<std::byte> buffer_{kBlock};
};

std::string gigabytes(double rate) {
    return figure(rate / 1e9) + " GB/s";
}

void print_ratio(const std::string& what, const Floor& floor, double pp, const std::string& name,
                 double baseline) {
    print_row(what, floor, pp / baseline, name + ": " + gigabytes(baseline) + "; pp " + gigabytes(pp));
}

void print_against_conmon(const std::string& what, const Floor& floor, double pp, double conmon) {
    if (Conmon::installed())
        print_ratio(what, floor, pp, "conmon", conmon);
    else
        print_unmeasured(what, floor, "conmon is not installed");
}

void measure() {
    const auto placement = Placement::of_this_machine();
    run_on(placement.reader);
    Capture capture{placement};
    struct {
        std::vector<double> discarded, small_ring, default_ring, conmon;
    } blocks;
    struct {
        std::vector<double> discarded, unread, pp, conmon;
    } lines;
    for (int round = 0; round < kRounds; ++round) {
        blocks.discarded.push_back(capture.discarded(kBlock, kBlocks));
        blocks.small_ring.push_back(capture.by_pp(kBlock, kBlocks, kSmallRing));
        blocks.default_ring.push_back(capture.by_pp(kBlock, kBlocks, kDefaultRing));
        lines.discarded.push_back(capture.discarded(kLine, kLines));
        lines.pp.push_back(capture.by_pp(kLine, kLines, kSmallRing));
        lines.unread.push_back(capture.unread(kLine, kLines));
        if (!Conmon::installed()) continue;
        blocks.conmon.push_back(capture.by_conmon(kBlock, kBlocksForConmon));
        lines.conmon.push_back(capture.by_conmon(kLine, kLines));
    }
    const double small_ring = median(blocks.small_ring);
    const double pp_lines = median(lines.pp);
    const std::string discards = "reader that discards";
    print_ratio("capture of 64 KiB writes, ring of 4 MiB", at_least(0.70), small_ring, discards,
                median(blocks.discarded));
    print_ratio("capture of 64 KiB writes, default ring", at_least(0.60), median(blocks.default_ring),
                discards, median(blocks.discarded));
    print_ratio("capture of 80-byte lines", at_least(3), pp_lines, discards, median(lines.discarded));
    print_ratio("capture of 80-byte lines", at_least(0.45), pp_lines, "child straight to the null device",
                median(lines.unread));
    print_against_conmon("capture of 64 KiB writes", at_least(4), small_ring, median(blocks.conmon));
    print_against_conmon("capture of 80-byte lines", at_least(1.3), pp_lines, median(lines.conmon));
}

}  // namespace

int main() {
    return bench::run(measure);
}
