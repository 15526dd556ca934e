#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <string>

#include "cli/arguments.h"
#include "cli/failure.h"
#include "cli/output/print.h"
#include "cli/verbs.h"
#include "protocol/os/error.h"

namespace {

using namespace pp;

/// Empty where it has been removed: what needs none works there too.
std::string working_directory() {
    std::string path(4096, '\0');
    if (::getcwd(path.data(), path.size()) == nullptr) {
        if (errno == ENOENT) return {};
        os::throw_errno("getcwd");
    }
    path.resize(path.find('\0'));
    return path;
}

int run(const cli::Words& words) {
    auto environment = rundir::current_environment(environ);
    auto home = rundir::Home::from_environment(environment, ::geteuid());
    return cli::dispatch({std::move(home), std::move(environment), working_directory()}, words);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a closed stdout is an answer of write
    try {
        return run({argv + 1, argv + argc});
    } catch (const cli::HelpAsked& help) {
        try {
            cli::print(help.text);
        } catch (const std::exception&) {  // nobody reads
        }
        return cli::code(cli::Exit::done);
    } catch (const cli::OutputClosed&) {
        return cli::code(cli::Exit::done);
    } catch (const cli::Failure& failure) {
        cli::say(failure.what());
        return cli::code(failure.exit());
    } catch (const std::exception& error) {
        cli::say(error.what());
        return cli::code(cli::Exit::failed);
    }
}
