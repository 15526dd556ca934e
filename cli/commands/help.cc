#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/output/print.h"
#include "cli/verbs.h"
#include "protocol/rundir/nearest.h"

namespace pp::cli {

int help_command(const Context& context, const Words& words) {
    if (words.empty()) {
        print(overview());
        return code(Exit::done);
    }
    const Verb* verb = find_verb(words.front());
    if (verb == nullptr) {
        std::vector<std::string> names;
        for (const auto& one : verbs()) names.emplace_back(one.name);
        const auto near = rundir::find_nearest(words.front(), names);
        throw Failure{Exit::usage, "'" + printable(words.front()) + "' is no verb" +
                                       (near ? "; did you mean '" + *near + "'?" : "; 'pp help' lists them")};
    }
    if (verb->function == nullptr || verb->function == help_command || verb->function == version_command) {
        print(verb->function == nullptr ? "'" + words.front() + "' is not in this version yet\n"
                                        : "pp " + words.front() + ": " + std::string{verb->summary} + "\n");
        return code(Exit::done);
    }
    return verb->function(context, {"--help"});
}

int version_command(const Context&, const Words&) {
    print("pp " PP_VERSION "\n");
    return code(Exit::done);
}

}  // namespace pp::cli
