#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/torture/killer.h"
#include "tests/torture/numbers.h"

namespace pp::torture {

/// What the numbered stream runs over.
enum class Kind {
    merged,           ///< stdout and stderr on one pipe
    split,            ///< a stream on each of two pipes
    input,            ///< by send_input into stdin of a cat, and back by its stdout
    raw_terminal,
    cooked_terminal,
};
std::string name_of(Kind kind);

/// How the child writes.
enum class Sizes { big, lines, mixed };
std::string name_of(Sizes sizes);

/// When the child ends.
enum class End {
    under_fire,  ///< told to while what looks after it is killed and killed again: the true exit code is owed
    in_peace,    ///< told to when all are back: so too
    in_the_gap,  ///< told to when keeper and shim have just been killed: the true code or none, and what it had written
                 ///< last into its pipes may go with it
};

/// What is held for how many kills, and under which load.
struct Plan {
    Kind kind = Kind::merged;
    Victims victims{true, false, false};
    std::uint64_t kills = 20;
    std::string directory = "/tmp";       ///< where the home lies: its file system is put to the test
    std::uint64_t capacity = 64 << 20;    ///< of a ring that is to keep all; the child writes three quarters of it at most
    std::uint64_t kills_a_round = 100;    ///< at most; each round is a process of its own

    [[nodiscard]] bool is_terminal() const { return kind == Kind::raw_terminal || kind == Kind::cooked_terminal; }
    /// Nobody of ours holds the child's pipes any more when these are dead.
    [[nodiscard]] bool leaves_nobody() const { return victims.shim && victims.keeper; }
    [[nodiscard]] std::string name() const;
};

/// What a plan came to.
struct Outcome {
    Kills kills;
    std::uint64_t rounds = 0;
    std::uint64_t bytes = 0;        ///< held against what was written
    std::uint64_t overwritten = 0;  ///< of rings smaller than their stream, before the follower came to them
    std::uint64_t lost = 0;
    std::uint64_t doubled = 0;
    std::uint64_t true_exits = 0;
    std::uint64_t unknown_exits = 0;
    std::uint64_t unsure_inputs = 0;  ///< messages of which nobody could say how much was taken
    std::vector<std::string> violations;

    void add(const Outcome& more);
};

}  // namespace pp::torture
