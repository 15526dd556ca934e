#include "protocol/wire/codec.h"

#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "tests/protocol/wire/samples.h"

using namespace pp;
using namespace pp::test;
using Catch::Matchers::Contains;
using wire::BadMessage;

namespace {

/// A message with each kind of field.
struct Everything {
    static constexpr std::uint32_t kType = 200;
    bool flag = false;
    std::int32_t i32 = 0;
    std::uint32_t u32 = 0;
    std::int64_t i64 = 0;
    std::uint64_t u64 = 0;
    std::string text;
    std::vector<std::string> texts;
    std::vector<std::int64_t> numbers;
    std::map<std::string, std::string> map;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("flag", self.flag);
        visit.optional("i32", self.i32);
        visit.optional("u32", self.u32);
        visit.optional("i64", self.i64);
        visit.optional("u64", self.u64);
        visit.optional("text", self.text);
        visit.optional("texts", self.texts);
        visit.optional("numbers", self.numbers);
        visit.optional("map", self.map);
    }
    bool operator==(const Everything&) const = default;
};

/// The same type number, with one field of another kind.
template <class Value>
struct OneField {
    static constexpr std::uint32_t kType = 200;
    inline static const char* name = "";
    bool flag = true;
    Value value{};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        if (std::string_view{name} != "flag") visit.required("flag", self.flag);
        visit.required(name, self.value);
    }
};

template <class Value>
std::string frame_with(const char* name, Value value) {
    OneField<Value>::name = name;
    return wire::encode(OneField<Value>{true, std::move(value)});
}

struct Nothing {
    static constexpr std::uint32_t kType = 200;
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&) {}
};

std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values) text += static_cast<char>(value);
    return text;
}

}  // namespace

TEST_CASE("every kind of field comes back as it went", "[wire][codec]") {
    Everything message;
    message.flag = true;
    message.i32 = std::numeric_limits<std::int32_t>::min();
    message.u32 = std::numeric_limits<std::uint32_t>::max();
    message.i64 = std::numeric_limits<std::int64_t>::min();
    message.u64 = std::numeric_limits<std::uint64_t>::max();
    message.text = std::string{"a\0\xFF", 3};
    message.texts = {"", "x", std::string(100'000, 'y')};
    message.numbers = {-1, 0, std::numeric_limits<std::int64_t>::max()};
    message.map = {{"", ""}, {"k", std::string(70'000, 'v')}};
    CHECK(wire::decode<Everything>(wire::encode(message)) == message);
    CHECK(wire::decode<Everything>(wire::encode(Everything{})) == Everything{});
}

TEST_CASE("every message comes back as it went", "[wire][codec]") {
    for_each_sample([](std::uint32_t, const char* name, const auto& message) {
        CAPTURE(name);
        using Message = std::decay_t<decltype(message)>;
        const auto frame = wire::encode(message);
        CHECK(wire::type_of(frame) == Message::kType);
        CHECK(wire::encode(wire::decode<Message>(frame)) == frame);
    });
}

TEST_CASE("shim message types are told apart by their number", "[wire][codec]") {
    std::map<std::uint32_t, std::set<std::string>> names;
    for_each_sample([&](std::uint32_t, const std::string& name, const auto& message) {
        if (name.starts_with("shim_")) names[std::decay_t<decltype(message)>::kType].insert(name);
    });
    for (const auto& [type, named] : names) {
        CAPTURE(type);
        CHECK(named.size() == 1);
    }
    CHECK_THROWS_WITH(wire::decode<wire::Pong>(wire::encode(wire::Ping{1})), Contains("type is 11, not 12"));
}

TEST_CASE("a missing field is named, and an optional one keeps its default", "[wire][codec]") {
    CHECK_THROWS_WITH(wire::decode<Everything>(wire::encode(Nothing{})), Contains("'flag' is missing"));
    const auto message = wire::decode<Everything>(frame_with<std::string>("text", "x"));
    CHECK(message.flag);
    CHECK(message.i32 == 0);
    CHECK(message.text == "x");
}

TEST_CASE("a field that is not known is passed over", "[wire][codec]") {
    CHECK(wire::decode<Everything>(frame_with<std::string>("since_version_9", "x")).flag);
    CHECK(wire::decode<Everything>(frame_with<std::vector<std::string>>("since_version_9", {"x"})).flag);
}

TEST_CASE("a field of the wrong kind is named with what it should have been", "[wire][codec]") {
    const auto check = [](const std::string& frame, const char* what) {
        CHECK_THROWS_WITH(wire::decode<Everything>(frame), Contains(what));
        CHECK_THROWS_AS(wire::decode<Everything>(frame), BadMessage);
    };
    check(frame_with<std::string>("flag", "x"), "field 'flag' is not true or false");
    check(frame_with<std::string>("i32", "x"), "field 'i32' is not an integer");
    check(frame_with<std::int64_t>("i32", 1ll << 31), "field 'i32' is not a 32-bit integer");
    check(frame_with<std::int64_t>("u32", -1), "field 'u32' is not an integer of 0 or more");
    check(frame_with<std::uint64_t>("u32", 1ull << 32), "field 'u32' is not a 32-bit integer");
    check(frame_with<std::uint64_t>("i64", 1ull << 63), "field 'i64' is not an integer");
    check(frame_with<bool>("u64", true), "field 'u64' is not an integer of 0 or more");
    check(frame_with<std::int64_t>("text", 1), "field 'text' is not text");
    check(frame_with<std::string>("texts", "x"), "field 'texts' is not a list");
    check(frame_with<std::vector<std::int64_t>>("texts", {1}), "field 'texts' is not text");
    check(frame_with<std::vector<std::string>>("numbers", {"x"}), "field 'numbers' is not an integer");
    check(frame_with<std::vector<std::string>>("map", {"x"}), "field 'map' is not a map");
}

TEST_CASE("a frame that claims more than it has is refused at once", "[wire][codec]") {
    for (const auto& frame : {
             bytes({0xDD, 0x7F, 0xFF, 0xFF, 0xFF}),        // an array of 2^31
             bytes({0xDF, 0x7F, 0xFF, 0xFF, 0xFF}),        // a map of 2^31
             bytes({0xC6, 0x7F, 0xFF, 0xFF, 0xFF}),        // bin of 2^31
             bytes({0xDB, 0xFF, 0xFF, 0xFF, 0xFF}),        // str of 2^32
             bytes({0xC9, 0x7F, 0xFF, 0xFF, 0xFF, 0x01}),  // ext
             bytes({0x81, 0xA1, 'x', 0xDD, 0x00, 0x01, 0x00, 0x01}),
         }) {
        CHECK_THROWS_AS(wire::type_of(frame), BadMessage);
    }
}

TEST_CASE("depth, trailing bytes, doubled keys and other shapes are refused", "[wire][codec]") {
    const std::string good = wire::encode(wire::Ack{1});
    CHECK_NOTHROW(wire::decode<wire::Ack>(good));
    CHECK_THROWS_WITH(wire::type_of(good + "\xC0"), Contains("bytes follow"));
    CHECK_THROWS_WITH(wire::type_of(good + good), Contains("bytes follow"));
    CHECK_THROWS_AS(wire::type_of(good.substr(0, good.size() - 1)), BadMessage);
    CHECK_THROWS_AS(wire::type_of(""), BadMessage);
    CHECK_THROWS_WITH(wire::type_of(bytes({0x01})), Contains("not a map"));
    CHECK_THROWS_WITH(wire::type_of(bytes({0x93, 1, 2, 3})), Contains("not a map"));
    CHECK_THROWS_WITH(wire::type_of(bytes({0x81, 0x01, 0x01})), Contains("key is not text"));
    CHECK_THROWS_WITH(wire::type_of(bytes({0x82, 0xA1, 'x', 1, 0xA1, 'x', 2})), Contains("stands twice"));
    CHECK_THROWS_WITH(wire::type_of(bytes({0x80})), Contains("'type' is missing"));
    std::string deep = bytes({0x81, 0xA1, 'x'});
    for (int i = 0; i < 1000; ++i) deep += bytes({0x91});
    deep += bytes({0x01});
    CHECK_THROWS_AS(wire::type_of(deep), BadMessage);
    CHECK_THROWS_WITH(wire::type_of(std::string(wire::kMaxMessage + 1, '\0')), Contains("too large"));
}

TEST_CASE("no mutated frame does more than throw BadMessage", "[wire][codec][fuzz]") {
    std::vector<std::string> frames;
    for_each_sample([&](std::uint32_t, const char*, const auto& message) { frames.push_back(wire::encode(message)); });
    std::mt19937 random{20261121};
    int decoded = 0;
    const auto try_all = [&](const std::string& frame) {
        for_each_sample([&](std::uint32_t, const char*, const auto& message) {
            try {
                wire::decode<std::decay_t<decltype(message)>>(frame);
                ++decoded;
            } catch (const BadMessage&) {
            }
        });
    };
    for (int round = 0; round < 100'000; ++round) {
        std::string frame = frames[random() % frames.size()];
        const auto changes = 1 + random() % 4;
        for (unsigned i = 0; i < changes && !frame.empty(); ++i) {
            const auto at = random() % frame.size();
            switch (random() % 4) {
                case 0: frame[at] = static_cast<char>(random()); break;
                case 1: frame.erase(at, 1 + random() % 4); break;
                case 2: frame.insert(at, 1, static_cast<char>(random())); break;
                default: frame[at] = static_cast<char>(0xC0 + random() % 0x40); break;  // a type byte
            }
        }
        if (round % 50 == 0) {
            try_all(frame);
            continue;
        }
        try {  // the type first, as a receiver does
            const auto type = wire::type_of(frame);
            for_each_sample([&](std::uint32_t, const char*, const auto& message) {
                using Message = std::decay_t<decltype(message)>;
                if (Message::kType != type) return;
                try {
                    wire::decode<Message>(frame);
                    ++decoded;
                } catch (const BadMessage&) {
                }
            });
        } catch (const BadMessage&) {
        }
    }
    for (int round = 0; round < 20'000; ++round) {
        std::string frame(random() % 64, '\0');
        for (char& c : frame) c = static_cast<char>(random());
        CHECK_NOTHROW([&] {
            try {
                wire::type_of(frame);
            } catch (const BadMessage&) {
            }
        }());
    }
    CHECK(decoded > 1000);
}
