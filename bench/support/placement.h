#pragma once

namespace pp::bench {

/// Who writes and who reads lie on two processors, else the scheduler's choice is what is measured: on one
/// and the same they go more than twice as fast. With a single processor nobody is placed.
struct Placement {
    int reader = -1;
    int writer = -1;

    static Placement of_this_machine();
};

/// Places this thread, and what it starts from then on. Nothing happens for -1.
void run_on(int processor);

}  // namespace pp::bench
