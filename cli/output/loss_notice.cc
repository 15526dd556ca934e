#include "cli/output/loss_notice.h"

#include <string>

#include "cli/output/print.h"

namespace pp::cli {

void LossNotice::add(std::uint64_t bytes) {
    bytes_ += bytes;
    if (++places_ > 1) return;
    say(std::to_string(bytes) + " bytes are missing: overwritten before they could be shown, or refused by the disk");
}

void LossNotice::finish() {
    if (places_ > 1)
        say(std::to_string(bytes_) + " bytes are missing in all, in " + std::to_string(places_) +
            " places; for a reader that is slower, give the log more room: pp run --log-size 256M");
    places_ = 0;
    bytes_ = 0;
}

}  // namespace pp::cli
