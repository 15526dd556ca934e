#include "protocol/os/error.h"

#include <cerrno>
#include <system_error>

namespace pp::os {

void throw_error(int error, std::string_view operation, std::string_view object) {
    std::string what{operation};
    if (!object.empty()) {
        what += ' ';
        what += object;
    }
    throw std::system_error(error, std::generic_category(), what);
}

void throw_errno(std::string_view operation, std::string_view object) {
    throw_error(errno, operation, object);
}

std::string error_text(int error) { return std::generic_category().message(error); }

}  // namespace pp::os
