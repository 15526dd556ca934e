#include "shim/stop_order.h"

#include <algorithm>
#include <csignal>
#include <cstdint>

namespace pp::shim {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kDefaultGrace{5000};

/// Since boot: it goes on from one shim to the next.
std::int64_t now_since_boot() {
    return std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void store_stop_order(const ring::StatePage& page, int signal, milliseconds grace) {
    page->stop_sent.store(0);
    page->stop_signal.store(signal);
    page->stop_deadline_ns.store(now_since_boot() + nanoseconds{grace}.count());
}

/// A page of an earlier version has none.
StopOrder load_stop_order(const ring::StatePage& page) {
    StopOrder order;
    order.signal = page->stop_signal.load();
    order.sent = page->stop_sent.load() != 0;
    order.left = kDefaultGrace;
    if (order.signal == 0)
        order.signal = SIGTERM;
    else
        order.left = std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(
                                                   nanoseconds{page->stop_deadline_ns.load() - now_since_boot()}));
    return order;
}

}  // namespace pp::shim
