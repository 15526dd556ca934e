#include "tests/torture/stream_plan.h"

#include <cstdlib>

namespace pp::torture {

std::string name_of(Kind kind) {
    switch (kind) {
        case Kind::merged: return "merged pipe";
        case Kind::split: return "split pipes";
        case Kind::input: return "stdin";
        case Kind::raw_terminal: return "PTY, raw";
        case Kind::cooked_terminal: return "PTY, cooked";
    }
    std::abort();  // not a Kind
}

std::string name_of(Sizes sizes) {
    switch (sizes) {
        case Sizes::big: return "big";
        case Sizes::lines: return "lines";
        case Sizes::mixed: return "mixed";
    }
    std::abort();  // not a Sizes
}

std::string Plan::name() const { return name_of(kind) + ", " + name_of(victims) + ", " + directory; }

void Outcome::add(const Outcome& more) {
    kills.add(more.kills);
    rounds += more.rounds;
    bytes += more.bytes;
    overwritten += more.overwritten;
    lost += more.lost;
    doubled += more.doubled;
    true_exits += more.true_exits;
    unknown_exits += more.unknown_exits;
    unsure_inputs += more.unsure_inputs;
    violations.insert(violations.end(), more.violations.begin(), more.violations.end());
}

}  // namespace pp::torture
