#pragma once

#include <cstdint>
#include <functional>

#include "protocol/ring/state_page.h"
#include "protocol/rundir/home.h"
#include "tests/torture/watchdog.h"

namespace pp::torture {

/// A process's state page, to sleep on. Any thread may.
class WatchedPage {
  public:
    WatchedPage(Watchdog& dog, const rundir::Home& home, std::uint64_t process);

    [[nodiscard]] ring::StateSnapshot state() const { return ring::read_state(page_.fd()); }
    /// Sleeps until the predicate holds; `what` names what is waited for.
    ring::StateSnapshot wait_until(const std::string& what,
                                   const std::function<bool(const ring::StateSnapshot&)>& holds) const;
    /// Sleeps until the page has changed since this look at it.
    [[nodiscard]] std::uint32_t look() const { return page_->wake.load(std::memory_order_acquire); }
    void wait_for_change(std::uint32_t since) const;

  private:
    Watchdog& dog_;
    std::string id_;
    ring::StatePage page_;
};

}  // namespace pp::torture
