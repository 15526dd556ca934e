#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/context.h"

namespace pp::cli {

struct Verb {
    std::string_view name;
    std::string_view summary;
    int (*function)(const Context&, const Words&);  ///< null: reserved, not in this version yet
};

/// All of them, in the order in which help shows them.
std::span<const Verb> verbs();
const Verb* find_verb(std::string_view name);

/// What `pp help` prints.
std::string overview();

/// Does what the words say: a verb, or a command to run. Gives the exit code.
int dispatch(const Context& context, const Words& words);

}  // namespace pp::cli
