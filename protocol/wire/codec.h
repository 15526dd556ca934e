#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pp::wire {

// Messages are plain structs with one `fields()` that names each field once for both directions:
//
//     struct Ack {
//         static constexpr std::uint32_t kType = 3;
//         std::uint64_t number = 0;
//         template <class Self, class Visitor>
//         static void fields(Self& self, Visitor& visit) { visit.required("number", self.number); }
//     };
//
// On the wire each is one msgpack map with the key "type" beside its fields. Maps and not arrays, so that fields can be
// added; a field that is not known is passed over. This is the one place that packs and unpacks, with limits: 5 bytes can
// claim 2^31 elements.

/// A peer sent nonsense: caught where the frame was read; that peer is answered or dropped, nothing else happens.
class BadMessage : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

inline constexpr std::size_t kMaxMessage = 8u << 20;   ///< bytes of a frame
inline constexpr std::size_t kMaxElements = 65536;     ///< of one array or map

/// Packs the fields of a message; hides msgpack.
class Encoder {
  public:
    Encoder();
    ~Encoder();
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;

    void type(std::uint32_t type);
    template <class Value>
    void required(const char* name, const Value& value) {
        key(name);
        put(value);
    }
    template <class Value>
    void optional(const char* name, const Value& value) {
        required(name, value);
    }
    /// The finished frame.
    std::string finish();

  private:
    void key(const char* name);
    void put(bool value);
    void put(std::int32_t value) { put(static_cast<std::int64_t>(value)); }
    void put(std::uint32_t value) { put(static_cast<std::uint64_t>(value)); }
    void put(std::int64_t value);
    void put(std::uint64_t value);
    void put(const std::string& value);
    void put(const std::vector<std::string>& value);
    void put(const std::vector<std::int64_t>& value);
    void put(const std::map<std::string, std::string>& value);
    struct State;
    std::unique_ptr<State> state_;
};

/// Unpacks a frame. Everything throws BadMessage, which names the field and what it should have been.
class Decoder {
  public:
    /// The frame must outlive it.
    explicit Decoder(std::string_view frame);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    [[nodiscard]] std::uint32_t type();
    template <class Value>
    void required(const char* name, Value& value) {
        if (!has(name)) throw BadMessage(std::string{"field '"} + name + "' is missing");
        get(name, value);
    }
    template <class Value>
    void optional(const char* name, Value& value) {
        if (has(name)) get(name, value);
    }

  private:
    [[nodiscard]] bool has(const char* name) const;
    void get(const char* name, bool& value);
    void get(const char* name, std::int32_t& value);
    void get(const char* name, std::uint32_t& value);
    void get(const char* name, std::int64_t& value);
    void get(const char* name, std::uint64_t& value);
    void get(const char* name, std::string& value);
    void get(const char* name, std::vector<std::string>& value);
    void get(const char* name, std::vector<std::int64_t>& value);
    void get(const char* name, std::map<std::string, std::string>& value);
    struct State;
    std::unique_ptr<State> state_;
};

template <class Message>
std::string encode(const Message& message) {
    Encoder encoder;
    encoder.type(Message::kType);
    Message::fields(message, encoder);
    return encoder.finish();
}

/// The frame's type, to choose what to decode it as.
inline std::uint32_t type_of(std::string_view frame) { return Decoder{frame}.type(); }

template <class Message>
Message decode(std::string_view frame) {
    Decoder decoder{frame};
    if (decoder.type() != Message::kType)
        throw BadMessage("type is " + std::to_string(decoder.type()) + ", not " + std::to_string(Message::kType));
    Message message;
    Message::fields(message, decoder);
    return message;
}

}  // namespace pp::wire
