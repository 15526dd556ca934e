#include <string_view>

#include "shim/keeper/program.h"
#include "shim/program.h"

/// pp-shim and pp-keeper are two names of one file, so that what a keeper executes lies in memory once, with what its shims
/// execute: as a program of its own it had 1.4 MB for itself.
int main(int argc, char** argv) {
    const std::string_view path = argc > 0 ? argv[0] : "";
    const auto name = path.substr(path.rfind('/') + 1);
    return name == "pp-keeper" ? pp::keeper::run_program(argc, argv) : pp::shim::run_program(argc, argv);
}
