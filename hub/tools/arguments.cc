#include "hub/tools/arguments.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "hub/operations/moment.h"
#include "hub/refusal.h"
#include "hub/wall_clock.h"
#include "protocol/ring/query.h"
#include "protocol/rundir/nearest.h"

namespace pp::hub {
namespace {

using nlohmann::json;

const json& empty_object() {
    static const json kEmpty = json::object();
    return kEmpty;
}

const json& properties_of(const json& schema) {
    const auto found = schema.find("properties");
    return found == schema.end() ? empty_object() : *found;
}

std::string with_article(const std::string& wanted) {
    return "must be " + wanted;
}

void refuse_nul(const Arguments& arguments, const char* name, const std::string& text) {
    if (text.find('\0') != std::string::npos) arguments.refuse(name, "text without NUL bytes");
}

}  // namespace

Arguments::Arguments(const json& object, const json& schema, std::string where)
    : object_{object.is_null() ? empty_object() : object},
      properties_{properties_of(schema)},
      where_{std::move(where)} {
    if (!object_.is_object()) throw Refusal(Refusal::Kind::usage, "the arguments must be an object");
    for (const auto& [name, value] : object_.items()) {
        if (properties_.contains(name)) continue;
        std::vector<std::string> known;
        for (const auto& [property, schema_of_it] : properties_.items()) known.push_back(property);
        const auto meant = rundir::find_nearest(name, known);
        std::string text = "there is no parameter '" + where_ + name + "'";
        if (meant) text += "; did you mean '" + where_ + *meant + "'?";
        throw Refusal(Refusal::Kind::usage, text);
    }
}

void Arguments::refuse(const char* name, const std::string& wanted) const {
    const std::string parameter = "parameter '" + where_ + name + "' ";
    std::string given =
        has(name) ? object_.at(name).dump(-1, ' ', false, json::error_handler_t::replace) : "missing";
    if (given.size() > 60) given = given.substr(0, 60) + "…";
    throw Refusal(Refusal::Kind::usage, parameter + with_article(wanted) + ", but is " + given);
}

bool Arguments::has(const char* name) const {
    const auto found = object_.find(name);
    return found != object_.end() && !found->is_null();
}

const json& Arguments::value(const char* name) const {
    if (!has(name)) throw Refusal(Refusal::Kind::usage, "parameter '" + where_ + name + "' is missing");
    return object_.at(name);
}

std::optional<std::string> Arguments::text(const char* name) const {
    if (!has(name)) return std::nullopt;
    const json& found = value(name);
    if (!found.is_string()) refuse(name, "text");
    return found.get<std::string>();
}

std::string Arguments::text_or(const char* name, const std::string& otherwise) const {
    const auto found = text(name).value_or(otherwise);
    refuse_nul(*this, name, found);
    return found;
}

std::optional<std::string> Arguments::choice(const char* name) const {
    const auto found = text(name);
    if (!found) return std::nullopt;
    std::vector<std::string> allowed;
    std::string listed;
    for (const auto& one : properties_.at(name).at("enum")) {
        allowed.push_back(one.get<std::string>());
        listed += (listed.empty() ? "\"" : " or \"") + allowed.back() + "\"";
    }
    if (std::find(allowed.begin(), allowed.end(), *found) == allowed.end()) refuse(name, listed);
    return found;
}

bool Arguments::flag(const char* name) const {
    if (!has(name)) return false;
    if (!value(name).is_boolean()) refuse(name, "true or false");
    return value(name).get<bool>();
}

std::optional<std::int64_t> Arguments::integer(const char* name, std::int64_t least,
                                               std::int64_t most) const {
    if (!has(name)) return std::nullopt;
    const json& found = value(name);
    const std::string wanted =
        most == INT64_MAX ? "an integer of " + std::to_string(least) + " or more"
                          : "an integer from " + std::to_string(least) + " to " + std::to_string(most);
    double whole = 0;
    const bool is_integer = found.is_number_integer() ||
                            (found.is_number_float() && std::modf(found.get<double>(), &whole) == 0.0 &&
                             std::abs(found.get<double>()) < 9e15);
    if (!is_integer || (found.is_number_unsigned() && found.get<std::uint64_t>() > INT64_MAX))
        refuse(name, wanted);
    const auto number = found.get<std::int64_t>();
    if (number < least || number > most) refuse(name, wanted);
    return number;
}

std::optional<std::uint64_t> Arguments::count(const char* name) const {
    const auto number = integer(name, 0, INT64_MAX);
    return number ? std::optional{static_cast<std::uint64_t>(*number)} : std::nullopt;
}

std::optional<std::int64_t> Arguments::moment(const char* name) const {
    const auto given = text(name);
    if (!given) return std::nullopt;
    const auto moment = find_moment(*given, wall_clock_ns());
    if (!moment) refuse(name, "a time as \"2026-01-31T10:00:00Z\", or how long ago as \"5m\"");
    return moment;
}

std::int64_t Arguments::run() const {
    const auto number = integer("run", INT32_MIN, UINT32_MAX).value_or(-1);
    if (number == 0) refuse("run", "a run's number from 1, or -1 for the newest");
    return number;
}

std::size_t Arguments::max_chars() const {
    return static_cast<std::size_t>(integer("max_chars", 1, static_cast<std::int64_t>(ring::kMaxCharacters))
                                        .value_or(ring::kDefaultCharacters));
}

std::chrono::milliseconds Arguments::seconds(const char* name, double otherwise, double most) const {
    double amount = otherwise;
    if (has(name)) {
        const std::string wanted = "a number of seconds from 0 to " + std::to_string(static_cast<int>(most));
        if (!value(name).is_number()) refuse(name, wanted);
        amount = value(name).get<double>();
        if (!(amount >= 0 && amount <= most)) refuse(name, wanted);
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(amount * 1000)};
}

std::map<std::string, std::string> Arguments::text_map(const char* name) const {
    std::map<std::string, std::string> found;
    if (!has(name)) return found;
    const std::string wanted = "an object of names and texts";
    if (!value(name).is_object()) refuse(name, wanted);
    for (const auto& [key, entry] : value(name).items()) {
        if (!entry.is_string()) refuse(name, wanted);
        if (key.empty() || key.find('=') != std::string::npos || key.find('\0') != std::string::npos)
            refuse(name, "an object whose names are not empty and hold no '=' or NUL");
        refuse_nul(*this, name, entry.get<std::string>());
        found[key] = entry.get<std::string>();
    }
    return found;
}

Arguments Arguments::nested(const char* name) const {
    if (!has(name)) return Arguments{empty_object(), properties_.at(name), where_ + name + "."};
    if (!value(name).is_object()) refuse(name, "an object");
    return Arguments{value(name), properties_.at(name), where_ + name + "."};
}

Target Arguments::target() const {
    if (!has("process")) refuse("process", "an id (\"p3\"), a pid, a name or a command");
    return optional_target();
}

Target Arguments::optional_target() const {
    Target target{"", project()};
    if (!has("process")) return target;
    if (value("process").is_number_integer())
        target.process = std::to_string(value("process").get<std::int64_t>());
    else
        target.process = text_or("process", "");
    if (target.process.empty()) refuse("process", "an id (\"p3\"), a pid, a name or a command");
    return target;
}

std::string Arguments::project() const {
    std::string path = text_or("project", "");
    if (!path.empty() && path[0] != '/' && path != "all")
        refuse("project", "the absolute path of a directory");
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

}  // namespace pp::hub
