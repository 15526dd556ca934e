#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hub/operations/context.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

struct ListArguments {
    std::string project;  ///< absolute path, or "all"; empty: the caller's, if there is one
    std::string state;    ///< a state's name, or "live"; empty: any
    std::string name;
    std::string owner;  ///< kind or client
};

/// Processes that fit, in the order in which they were made; the registry's own, as just read. Throws Refusal.
std::vector<const rundir::ProcessFiles*> list(const Context& context, const ListArguments& arguments,
                                              const Caller& caller);

/// States that can be asked for.
std::vector<std::string> listable_states();

}  // namespace pp::hub
