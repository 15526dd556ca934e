#pragma once

namespace pp::keeper {

/// pp-keeper's main().
int run_program(int argc, char** argv);

}  // namespace pp::keeper
