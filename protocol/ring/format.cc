#include "protocol/ring/format.h"

#include <algorithm>
#include <bit>

namespace pp::ring {

Geometry Geometry::for_capacity(std::uint64_t capacity) {
    const auto rounded = std::bit_ceil(std::clamp(capacity, kMinCapacity, kMaxCapacity));
    return {rounded, rounded / kBytesPerDescriptor};
}

bool Geometry::valid() const {
    return std::has_single_bit(capacity) && capacity >= kMinCapacity && capacity <= kMaxCapacity &&
           std::has_single_bit(descriptor_count) && descriptor_count >= 2 && descriptor_count <= kMaxCapacity;
}

std::uint64_t checksum(const void* data, std::size_t size) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

}  // namespace pp::ring
