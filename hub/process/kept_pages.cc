#include "hub/process/kept_pages.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "protocol/os/error.h"

namespace pp::hub {
namespace {

constexpr std::int64_t kSettledAfter = 20'000'000;  // ns; a tick is 10 ms at most (CONFIG_HZ=100)

ring::StateSnapshot read(KeptPages::Page& page) {
    page.wake = ring::glance_at_state(page.file.get()).wake;  // first: what is published meanwhile is then found by the next glance
    return ring::read_state(page.file.get());
}

}  // namespace

void KeptPages::look_at_directory() {
    struct stat found {};
    std::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (::stat(home_.run().c_str(), &found) != 0) found = {};
    const Stamp stamp{found.st_ino, found.st_mtim};
    if (stamp != stamp_) {
        ++age_;
        kept_ = 0;
    }
    stamp_ = stamp;
    const auto since = (now.tv_sec - stamp.changed.tv_sec) * 1'000'000'000 + now.tv_nsec - stamp.changed.tv_nsec;
    is_settled_ = stamp.inode != 0 && since > kSettledAfter;
}

std::optional<ring::StateSnapshot> KeptPages::find(std::uint64_t process, Page& page) {
    if (page.file && page.age == age_) return read(page);
    page.file.reset();
    const auto path = home_.state_page(process);
    os::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file && errno == ENOENT) return std::nullopt;
    if (!file) os::throw_errno("open", path);
    if (!is_settled_ || kept_ >= most_) return ring::read_state(file.get());
    ++kept_;
    page = {std::move(file), age_, 0};
    return read(page);
}

std::optional<std::uint64_t> KeptPages::find_newer_tail(const Page& page) const {
    if (!page.file || page.age != age_) return std::nullopt;
    const auto glance = ring::glance_at_state(page.file.get());
    return glance.wake == page.wake ? std::optional{glance.tail} : std::nullopt;
}

}  // namespace pp::hub
