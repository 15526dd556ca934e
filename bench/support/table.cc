#include "bench/support/table.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>

#include "protocol/os/freed_memory.h"

namespace pp::bench {
namespace {

std::string with_unit(const std::string& number, const Floor& floor) {
    return floor.unit.empty() ? number : number + " " + floor.unit;
}

std::string text_of(const Floor& floor) {
    char number[32];
    std::snprintf(number, sizeof number, "%g", floor.value);
    return (floor.sense == Floor::Sense::at_least ? ">= " : "<= ") + with_unit(number, floor);
}

void print_line(const std::string& what, const Floor& floor, const std::string& measured,
                const std::string& baseline, const char* verdict) {
    std::printf("%s\t%s\t%s\t%s\t%s\n", what.c_str(), text_of(floor).c_str(), measured.c_str(),
                baseline.c_str(), verdict);
    std::fflush(stdout);
}

}  // namespace

Floor at_least(double value, std::string unit) {
    return {Floor::Sense::at_least, value, std::move(unit)};
}
Floor at_most(double value, std::string unit) {
    return {Floor::Sense::at_most, value, std::move(unit)};
}

std::string figure(double value) {
    if (value == 0) return "0";
    const double magnitude = std::abs(value);
    const int before_point = magnitude < 1 ? 0 : static_cast<int>(std::log10(magnitude)) + 1;
    char text[32];
    std::snprintf(text, sizeof text, "%.*f",
                  std::max(0, magnitude < 0.1 ? 3
                              : magnitude < 1 ? 2
                                              : 3 - before_point),
                  value);
    return text;
}

void print_row(const std::string& what, const Floor& floor, double measured, const std::string& baseline) {
    const bool met =
        floor.sense == Floor::Sense::at_least ? measured >= floor.value : measured <= floor.value;
    print_line(what, floor, with_unit(figure(measured), floor), baseline, met ? "met" : "MISSED");
}

void print_unmeasured(const std::string& what, const Floor& floor, const std::string& why) {
    print_line(what, floor, "-", why, "not measured");
}

int run(const std::function<void()>& measure) {
    os::keep_freed_memory();  // what a client does with an answer is not what is measured
    std::signal(SIGPIPE, SIG_IGN);  // a child that has gone is an error of the write
    try {
        measure();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

}  // namespace pp::bench
