#include "cli/project_option.h"

#include <cerrno>
#include <cstdlib>

#include "cli/failure.h"
#include "protocol/os/error.h"

namespace pp::cli {

std::string project_given(const std::string& path) {
    char* const resolved = ::realpath(path.c_str(), nullptr);
    if (resolved == nullptr)
        throw Failure{Exit::usage, "--project is '" + path + "': " + os::error_text(errno)};
    std::string real = resolved;
    std::free(resolved);
    return real;
}

}  // namespace pp::cli
