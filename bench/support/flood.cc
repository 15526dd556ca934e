#include "bench/support/flood.h"

#include "bench/support/spawned.h"

namespace pp::bench {

Flood::Flood(const std::string& fifo, int processor, std::uint64_t block, std::uint64_t total)
    : time_{fifo}, processor_{processor}, block_{block}, total_{total} {}

std::vector<std::string> Flood::argv() const {
    return {program("bench_flood"), std::to_string(processor_), std::to_string(block_),
            std::to_string(total_), time_.path()};
}

}  // namespace pp::bench
