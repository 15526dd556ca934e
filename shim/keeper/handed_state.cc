#include "shim/keeper/handed_state.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace pp::keeper {
namespace {

constexpr std::string_view kMagic = "PPKEEPER";

/// How many records, and how long one is.
struct Table {
    std::uint32_t count = 0;
    std::uint32_t size = 0;
};

struct Header {
    char magic[8] = {};
    std::uint32_t version = 0;
    std::uint32_t size = 0;
    std::int32_t lock_fd = 0;
    std::int32_t listener_fd = 0;
    std::int32_t asker = 0;
    std::uint32_t reserved = 0;
    Table connections;
    Table wards;
    Table held;
    Table waiting;
};
static_assert(sizeof(Header) == 64);
static_assert(sizeof(HandedState::Connection) == 16);
static_assert(sizeof(HandedState::Ward) == 168);
static_assert(sizeof(HandedState::Held) == 56);
static_assert(sizeof(HandedState::Waiting) == 8 + wire::kMaxKeeperMessage);

template <class Record>
void append(std::string& bytes, const Record& record) {
    static_assert(std::is_trivially_copyable_v<Record>);
    bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
}

template <class Record>
Table append_all(std::string& bytes, const std::vector<Record>& records) {
    for (const auto& record : records) append(bytes, record);
    return {static_cast<std::uint32_t>(records.size()), sizeof(Record)};
}

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error("the keeper's state " + why); }

class Input {
  public:
    explicit Input(std::span<const std::byte> bytes) : bytes_{bytes} {}

    /// The next `size` bytes, as far as the record has them.
    template <class Record>
    Record next(std::size_t size) {
        if (size > bytes_.size()) refuse("is cut off");
        Record record;
        std::memcpy(&record, bytes_.data(), std::min(size, sizeof record));
        bytes_ = bytes_.subspan(size);
        return record;
    }
    template <class Record>
    std::vector<Record> all(const Table& table) {
        if (table.count > 0 && (table.size == 0 || table.size > bytes_.size() / table.count)) refuse("is cut off");
        std::vector<Record> records;
        for (std::uint32_t i = 0; i < table.count; ++i) records.push_back(next<Record>(table.size));
        return records;
    }

  private:
    std::span<const std::byte> bytes_;
};

}  // namespace

std::string encode(const HandedState& state) {
    std::string tables;
    Header header;
    kMagic.copy(header.magic, sizeof header.magic);
    header.version = kHandedVersion;
    header.size = sizeof header;
    header.lock_fd = state.lock_fd;
    header.listener_fd = state.listener_fd;
    header.asker = state.asker;
    header.connections = append_all(tables, state.connections);
    header.wards = append_all(tables, state.wards);
    header.held = append_all(tables, state.held);
    header.waiting = append_all(tables, state.waiting);
    std::string bytes;
    append(bytes, header);
    return bytes + tables;
}

HandedState decode_handed_state(std::span<const std::byte> bytes) {
    const auto header = Input{bytes}.next<Header>(sizeof(Header));
    if (std::string_view{header.magic, sizeof header.magic} != kMagic) refuse("does not begin with PPKEEPER");
    if (header.version < kOldestHandedVersion) refuse("has version " + std::to_string(header.version));
    if (header.size < sizeof header || header.size > bytes.size()) refuse("is cut off");
    Input input{bytes.subspan(header.size)};
    HandedState state;
    state.lock_fd = header.lock_fd;
    state.listener_fd = header.listener_fd;
    state.asker = header.asker;
    state.connections = input.all<HandedState::Connection>(header.connections);
    state.wards = input.all<HandedState::Ward>(header.wards);
    state.held = input.all<HandedState::Held>(header.held);
    state.waiting = input.all<HandedState::Waiting>(header.waiting);
    for (auto& ward : state.wards) ward.last_words[sizeof ward.last_words - 1] = '\0';
    for (auto& waiting : state.waiting) waiting.size = std::min<std::uint32_t>(waiting.size, sizeof waiting.bytes);
    return state;
}

}  // namespace pp::keeper
