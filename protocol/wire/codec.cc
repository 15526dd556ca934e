#include "protocol/wire/codec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wswitch-enum"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <msgpack.hpp>
#pragma GCC diagnostic pop

#include <limits>
#include <utility>

namespace pp::wire {
namespace {

constexpr std::size_t kMaxDepth = 4;

[[noreturn]] void wrong(const char* name, const char* wanted) {
    throw BadMessage(std::string{"field '"} + name + "' is not " + wanted);
}

/// What msgpack packs into.
struct Bytes {
    std::string text;
    void write(const char* data, std::size_t size) { text.append(data, size); }
};

bool refer_to_frame(msgpack::type::object_type, std::size_t, void*) { return true; }

std::string text_of(const msgpack::object& object, const char* name) {
    if (object.type == msgpack::type::STR) return {object.via.str.ptr, object.via.str.size};
    if (object.type == msgpack::type::BIN) return {object.via.bin.ptr, object.via.bin.size};
    wrong(name, "text");
}

std::int64_t integer_of(const msgpack::object& object, const char* name) {
    if (object.type == msgpack::type::NEGATIVE_INTEGER) return object.via.i64;
    if (object.type == msgpack::type::POSITIVE_INTEGER &&
        object.via.u64 <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return static_cast<std::int64_t>(object.via.u64);
    wrong(name, "an integer");
}

}  // namespace

/// Fields are packed behind a map header whose count is only known at the end.
struct Encoder::State {
    Bytes fields;
    msgpack::packer<Bytes> packer{fields};
    std::uint32_t count = 0;
};

Encoder::Encoder() : state_{std::make_unique<State>()} {}
Encoder::~Encoder() = default;

void Encoder::type(std::uint32_t type) { required("type", type); }

void Encoder::key(const char* name) {
    ++state_->count;
    state_->packer.pack(name);
}
void Encoder::put(bool value) { state_->packer.pack(value); }
void Encoder::put(std::int64_t value) { state_->packer.pack(value); }
void Encoder::put(std::uint64_t value) { state_->packer.pack(value); }
void Encoder::put(const std::string& value) {  // bin: text of others may hold any byte
    state_->packer.pack_bin(static_cast<std::uint32_t>(value.size()));
    state_->packer.pack_bin_body(value.data(), static_cast<std::uint32_t>(value.size()));
}
void Encoder::put(const std::vector<std::string>& value) {
    state_->packer.pack_array(static_cast<std::uint32_t>(value.size()));
    for (const auto& element : value) put(element);
}
void Encoder::put(const std::vector<std::int64_t>& value) {
    state_->packer.pack_array(static_cast<std::uint32_t>(value.size()));
    for (const auto element : value) put(element);
}
void Encoder::put(const std::map<std::string, std::string>& value) {
    state_->packer.pack_map(static_cast<std::uint32_t>(value.size()));
    for (const auto& [name, element] : value) {
        put(name);
        put(element);
    }
}

std::string Encoder::finish() {
    Bytes header;
    msgpack::packer<Bytes>{header}.pack_map(state_->count);
    auto bytes = std::move(state_->fields.text);
    bytes.insert(0, header.text);
    return bytes;
}

struct Decoder::State {
    msgpack::object_handle handle;
    std::map<std::string_view, const msgpack::object*> fields;

    const msgpack::object& at(const char* name) const { return *fields.at(name); }
};

Decoder::Decoder(std::string_view frame) : state_{std::make_unique<State>()} {
    if (frame.size() > kMaxMessage) throw BadMessage("frame of " + std::to_string(frame.size()) + " bytes is too large");
    try {
        std::size_t used = 0;
        bool referenced = false;
        state_->handle =
            msgpack::unpack(frame.data(), frame.size(), used, referenced, refer_to_frame, nullptr,
                            msgpack::unpack_limit(kMaxElements, kMaxElements, kMaxMessage, kMaxMessage, 0, kMaxDepth));
        if (used != frame.size()) throw BadMessage("bytes follow the message");
    } catch (const msgpack::unpack_error& error) {
        throw BadMessage(std::string{"not msgpack: "} + error.what());
    }
    const msgpack::object& object = state_->handle.get();
    if (object.type != msgpack::type::MAP) throw BadMessage("not a map");
    for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
        const msgpack::object_kv& entry = object.via.map.ptr[i];
        if (entry.key.type != msgpack::type::STR) throw BadMessage("a key is not text");
        const std::string_view name{entry.key.via.str.ptr, entry.key.via.str.size};
        if (!state_->fields.emplace(name, &entry.val).second) throw BadMessage("a key stands twice");
    }
}

Decoder::~Decoder() = default;

std::uint32_t Decoder::type() {
    std::uint32_t value = 0;
    required("type", value);
    return value;
}

bool Decoder::has(const char* name) const { return state_->fields.contains(name); }

void Decoder::get(const char* name, bool& value) {
    const auto& object = state_->at(name);
    if (object.type != msgpack::type::BOOLEAN) wrong(name, "true or false");
    value = object.via.boolean;
}
void Decoder::get(const char* name, std::int64_t& value) { value = integer_of(state_->at(name), name); }
void Decoder::get(const char* name, std::int32_t& value) {
    const auto wide = integer_of(state_->at(name), name);
    if (wide < std::numeric_limits<std::int32_t>::min() || wide > std::numeric_limits<std::int32_t>::max())
        wrong(name, "a 32-bit integer");
    value = static_cast<std::int32_t>(wide);
}
void Decoder::get(const char* name, std::uint64_t& value) {
    const auto& object = state_->at(name);
    if (object.type != msgpack::type::POSITIVE_INTEGER) wrong(name, "an integer of 0 or more");
    value = object.via.u64;
}
void Decoder::get(const char* name, std::uint32_t& value) {
    std::uint64_t wide = 0;
    get(name, wide);
    if (wide > std::numeric_limits<std::uint32_t>::max()) wrong(name, "a 32-bit integer of 0 or more");
    value = static_cast<std::uint32_t>(wide);
}
void Decoder::get(const char* name, std::string& value) { value = text_of(state_->at(name), name); }
void Decoder::get(const char* name, std::vector<std::string>& value) {
    const auto& object = state_->at(name);
    if (object.type != msgpack::type::ARRAY) wrong(name, "a list");
    value.clear();
    for (std::uint32_t i = 0; i < object.via.array.size; ++i) value.push_back(text_of(object.via.array.ptr[i], name));
}
void Decoder::get(const char* name, std::vector<std::int64_t>& value) {
    const auto& object = state_->at(name);
    if (object.type != msgpack::type::ARRAY) wrong(name, "a list");
    value.clear();
    for (std::uint32_t i = 0; i < object.via.array.size; ++i) value.push_back(integer_of(object.via.array.ptr[i], name));
}
void Decoder::get(const char* name, std::map<std::string, std::string>& value) {
    const auto& object = state_->at(name);
    if (object.type != msgpack::type::MAP) wrong(name, "a map");
    value.clear();
    for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
        const auto& entry = object.via.map.ptr[i];
        value[text_of(entry.key, name)] = text_of(entry.val, name);
    }
}

}  // namespace pp::wire
