#include "protocol/ring/page_file.h"

#include <unistd.h>

#include <cstddef>
#include <exception>
#include <utility>

#include "protocol/os/futex.h"
#include "protocol/os/mapped_file.h"

namespace pp::ring {

PageFile::PageFile(os::UniqueFd file) : file_{std::move(file)} { check_page(file_.get()); }

std::int32_t PageFile::spawned_pid() const {
    std::uint64_t word = 0;
    const auto offset = static_cast<off_t>(offsetof(StatePageLayout, spawned));
    return ::pread(file_.get(), &word, sizeof word, offset) == static_cast<ssize_t>(sizeof word) ? SpawnedChild::unpack(word).pid : 0;
}

bool PageFile::store_orphan(const OrphanExit& orphan) const {
    if (!ring::store_orphan(file_.get(), orphan)) return false;
    wake();
    return true;
}

/// Two at once may both write the same number: whoever read it before looks after what both of them had stored.
void PageFile::wake() const {
    std::uint32_t word = 0;
    const auto offset = static_cast<off_t>(offsetof(StatePageLayout, wake));
    if (::pread(file_.get(), &word, sizeof word, offset) != static_cast<ssize_t>(sizeof word)) return;
    ++word;
    if (::pwrite(file_.get(), &word, sizeof word, offset) != static_cast<ssize_t>(sizeof word)) return;
    try {
        const os::MappedFile mapping{file_.get(), 0, kStatePageSize, os::MappedFile::Access::read};
        // the kernel alone looks there, and finds what it finds
        os::futex_wake_all(reinterpret_cast<StatePageLayout*>(mapping.data())->wake);
    } catch (const std::exception&) {
        // out of memory for a page: they are woken by whatever comes next
    }
}

void PageFile::restore(const std::string& path) const { static_cast<void>(StatePage::copy_of(file_.get(), path)); }

}  // namespace pp::ring
