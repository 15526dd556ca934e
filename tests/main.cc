#define CATCH_CONFIG_RUNNER
#include "tests/support/skip.h"

#include <catch2/catch.hpp>
#include <cstdio>

namespace pp::test {
namespace {

constexpr int kSkipped = 77;  // what ctest is told of by SKIP_RETURN_CODE

bool has_skipped = false;

}  // namespace

void skip(const std::string& why) {
    has_skipped = true;
    std::printf("skipped: %s\n", why.c_str());
}

}  // namespace pp::test

int main(int argc, char** argv) {
    const int failed = Catch::Session().run(argc, argv);
    if (failed != 0) return 1;
    return pp::test::has_skipped ? pp::test::kSkipped : 0;
}
