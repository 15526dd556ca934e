#include "protocol/os/build_id.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "protocol/os/atomic_file.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "tests/support/temp_dir.h"

using namespace pp;

namespace {

std::string own_program() { return os::find_program_path(::getpid()).value(); }

/// The bytes that a hex text stands for.
std::string bytes_of(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
}

}  // namespace

TEST_CASE("a program has the build-id that the linker gave it, whether it is asked as a file or as it runs", "[os][build]") {
    const auto id = os::build_id(own_program());
    CHECK(id.size() == 40);  // sha1
    CHECK(os::build_id("/proc/self/exe") == id);
    CHECK(os::executes_build(::getpid(), own_program()));
}

TEST_CASE("a copy is of the same build, and one with another id is not", "[os][build]") {
    const test::TempDir dir;
    std::filesystem::copy_file(own_program(), dir / "copy");
    CHECK(os::executes_build(::getpid(), dir / "copy"));

    auto content = os::find_file_content(own_program(), 1u << 30).value();
    const auto id = bytes_of(os::build_id(own_program()));
    const auto at = content.find(id);
    REQUIRE(at != std::string::npos);
    content[at] = static_cast<char>(content[at] ^ 1);
    os::write_atomic_file(dir / "other", content, 0755);
    CHECK(os::build_id(dir / "other").size() == 40);
    CHECK_FALSE(os::executes_build(::getpid(), dir / "other"));
}

TEST_CASE("what is no program, or cut off anywhere, has no build-id", "[os][build]") {
    const test::TempDir dir;
    CHECK(os::build_id(dir / "none").empty());
    os::write_atomic_file(dir / "text", "#!/bin/sh\n", 0755);
    CHECK(os::build_id(dir / "text").empty());
    const auto content = os::find_file_content(own_program(), 1u << 30).value();
    for (const std::size_t size : {4U, 63U, 64U, 100U, 500U}) {
        os::write_atomic_file(dir / "cut", content.substr(0, size), 0755);
        CHECK(os::build_id(dir / "cut").empty());
    }
    CHECK_FALSE(os::executes_build(::getpid(), dir / "text"));
}
