#include "hub/process/kept_pages.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "protocol/os/error.h"

namespace pp::hub {
namespace {

// A tick is 10 ms at most (CONFIG_HZ=100); some file systems keep whole seconds, or every other one (FAT).
constexpr std::int64_t kSettledAfter = 20'000'000;
constexpr std::int64_t kSettledAfterWholeSeconds = 3'000'000'000;

ring::StateSnapshot read(KeptPages::Page& page) {
    page.found = ring::glance_at_state(page.file.get());  // first: what is published meanwhile is then found by the next glance
    return ring::read_state(page.file.get());
}

}  // namespace

void KeptPages::look_at_directory() {
    struct stat found {};
    std::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (::stat(home_.run().c_str(), &found) != 0) found = {};
    const Stamp stamp{found.st_ino, found.st_mtim};
    if (stamp != stamp_) ++age_;
    stamp_ = stamp;
    const auto since = (now.tv_sec - stamp.changed.tv_sec) * 1'000'000'000 + now.tv_nsec - stamp.changed.tv_nsec;
    is_settled_ = stamp.inode != 0 && since > (stamp.changed.tv_nsec == 0 ? kSettledAfterWholeSeconds : kSettledAfter);
}

std::optional<ring::StateSnapshot> KeptPages::find(std::uint64_t process, Page& page) {
    if (page.file && page.age == age_) return read(page);
    let_go(page);
    const auto path = home_.state_page(process);
    os::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file && errno == ENOENT) return std::nullopt;
    if (!file) os::throw_errno("open", path);
    if (!is_settled_ || kept_ >= most_) return ring::read_state(file.get());
    ++kept_;
    page = {std::move(file), age_, {}};
    return read(page);
}

bool KeptPages::is_as_found(const Page& page) const {
    return page.file && page.age == age_ && ring::glance_at_state(page.file.get()) == page.found;
}

void KeptPages::let_go(Page& page) {
    if (!page.file) return;
    page.file.reset();
    --kept_;
}

}  // namespace pp::hub
