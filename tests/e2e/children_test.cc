#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "tests/support/installation.h"
#include "tests/support/skip.h"

using namespace pp;
using test::Installation;

namespace {

bool has_program(const std::string& name) {
    for (const char* directory : {"/usr/bin/", "/usr/local/bin/", "/bin/"}) {
        if (::access((directory + name).c_str(), X_OK) == 0) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("python's asyncio writes to stdout and stderr by its own pipes", "[e2e][children]") {
    if (!has_program("python3")) return test::skip("python3 is not installed");
    Installation pp;
    const std::string script = R"(
import asyncio, sys
async def main():
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    for i in range(3):
        writer.write(f"line {i}\n".encode())
        await writer.drain()
    print("to stderr", file=sys.stderr)
    process = await asyncio.create_subprocess_exec("echo", "from a child")
    await process.wait()
    writer.write(b"done\n")
    await writer.drain()
asyncio.run(main())
)";
    const auto ran = pp.pp({"run", "--streams", "split", "python3", "-c", script});
    CAPTURE(ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == "line 0\nline 1\nline 2\nfrom a child\ndone\n");
}

TEST_CASE("node writes to a pipe to its last byte and hears TERM", "[e2e][children]") {
    if (!has_program("node")) return test::skip("node is not installed");
    Installation pp;
    const auto ran = pp.pp({"run", "node", "-e",
                            "process.stdout.write('x'.repeat(300000) + '\\n'); console.error('e'); process.exitCode = 3"});
    CHECK(ran.code == 3);
    CHECK(ran.out.size() == 300001);
    const auto server = pp.start_pp({"run", "--name", "server", "node", "-e",
                                     "process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); "
                                     "require('http').createServer().listen(0, '127.0.0.1', () => console.log('up'))"});
    server->wait_for_output("up");
    CHECK(pp.pp({"stop", "server"}).code == 0);
    const auto end = server->wait();
    CHECK(end.code == 0);
    CHECK(end.out == "up\nbye\n");
}

TEST_CASE("make and bash pipelines give their own codes", "[e2e][children]") {
    Installation pp;
    CHECK(pp.pp({"run", "bash", "-c", "set -o pipefail; false | cat; exit $?"}).code == 1);
    if (!has_program("make")) return test::skip("make is not installed");
    std::ofstream{pp.work() + "/Makefile"} << "all:\n\t@echo building\n\t@exit 4\n";
    const auto ran = pp.pp({"run", "make"});
    CHECK(ran.code == 2);
    CHECK(ran.out.starts_with("building\n"));
}

TEST_CASE("output of any bytes at all is kept as it was", "[e2e][children]") {
    Installation pp;
    const auto ran = pp.pp({"run", "sh", "-c", "printf 'a\\000b\\377\\376\\033[31mred\\033[0m\\r\\n'"});
    CHECK(ran.out == std::string("a\0b\377\376\033[31mred\033[0m\r\n", 19));
    const auto plain = pp.pp({"logs", "--plain", "p1"}).out;
    CHECK(plain.find('\033') == std::string::npos);
    CHECK_THAT(plain, Catch::Matchers::Contains("red"));
}

TEST_CASE("a restart ends what a run that ended by itself has left behind", "[e2e][children]") {
    Installation pp;
    const auto ran = pp.pp({"run", "--name", "daemon", "bash", "-c", "(setsid sleep 1000 >/dev/null 2>&1 & echo $!)"});
    REQUIRE(ran.code == 0);
    const auto left = std::stoi(ran.out);
    const auto held = os::PidFd::find(left);
    REQUIRE(held);
    CHECK(pp.pp_json({"status", "daemon"})["process"]["descendants"] == 1);
    CHECK(pp.pp({"restart", "daemon"}).code == 0);
    CHECK(held->ended());
    CHECK(pp.pp_json({"status", "daemon"})["process"]["descendants"] == 1);
}

TEST_CASE("what a finished process left alive is listed, and a plain shutdown does not end it", "[e2e][children]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "parent", "sh", "-c", "sleep 1000 & echo $!"}).code == 0);
    const pid_t child = std::stoi(pp.pp({"logs", "parent"}).out);
    CHECK_THAT(pp.pp({"ls"}).out, Catch::Matchers::Contains("succeeded, 1 lives on"));
    const auto refused = pp.pp({"shutdown"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Catch::Matchers::Contains("1 process lives (what is left of parent (p1)): say --stop"));
    CHECK(os::find_proc_stat(child));
    CHECK(pp.hub_pid() != 0);
    CHECK(pp.pp({"shutdown", "--stop"}).code == 0);
    const auto stat = os::find_proc_stat(child);
    CHECK((!stat || stat->state == 'Z'));
}
