#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "protocol/rundir/process_files.h"

namespace pp::cli {

/// What a process can be named by.
struct Candidate {
    rundir::ProcessNumber number = 0;
    std::string name;
    std::string label;
    std::string command;
    std::string working_directory;
    std::string project;
    bool live = false;
    int main_pid = 0;  ///< 0 unless main lives
};

/// How a caller names one.
struct Asked {
    std::string text;
    std::string project;    ///< the caller's
    std::string directory;  ///< the caller's
};

struct Lookup {
    std::vector<std::size_t> hits;       ///< one: found; more: ambiguous; by position among the candidates
    std::optional<std::string> nearest;  ///< where there is none
};

/// id → live main pid → name in the caller's project → name anywhere → label → exact command (the caller's
/// directory first). Never by a part of a word. Of several, a live one goes before finished ones, and of
/// those the newest counts (pure).
Lookup look_up(const std::vector<Candidate>& candidates, const Asked& asked);

Candidate candidate_of(const rundir::ProcessFiles& files);

/// All processes that left files, by number.
std::vector<rundir::ProcessFiles> read_all_processes(const rundir::Home& home);

/// The one that is named, from files alone: no hub is needed. Throws Failure: not_found naming the nearest,
/// ambiguous listing them.
rundir::ProcessFiles find_target(const Context& context, const std::string& text);

/// "web (p12)".
std::string spoken_name(const rundir::ProcessFiles& files);

/// Whether its main process lives or is about to.
bool is_live(const rundir::ProcessFiles& files);

}  // namespace pp::cli
