#include "cli/output/event_text.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/output/print.h"
#include "cli/output/style.h"

namespace pp::cli {
namespace {

using nlohmann::json;

std::string text_in(const json& event, const char* key) {
    const auto found = event.find(key);
    return found != event.end() && found->is_string() ? printable(found->get<std::string>()) : "";
}

/// "web#3", "web", "p12" of one without a name, "hub".
std::string subject(const json& event) {
    auto name = text_in(event, "name");
    if (name.empty()) name = text_in(event, "process");
    if (name.empty()) return "hub";
    const auto run = event.find("run");
    const bool has_run = run != event.end() && run->is_number_integer() && run->get<std::int64_t>() > 0;
    return has_run ? name + "#" + run->dump() : name;
}

Colour colour_of(const json& event) {
    const auto kind = text_in(event, "kind");
    const auto outcome = text_in(event, "outcome");
    if (outcome == "failed" || outcome == "crashed") return Colour::red;
    if (outcome == "killed" || outcome == "unknown") return Colour::yellow;
    if (kind == "capture_fault") return text_in(event, "error").empty() ? Colour::green : Colour::red;
    struct KindColour {
        std::string_view kind;
        Colour colour;
    };
    static constexpr std::array<KindColour, 9> kColours{{{"started", Colour::green},
                                                         {"start_failed", Colour::red},
                                                         {"shim_given_up", Colour::red},
                                                         {"history_replaced", Colour::red},
                                                         {"missing", Colour::yellow},
                                                         {"keeper_lost", Colour::yellow},
                                                         {"taken_over", Colour::yellow},
                                                         {"drained", Colour::dim},
                                                         {"tree_gone", Colour::dim}}};
    for (const auto& one : kColours) {
        if (one.kind == kind) return one.colour;
    }
    return Colour::none;
}

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

}  // namespace

std::string event_line(const json& event, bool colours) {
    const auto number = event.value("number", std::uint64_t{0});
    const auto time = text_in(event, "time");
    return padded(std::to_string(number), 6) + "  " +
           coloured(padded(time.empty() ? "-" : time, 24), Colour::dim, colours) + "  " +
           padded(subject(event), 16) + "  " + coloured(text_in(event, "what"), colour_of(event), colours) +
           "\n";
}

}  // namespace pp::cli
