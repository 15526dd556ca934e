#include "tests/torture/truth.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "protocol/rundir/home.h"

namespace pp::torture {

Truth::Truth(const std::string& path) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        std::istringstream words{line};
        std::string what;
        std::string name;
        pid_t pid = 0;
        int code = 0;
        words >> what >> name >> pid >> code;
        const auto process = rundir::find_process_number(name.substr(0, name.find('#')));
        if (!words || !process) throw std::runtime_error("the truth cannot be read: " + line);
        Run& run = runs_[{*process, static_cast<std::uint32_t>(std::stoul(name.substr(name.find('#') + 1)))}];
        if (what == "begins") run.pids.push_back(pid);
        if (what == "ends") run.ended_with = code;
    }
}

const Truth::Run* Truth::find(std::uint64_t process, std::uint32_t run) const {
    const auto found = runs_.find({process, run});
    return found == runs_.end() ? nullptr : &found->second;
}

}  // namespace pp::torture
