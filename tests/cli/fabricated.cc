#include "tests/cli/fabricated.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "protocol/os/error.h"

namespace pp::test {
namespace {

std::string make_root() {
    std::string path = "/tmp/pp-cli-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) os::throw_errno("mkdtemp", path);
    return path;
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

ring::Writer::Paths writer_paths(const rundir::Home& home, std::uint64_t number) {
    ::mkdir(home.process(number).c_str(), 0700);
    return {home.state_page(number), home.ring(number), home.heads(number)};
}

}  // namespace

TemporaryHome::TemporaryHome()
    : root_{make_root()}, home_{rundir::Home::from_environment({{"PP_HOME", root_}}, ::geteuid())} {
    home_.prepare();
}

TemporaryHome::~TemporaryHome() {
    std::filesystem::remove_all(root_);
}

Fabricated::Fabricated(const rundir::Home& home, std::uint64_t number, const std::string& name,
                       const std::string& command, std::uint64_t capacity, const std::string& streams)
    : writer_{ring::Writer::open(writer_paths(home, number), number, capacity)},
      lock_{os::OfdLock::try_take(home.process_lock(number))} {
    launch.process = number;
    launch.name = name;
    launch.command = command;
    launch.label = command + " in /somewhere";
    launch.argv = {command};
    launch.working_directory = "/somewhere";
    launch.project = "/somewhere";
    launch.streams = streams;
    rundir::write_launch(home.launch(number), launch);
}

void Fabricated::begin_run(std::uint32_t run, int pid) {
    writer_.begin_run(run);
    life_ = {};
    life_.run = run;
    life_.state = ring::LifeState::running;
    life_.main_pid = pid;
    life_.started_at_ns = now_ns();
    life_.start_cursor = writer_.tail();
    life_.restarts = run - 1;
    writer_.page().publish(life_);
}

void Fabricated::write(const std::string& text, ring::Stream stream) {
    writer_.append(std::as_bytes(std::span{text.data(), text.size()}), stream, life_.run);
}

void Fabricated::stopping() {
    life_.state = ring::LifeState::stopping;
    life_.stop_requested = 1;
    writer_.page().publish(life_);
}

void Fabricated::finish(ring::ExitKind kind, int value) {
    life_.state = ring::LifeState::finished;
    life_.exit_kind = kind;
    life_.exit_value = value;
    life_.ended_at_ns = now_ns();
    life_.end_cursor = writer_.tail();
    life_.drained = 1;
    writer_.page().publish(life_);
}

}  // namespace pp::test
