#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hub/operations/context.h"

namespace pp::hub {

/// Reads the arguments of a call, and says of each that is wrong what would be right. Throws Refusal.
class Arguments {
  public:
    /// `known` are the parameters of the tool's schema; any other is refused with the nearest of them.
    Arguments(const nlohmann::json& object, const nlohmann::json& schema, std::string where = {});

    [[nodiscard]] bool has(const char* name) const;
    [[nodiscard]] std::optional<std::string> text(const char* name) const;
    [[nodiscard]] std::string text_or(const char* name, const std::string& otherwise) const;
    /// One of the schema's `enum`.
    [[nodiscard]] std::optional<std::string> choice(const char* name) const;
    [[nodiscard]] bool flag(const char* name) const;
    [[nodiscard]] std::optional<std::int64_t> integer(const char* name, std::int64_t least,
                                                      std::int64_t most) const;
    /// A whole number, 0 or more.
    [[nodiscard]] std::optional<std::uint64_t> count(const char* name) const;
    /// A time, or how long ago; in nanoseconds.
    [[nodiscard]] std::optional<std::int64_t> moment(const char* name) const;
    /// `run`, as in ring::Query; the newest if it is not given.
    [[nodiscard]] std::int64_t run() const;
    /// `max_chars`, as in ring::Query.
    [[nodiscard]] std::size_t max_chars() const;
    /// A number of seconds.
    [[nodiscard]] std::chrono::milliseconds seconds(const char* name, double otherwise, double most) const;
    [[nodiscard]] std::map<std::string, std::string> text_map(const char* name) const;
    /// An object with parameters of its own.
    [[nodiscard]] Arguments nested(const char* name) const;
    [[nodiscard]] const nlohmann::json& value(const char* name) const;

    /// `process` (text, or a pid as a number) and `project`.
    [[nodiscard]] Target target() const;
    [[nodiscard]] Target optional_target() const;
    [[nodiscard]] std::string project() const;

    [[noreturn]] void refuse(const char* name, const std::string& wanted) const;

  private:
    const nlohmann::json& object_;
    const nlohmann::json& properties_;
    std::string where_;  ///< "options." for nested ones
};

}  // namespace pp::hub
