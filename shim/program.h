#pragma once

namespace pp::shim {

/// pp-shim's main().
int run_program(int argc, char** argv);

}  // namespace pp::shim
