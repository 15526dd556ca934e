#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/log.h"
#include "hub/worker.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// The environment that a process is started in, and where it is from.
struct ChosenEnvironment {
    rundir::Environment variables;
    std::string source;  ///< caller · project · login shell · hub
};

/// Knows environments: a person's start brings the caller's, which is kept for the project; a start without
/// one gets the last of its project, else the login shell's, captured once, else the hub's own.
class Environments {
  public:
    Environments(Worker& worker, const rundir::Home& home, const Log& log, rundir::Environment own);

    /// state/projects/<hash of the path>/environment, 0600.
    void keep(const std::string& project, const rundir::Environment& environment);

    /// Calls at once if it can.
    void choose(const std::string& project, std::function<void(const ChosenEnvironment&)> then);

  private:
    [[nodiscard]] std::string path_for(const std::string& project) const;
    void on_captured(std::optional<rundir::Environment> captured);

    Worker& worker_;
    rundir::Home home_;
    const Log& log_;
    rundir::Environment own_;
    std::optional<ChosenEnvironment> login_;
    std::vector<std::function<void(const ChosenEnvironment&)>> waiting_;
};

}  // namespace pp::hub
