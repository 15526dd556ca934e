#include "tests/torture/streams.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "tests/torture/round.h"

namespace pp::torture {
namespace {

constexpr std::chrono::seconds kPatience{120};
constexpr std::uint64_t kLargeRing = 256 << 20;
constexpr std::uint64_t kTerminalRing = 64 << 20;
constexpr Victims kShim{true, false, false};

}  // namespace

Outcome torture_streams(const Plan& plan, Random random, const std::function<void(const Outcome&)>& on_round) {
    const test::Installation installation{plan.directory};
    Watchdog dog{kPatience, installation};
    Client client{dog, installation};
    Outcome outcome;
    while (outcome.kills.of(plan.victims) < plan.kills && outcome.violations.empty()) {
        const auto left = plan.kills - outcome.kills.of(plan.victims);
        try {
            Round round{dog, installation, client, plan, random.split()};
            outcome.add(round.run(std::min(left, plan.kills_a_round)));
        } catch (const std::exception& error) {
            outcome.violations.push_back(plan.name() + ": " + error.what());
        }
        if (on_round) on_round(outcome);
    }
    return outcome;
}

std::vector<Plan> all_plans(std::uint64_t kills) {
    struct Share {
        Victims victims;
        std::uint64_t divisor;  // of the kills of shims alone
        std::uint64_t kills_a_round;
    };
    constexpr Share kShares[] = {
        {kShim, 1, 200},
        {{false, true, false}, 10, 50},
        {{false, false, true}, 10, 20},
        {{true, false, true}, 10, 20},
        {{false, true, true}, 10, 20},
        {{true, true, false}, 20, 5},
        {{true, true, true}, 20, 5},
    };
    std::vector<Plan> plans;
    for (const auto& share : kShares) {
        for (const auto kind : {Kind::merged, Kind::split, Kind::input, Kind::raw_terminal, Kind::cooked_terminal}) {
            for (const char* directory : {"/tmp", "/dev/shm"}) {
                Plan plan{kind, share.victims, std::max<std::uint64_t>(kills / share.divisor, 1), directory, kLargeRing,
                          share.kills_a_round};
                // with keeper and shim nobody has the write end of its stdin any more: it may end, and that is no fault
                if (kind == Kind::input && plan.leaves_nobody()) continue;
                if (plan.is_terminal()) plan.capacity = kTerminalRing;
                if (plan.is_terminal() && plan.leaves_nobody()) plan.kills_a_round = 1;
                plans.push_back(plan);
            }
        }
    }
    return plans;
}

}  // namespace pp::torture
