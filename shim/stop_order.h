#pragma once

#include <chrono>

#include "protocol/ring/state_page.h"

namespace pp::shim {

/// The stop that is under way, for a successor.
struct StopOrder {
    int signal = 0;
    std::chrono::milliseconds left{0};  ///< of the grace
    bool sent = false;                  ///< the signal has been sent
};

void store_stop_order(const ring::StatePage& page, int signal, std::chrono::milliseconds grace);
StopOrder load_stop_order(const ring::StatePage& page);

}  // namespace pp::shim
