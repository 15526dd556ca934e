#include "cli/doctor/probe.h"

#include <cerrno>

#include "protocol/os/error.h"

namespace pp::cli::doctor {

int error_of(long result) {
    return result < 0 ? errno : 0;
}

Findings judge(const std::string& area, const std::string& where, const std::vector<Probe>& probes,
               const std::string& advice) {
    Findings findings;
    std::string working;
    for (const auto& probe : probes) {
        if (probe.error == 0) {
            working += (working.empty() ? "" : ", ") + probe.name;
            continue;
        }
        const auto what =
            where + " has no " + probe.name + " (" + os::error_text(probe.error) + "): " + probe.without;
        findings.push_back(probe.needed ? problem(area, what, advice) : note(area, what));
    }
    if (!working.empty()) findings.insert(findings.begin(), fine(area, where + " has " + working));
    return findings;
}

}  // namespace pp::cli::doctor
