#include "hub/sweep.h"

#include <filesystem>
#include <vector>

#include "protocol/os/ofd_lock.h"

namespace pp::hub {
namespace {

namespace fs = std::filesystem;

void sweep_run(const rundir::Home& home) {
    std::error_code ignored;
    std::vector<fs::path> dead;
    for (const auto& entry : fs::directory_iterator{home.run(), ignored}) {
        const auto process = rundir::find_process_number(entry.path().stem().string());
        if (!process) continue;
        const bool has_directory = fs::exists(home.process(*process), ignored);
        const bool is_held = has_directory && os::OfdLock::is_held(home.process_lock(*process));
        const auto kind = entry.path().extension();
        if ((kind == ".sock" && !is_held) || (kind == ".state" && !has_directory))
            dead.push_back(entry.path());
    }
    for (const auto& path : dead) fs::remove(path, ignored);
}

/// A hub was killed while it removed them.
void sweep_cleared(const rundir::Home& home) {
    std::error_code ignored;
    std::vector<fs::path> left;
    for (const auto& entry : fs::directory_iterator{home.processes(), ignored}) {
        if (entry.path().filename().string().starts_with("cleared-")) left.push_back(entry.path());
    }
    for (const auto& path : left) fs::remove_all(path, ignored);
}

/// A hub was killed between making the directory and writing the launch file: nothing ever ran.
void sweep_processes(const rundir::Home& home) {
    std::error_code ignored;
    for (const auto process : home.known_processes()) {
        const bool was_written =
            fs::exists(home.launch(process), ignored) || fs::exists(home.ring(process), ignored);
        if (!was_written && !os::OfdLock::is_held(home.process_lock(process)))
            fs::remove_all(home.process(process), ignored);
    }
}

}  // namespace

void sweep(const rundir::Home& home) {
    sweep_run(home);
    sweep_cleared(home);
    sweep_processes(home);
}

}  // namespace pp::hub
