#pragma once

#include <map>
#include <optional>
#include <string>

#include "cli/context.h"
#include "protocol/wire/control_messages.h"

namespace pp::cli {

/// What Ctrl-C does to a process that `pp run` watches.
enum class OnExit { ask, stop, detach };

/// The command line of `run`. Everything from the first word that is no option of ours is the child's,
/// verbatim.
struct RunOptions {
    std::optional<std::string> name;
    std::optional<std::string> label;
    std::optional<std::string> directory;
    std::map<std::string, std::string> environment;
    OnExit on_exit = OnExit::ask;
    bool replace = false;
    bool detach = false;
    bool pass_stdin = false;
    bool terminal = false;  ///< the child gets a terminal of its own
    bool json = false;
    std::optional<std::string> streams;  ///< merged | split, as given
    std::optional<std::string> log_size;  ///< as `start` takes it: "64M"
    Words command;

    /// One word with blanks or shell syntax is a string for the hub to take apart, all else an argv.
    [[nodiscard]] bool is_string() const;
};

/// Throws Failure (usage) and HelpAsked.
RunOptions parse_run(const Words& words);

/// The request to start: what was given, and no more, because a process that runs already is held to it. The
/// command goes as its bytes; throws Failure (usage) if any other word is not UTF-8.
wire::Request start_request(const Context& context, const RunOptions& options);

}  // namespace pp::cli
