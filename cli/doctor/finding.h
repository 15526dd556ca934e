#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace pp::cli::doctor {

enum class Level {
    ok,
    note,    ///< worth knowing; nothing has to be done
    problem  ///< something of pp does not work, or will be lost, until it is mended
};

/// What one check found. One line each: no newlines, no control characters.
struct Finding {
    Level level = Level::ok;
    std::string area;  ///< kernel, limits, …
    std::string what;
    std::string advice;  ///< what to do; empty only where nothing is
};
using Findings = std::vector<Finding>;

Finding fine(std::string area, std::string what);
Finding note(std::string area, std::string what, std::string advice = {});
Finding problem(std::string area, std::string what, std::string advice);

std::string level_name(Level level);
bool has_problem(const Findings& findings);

/// "problem  port: 8947 is taken by … — set PP_PORT …", with a newline.
std::string line_of(const Finding& finding, bool colours);
/// {"findings": [{level, area, what, advice}], "problems": 2, "notes": 1}
nlohmann::json json_of(const Findings& findings);

}  // namespace pp::cli::doctor
