#include "hub/shims/patience.h"

#include <utility>

namespace pp::hub {
namespace {

/// The time is cut, and a slice at whose end we come late does not count: it was us who did not run (a machine that was
/// suspended, a hub that was stopped), and the others may not have either.
constexpr int kSlices = 4;

}  // namespace

Patience::Patience(EventLoop& loop, std::chrono::milliseconds limit, Callbacks callbacks)
    : slice_{limit / kSlices}, callbacks_{std::move(callbacks)}, timer_{loop, [this] { on_slice_end(); }} {}

void Patience::begin() {
    if (std::exchange(is_on_, true)) return;
    silent_slices_ = 0;
    began_ = EventLoop::Clock::now();
    next_slice();
}

void Patience::end() {
    if (std::exchange(is_on_, false)) timer_.clear();
}

std::chrono::milliseconds Patience::waited() const {
    if (!is_on_) return {};
    return std::chrono::duration_cast<std::chrono::milliseconds>(EventLoop::Clock::now() - began_);
}

void Patience::next_slice() {
    slice_end_ = EventLoop::Clock::now() + slice_;
    timer_.set(slice_);
}

void Patience::on_slice_end() {
    const bool came_late = EventLoop::Clock::now() - slice_end_ > slice_;
    if (!came_late) ++silent_slices_;
    if (silent_slices_ < kSlices) {
        next_slice();
        return callbacks_.ask();
    }
    is_on_ = false;
    const auto on_hung = callbacks_.on_hung;
    on_hung();
}

}  // namespace pp::hub
