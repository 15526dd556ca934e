#include "hub/process/program_path.h"

#include <sys/stat.h>
#include <unistd.h>

namespace pp::hub {
namespace {

using Kind = ProgramLookup::Kind;

Kind look_at(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return Kind::not_found;
    if (S_ISDIR(status.st_mode)) return Kind::is_directory;
    return ::access(path.c_str(), X_OK) == 0 ? Kind::found : Kind::not_executable;
}

}  // namespace

ProgramLookup look_up_program(const std::string& program, const std::string& directory,
                              const rundir::Environment& environment) {
    if (program.find('/') != std::string::npos) {
        const std::string path = program[0] == '/' ? program : directory + "/" + program;
        return {look_at(path), path};
    }
    const auto entry = environment.find("PATH");
    const std::string list = entry == environment.end() ? kDefaultPath : entry->second;
    ProgramLookup best{Kind::not_found, program};
    for (std::size_t at = 0; at <= list.size();) {
        const auto end = std::min(list.find(':', at), list.size());
        std::string place = list.substr(at, end - at);
        at = end + 1;
        if (place.empty()) place = directory;  // an empty part means the current directory
        if (place[0] != '/') place = directory + "/" + place;
        const std::string path = place + "/" + program;
        const Kind kind = look_at(path);
        if (kind == Kind::found) return {kind, path};
        if (kind == Kind::not_executable) best = {kind, path};
    }
    return best;
}

}  // namespace pp::hub
