#include "protocol/ring/superblock.h"

#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace pp::ring {
namespace {

std::optional<Superblock> read_one(int fd, std::uint64_t offset) {
    Superblock block;
    if (::pread(fd, &block, sizeof block, static_cast<off_t>(offset)) != static_cast<ssize_t>(sizeof block))
        return std::nullopt;
    if (std::string_view{block.magic, sizeof block.magic} != kRingMagic) return std::nullopt;
    if (block.version < kOldestRingVersion || block.version > kRingVersion) return std::nullopt;
    if (checksum(&block, offsetof(Superblock, checksum)) != block.checksum || !block.geometry.valid())
        return std::nullopt;
    return block;
}

}  // namespace

std::optional<Superblock> find_superblock(int ring_fd) {
    auto a = read_one(ring_fd, 0);
    auto b = read_one(ring_fd, kSuperblockSize);
    if (a && b) return a->sequence > b->sequence ? a : b;
    return a ? a : b;
}

bool write_superblock(int ring_fd, Superblock block) {
    std::memcpy(block.magic, kRingMagic.data(), sizeof block.magic);
    block.checksum = checksum(&block, offsetof(Superblock, checksum));
    const std::uint64_t offset = block.sequence % 2 == 0 ? 0 : kSuperblockSize;
    return ::pwrite(ring_fd, &block, sizeof block, static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof block);
}

}  // namespace pp::ring
