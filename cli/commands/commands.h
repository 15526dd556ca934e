#pragma once

#include "cli/context.h"

namespace pp::cli {

// The verbs. Each takes the words behind its name and gives the exit code. Expected ends are thrown: Failure,
// HelpAsked, OutputClosed.

int run_command(const Context& context, const Words& words);
int ls_command(const Context& context, const Words& words);
int status_command(const Context& context, const Words& words);
int logs_command(const Context& context, const Words& words);
int search_command(const Context& context, const Words& words);
int stop_command(const Context& context, const Words& words);
int restart_command(const Context& context, const Words& words);
int wait_command(const Context& context, const Words& words);
int send_command(const Context& context, const Words& words);
int clear_command(const Context& context, const Words& words);
int hub_command(const Context& context, const Words& words);
int shutdown_command(const Context& context, const Words& words);
int events_command(const Context& context, const Words& words);
int doctor_command(const Context& context, const Words& words);
int completion_command(const Context& context, const Words& words);
int version_command(const Context& context, const Words& words);
int help_command(const Context& context, const Words& words);

}  // namespace pp::cli
