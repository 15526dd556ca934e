#pragma once

#include <functional>
#include <string>

namespace pp::bench {

/// What is asked for: at least or at most so much, of a unit (none: a ratio).
struct Floor {
    enum class Sense { at_least, at_most };
    Sense sense;
    double value;
    std::string unit;
};
Floor at_least(double value, std::string unit = {});
Floor at_most(double value, std::string unit = {});

/// One line on stdout for bench/run, with tabs between: what, floor, measured, baseline, verdict. `baseline`
/// says what it was held against in the same run, and the figures.
void print_row(const std::string& what, const Floor& floor, double measured, const std::string& baseline);
/// The row of what could not be measured here, and why.
void print_unmeasured(const std::string& what, const Floor& floor, const std::string& why);

/// "0.73", "12.4", "284": three digits that count.
std::string figure(double value);

/// Body of a bench's main: a failure is said on stderr and is exit code 1.
int run(const std::function<void()>& measure);

}  // namespace pp::bench
