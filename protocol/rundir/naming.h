#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::rundir {

/// What a process can be named by.
struct Nameable {
    ProcessNumber number = 0;
    std::string name;
    std::string label;
    std::string project;  ///< its own
    std::string directory;
    std::string command;
    bool alive = false;  ///< its main lives, or is about to
    int main_pid = 0;    ///< 0 unless main lives
};

/// How a caller names one.
struct Asked {
    std::string text;       ///< id, pid, name, label or command
    std::string project;    ///< the caller's; empty: none, then names are looked up machine-wide
    std::string directory;  ///< the caller's; decides between equal commands; empty: none
};

struct Lookup {
    std::vector<const Nameable*> hits;   ///< one: found; more: ambiguous
    std::optional<std::string> nearest;  ///< where there is none: the name or id that was probably meant
};

/// The one rule of naming, for CLI and hub alike: id → live main pid → name in the caller's project → name
/// anywhere → label → exact command in the caller's directory → exact command. Never by a part of a word. The
/// first way that hits counts. Of its hits the live ones go before the finished; of finished ones that belong
/// to one project, the newest has taken the place of the others (pure).
Lookup look_up(const std::vector<const Nameable*>& all, const Asked& asked);

/// What to say where there is not exactly one hit, with all hits, or the nearest.
std::string refusal_text(const Lookup& lookup, const Asked& asked);

/// Whether a directory is the project's, or below it.
bool lies_inside(const std::string& directory, const std::string& project);

/// A process belongs to the caller's project if its directory lies inside it, else to its own directory's.
bool belongs_to(const std::string& directory, const std::string& own_project,
                const std::string& callers_project);

}  // namespace pp::rundir
