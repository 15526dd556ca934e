#include "protocol/ring/state_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <stdexcept>

#include "protocol/os/error.h"
#include "protocol/os/futex.h"
#include "protocol/os/proc.h"

namespace pp::ring {
namespace {

[[noreturn]] void damaged(const std::string& what) { throw std::runtime_error("state page " + what); }

void check_identity(const StatePageLayout& page) {
    if (std::string_view{page.magic, sizeof page.magic} != kStateMagic) damaged("does not begin with PPRSTATE");
    if (page.version < kOldestStateVersion || page.version > kStateVersion)
        damaged("has version " + std::to_string(page.version) + ", known are " + std::to_string(kOldestStateVersion) +
                " to " + std::to_string(kStateVersion));
    if (!page.geometry.valid()) damaged("has an impossible geometry");
}

/// A page is read by pread into memory of our own, where nobody changes it under our hands.
struct PageCopy {
    alignas(StatePageLayout) std::byte bytes[kStatePageSize];
    [[nodiscard]] const StatePageLayout& layout() const { return *reinterpret_cast<const StatePageLayout*>(bytes); }
};

bool whole(const StatePageLayout::LifecycleSlot& slot) {
    return checksum(&slot.lifecycle, sizeof slot.lifecycle) == slot.checksum;
}

void read_page(int fd, PageCopy& copy) {
    const ssize_t got = ::pread(fd, copy.bytes, sizeof copy.bytes, 0);
    if (got < 0) os::throw_errno("read", "state page");
    if (got != static_cast<ssize_t>(sizeof copy.bytes)) damaged("is " + std::to_string(got) + " bytes long, not 4096");
}

const std::string& this_boot_id() {
    static const std::string id = os::boot_id();
    return id;
}

}  // namespace

/// A zero page, mapped and locked.
StatePage StatePage::allocate(const std::string& path) {
    ::unlink(path.c_str());
    StatePage page;
    page.fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!page.fd_) os::throw_errno("open", path);
    // allocated, not only sized: the kernel's store must not meet a full disk
    if (const int error = ::posix_fallocate(page.fd_.get(), 0, kStatePageSize); error != 0) {
        ::unlink(path.c_str());
        os::throw_error(error, "allocate", path);
    }
    page.mapping_ = os::MappedFile{page.fd_.get(), 0, kStatePageSize, os::MappedFile::Access::read_write, true};
    page.locked_ = ::mlock(page.mapping_.data(), kStatePageSize) == 0;
    return page;
}

StatePage StatePage::create(const std::string& path, std::uint64_t process, const std::uint8_t (&uuid)[16],
                            const Geometry& geometry, std::uint64_t tail) {
    const std::string beside = path + ".new";  // by rename: nobody sees half a page
    StatePage page = allocate(beside);
    StatePageLayout& layout = *page;
    layout.version = kStateVersion;
    layout.size = kStatePageSize;
    layout.process = process;
    std::memcpy(layout.ring_uuid, uuid, sizeof layout.ring_uuid);
    std::strncpy(layout.boot_id, this_boot_id().c_str(), sizeof layout.boot_id - 1);
    layout.geometry = geometry;
    layout.created_at_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::uint64_t lap = tail / geometry.capacity;
    layout.lap = lap;
    layout.position[lap & 1] = static_cast<std::int64_t>(geometry.offset_of(tail));
    layout.tail = tail;
    layout.reserve = tail;
    layout.lines_upto = tail;
    layout.next_event = 1;
    page.publish(Lifecycle{});
    std::atomic_thread_fence(std::memory_order_release);  // who sees the magic sees all of it
    std::memcpy(layout.magic, kStateMagic.data(), sizeof layout.magic);
    if (::rename(beside.c_str(), path.c_str()) != 0) os::throw_errno("rename", beside);
    return page;
}

StatePage StatePage::open(const std::string& path, os::MappedFile::Access access) {
    const bool writes = access == os::MappedFile::Access::read_write;
    os::UniqueFd fd{::open(path.c_str(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd) os::throw_errno("open", path);
    return from_fd(std::move(fd), access);
}

StatePage StatePage::from_fd(os::UniqueFd fd, os::MappedFile::Access access) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) os::throw_errno("fstat", "state page");
    if (status.st_size != static_cast<off_t>(kStatePageSize))
        damaged("is " + std::to_string(status.st_size) + " bytes long, not 4096");
    StatePage page;
    page.mapping_ = os::MappedFile{fd.get(), 0, kStatePageSize, access, true};
    page.fd_ = std::move(fd);
    check_identity(*page);
    if (access == os::MappedFile::Access::read_write)
        page.locked_ = ::mlock(page.mapping_.data(), kStatePageSize) == 0;
    return page;
}

bool StatePage::is_at(const std::string& path) const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(fd_.get(), &ours) == 0 && ::lstat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

StatePage StatePage::copy_of(int fd, const std::string& path) {
    const std::string beside = path + ".new";
    StatePage page = allocate(beside);
    if (::pread(fd, page.mapping_.data(), kStatePageSize, 0) != static_cast<ssize_t>(kStatePageSize))
        throw std::runtime_error("the page has been cut short");
    if (::rename(beside.c_str(), path.c_str()) != 0) os::throw_errno("rename", beside);
    return page;
}

void StatePage::publish(const Lifecycle& lifecycle) const {
    StatePageLayout& page = **this;
    const std::uint32_t next = page.lifecycle_slot.load(std::memory_order_relaxed) + 1;
    auto& slot = page.lifecycles[next & 1];
    slot.lifecycle = lifecycle;
    slot.checksum = checksum(&slot.lifecycle, sizeof slot.lifecycle);
    page.lifecycle_slot.store(next, std::memory_order_release);
    wake();
}

void StatePage::wake() const {
    StatePageLayout& page = **this;
    page.wake.fetch_add(1, std::memory_order_release);
    os::futex_wake_all(page.wake);
}

std::uint64_t StatePage::written() const {
    const StatePageLayout& page = **this;
    const std::uint64_t lap = page.lap.load(std::memory_order_acquire);
    return lap * page.geometry.capacity + static_cast<std::uint64_t>(page.position[lap & 1]) -
           page.geometry.data_offset();
}

void check_page(int fd) {
    PageCopy copy;
    read_page(fd, copy);
    check_identity(copy.layout());
}

bool store_orphan(int fd, OrphanExit orphan) {
    orphan.checksum = checksum(&orphan, offsetof(OrphanExit, checksum));
    const auto offset = static_cast<off_t>(offsetof(StatePageLayout, orphan));
    return ::pwrite(fd, &orphan, sizeof orphan, offset) == static_cast<ssize_t>(sizeof orphan);
}

StateGlance glance_at_state(int fd) {
    PageCopy copy;
    read_page(fd, copy);
    return {copy.layout().tail, copy.layout().wake, copy.layout().lifecycle_slot};
}

StateSnapshot read_state(int fd) {
    PageCopy copy;
    read_page(fd, copy);
    check_identity(copy.layout());
    // Torn: the writer was at it while the kernel copied, or went on by more than a ring between tail and reserve. The other
    // lifecycle is then older but whole; look again first.
    for (int tries = 0; tries < 64; ++tries) {
        const StatePageLayout& seen = copy.layout();
        const bool possible = seen.reserve <= seen.tail || seen.reserve - seen.tail <= seen.geometry.capacity;
        if (possible && whole(seen.lifecycles[seen.lifecycle_slot & 1])) break;
        read_page(fd, copy);
    }
    const StatePageLayout& page = copy.layout();
    StateSnapshot state;
    state.process = page.process;
    state.this_boot = std::string_view{page.boot_id, ::strnlen(page.boot_id, sizeof page.boot_id)} == this_boot_id();
    state.geometry = page.geometry;
    std::memcpy(state.ring_uuid, page.ring_uuid, sizeof state.ring_uuid);
    state.created_at_ns = page.created_at_ns;
    state.tail = page.tail;
    state.descriptors = page.descriptors;
    state.reserve = page.reserve;
    state.lines = page.lines;
    state.lines_upto = page.lines_upto;
    state.next_event = page.next_event;
    state.gap_count = std::min<std::size_t>(page.gap_count, kMaxGaps);
    std::memcpy(state.gaps, page.gaps, sizeof state.gaps);
    std::memcpy(state.heads, page.heads, sizeof state.heads);
    std::copy(std::begin(page.run_lines), std::end(page.run_lines), state.run_lines);
    std::memcpy(state.sources, page.sources, sizeof state.sources);
    if (state.reserve < state.tail) state.reserve = state.tail;
    if (state.reserve - state.tail > state.geometry.capacity) damaged("has an impossible reserve");

    const std::uint32_t current = page.lifecycle_slot & 1;
    if (whole(page.lifecycles[current]))
        state.lifecycle = page.lifecycles[current].lifecycle;
    else if (whole(page.lifecycles[current ^ 1]))
        state.lifecycle = page.lifecycles[current ^ 1].lifecycle;
    else
        damaged("has no whole lifecycle record");
    if (checksum(&page.orphan, offsetof(OrphanExit, checksum)) == page.orphan.checksum) state.orphan = page.orphan;
    state.unreachable = page.unreachable;
    return state;
}

std::optional<StateSnapshot> find_state(const std::string& path) {
    const os::UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd) os::throw_errno("open", path);
    return read_state(fd.get());
}

}  // namespace pp::ring
