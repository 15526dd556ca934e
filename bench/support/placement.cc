#include "bench/support/placement.h"

#include <sched.h>

#include "protocol/os/error.h"

namespace pp::bench {

Placement Placement::of_this_machine() {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) os::throw_errno("sched_getaffinity");
    Placement placement;
    if (CPU_COUNT(&allowed) < 2) return placement;
    for (int processor = 0; placement.writer < 0; ++processor) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        (placement.reader < 0 ? placement.reader : placement.writer) = processor;
    }
    return placement;
}

void run_on(int processor) {
    if (processor < 0) return;
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    CPU_SET(processor, &wanted);
    if (::sched_setaffinity(0, sizeof wanted, &wanted) != 0) os::throw_errno("sched_setaffinity");
}

}  // namespace pp::bench
