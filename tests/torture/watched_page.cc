#include "tests/torture/watched_page.h"

#include "protocol/os/futex.h"

namespace pp::torture {

WatchedPage::WatchedPage(Watchdog& dog, const rundir::Home& home, std::uint64_t process)
    : dog_{dog},
      id_{rundir::process_id(process)},
      page_{ring::StatePage::open(home.state_page(process), os::MappedFile::Access::read)} {}

ring::StateSnapshot WatchedPage::wait_until(const std::string& what,
                                            const std::function<bool(const ring::StateSnapshot&)>& holds) const {
    const Watchdog::Wait wait{dog_, id_ + ": " + what};
    while (true) {
        const auto seen = look();
        const auto now = state();
        if (holds(now)) return now;
        wait_for_change(seen);
    }
}

void WatchedPage::wait_for_change(std::uint32_t since) const { os::futex_wait(page_->wake, since); }

}  // namespace pp::torture
