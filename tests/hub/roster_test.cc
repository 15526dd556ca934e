#include "hub/shims/roster.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <deque>
#include <optional>

#include "hub/event_loop.h"
#include "hub/log.h"
#include "protocol/os/read_file.h"
#include "protocol/wire/codec.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::hub;
using namespace std::chrono_literals;
using Presence = Roster::Presence;

namespace {

/// A hub's end, with the shims played by the test.
struct Fixture {
    test::TempDir directory;
    EventLoop loop;
    Log log{directory.path() + "/hub.log"};
    wire::Context context;
    std::string path = directory.path() + "/shims.sock";
    std::vector<std::uint64_t> hellos;
    std::vector<std::uint64_t> deaths;
    std::vector<std::uint64_t> hung;
    std::chrono::milliseconds patience = 20s;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> events;
    std::uint64_t last_event = 0;
    std::function<void()> on_event = [] {};
    Roster roster{loop,
                  log,
                  path,
                  context,
                  99,
                  {[this](std::uint64_t) { return last_event; },
                   [this](std::uint64_t process) { hellos.push_back(process); },
                   [this](std::uint64_t process, const rundir::Event& event) {
                       events.emplace_back(process, event.number);
                       on_event();
                   },
                   [this](std::uint64_t process) { deaths.push_back(process); },
                   [this](std::uint64_t process) { hung.push_back(process); }},
                  patience};

    std::function<bool()> is_done;

    explicit Fixture(std::chrono::milliseconds shim_patience = 20s) : patience{shim_patience} {
        loop.on_prepare(
            [this] { return is_done && is_done(); });  // it may have come true just before the sleep
    }

    void run_until(const std::function<bool()>& done) {
        is_done = done;
        bool timed_out = false;
        EventLoop::Timer limit{loop, [&] { timed_out = true; }};
        limit.set(20s);
        while (!done() && !timed_out) loop.turn();
        is_done = nullptr;
        REQUIRE_FALSE(timed_out);
    }
};

struct FakeShim {
    Fixture& fixture;
    wire::Channel channel;
    EventLoop::Watch watch;
    std::deque<std::string> received;

    explicit FakeShim(Fixture& made)
        : fixture{made},
          channel{wire::Channel::dealer(made.context, made.path)},
          watch{made.loop, channel.fd(), EventLoop::Watch::For::reading, [] {}} {}

    template <class Message>
    void say(const Message& message) {
        channel.send(wire::encode(message));
    }
    void hello(std::uint64_t process, std::uint32_t protocol = wire::kShimProtocol, pid_t pid = ::getpid()) {
        wire::Hello hello;
        hello.process = process;
        hello.pid = pid;
        hello.protocol = protocol;
        say(hello);
    }
    /// Sleeps until a message of this kind has come; others before it are dropped.
    template <class Message>
    Message next() {
        std::optional<Message> found;
        fixture.run_until([&] {
            while (auto frame = channel.try_receive()) received.push_back(frame->bytes);
            while (!received.empty() && !found) {
                if (wire::type_of(received.front()) == Message::kType)
                    found = wire::decode<Message>(received.front());
                received.pop_front();
            }
            return found.has_value();
        });
        return *found;
    }
    [[nodiscard]] std::size_t count_received(std::uint32_t type) const {
        return static_cast<std::size_t>(
            std::count_if(received.begin(), received.end(),
                          [&](const auto& frame) { return wire::type_of(frame) == type; }));
    }
    void done(std::uint64_t token) {
        wire::Done done;
        done.token = token;
        say(done);
    }
};

/// Somebody who can die.
struct Mortal {
    pid_t pid = ::fork();
    Mortal() {
        if (pid != 0) return;
        while (true) ::pause();
    }
    ~Mortal() { die(); }
    void die() {
        if (pid <= 0) return;
        ::kill(pid, SIGKILL);
        ::waitpid(std::exchange(pid, 0), nullptr, 0);
    }
};

wire::Stop stop_run(std::uint32_t run) {
    wire::Stop stop;
    stop.run = run;
    return stop;
}

}  // namespace

TEST_CASE("a shim that says Hello is welcomed from the first event that the hub lacks", "[hub][roster]") {
    Fixture fixture;
    fixture.last_event = 7;
    FakeShim shim{fixture};
    shim.hello(12);
    const auto welcome = shim.next<wire::Welcome>();
    CHECK(welcome.epoch == 99);
    CHECK(welcome.from_event == 8);
    CHECK(fixture.roster.presence(12) == Presence::connected);
    wire::EventMessage message;
    message.event.number = 8;
    message.event.kind = rundir::EventKind::started;
    shim.say(message);
    fixture.run_until([&] { return !fixture.events.empty(); });
    fixture.roster.acknowledge(12, 8);
    CHECK(shim.next<wire::Ack>().number == 8);
}

TEST_CASE("a command waits for its shim and ends with its Done", "[hub][roster]") {
    Fixture fixture;
    std::optional<Roster::Answer> answer;
    fixture.roster.send(12, stop_run(1), 20s, [&](const Roster::Answer& given) { answer = given; });
    FakeShim shim{fixture};
    shim.hello(12);
    const auto stop = shim.next<wire::Stop>();
    CHECK(stop.run == 1);
    shim.done(stop.token);
    fixture.run_until([&] { return answer.has_value(); });
    CHECK(answer->kind == Roster::Answer::Kind::done);
}

TEST_CASE("a successor gets a stop again, but input is never sent twice", "[hub][roster]") {
    Fixture fixture;
    std::optional<Roster::Answer> stopped;
    std::optional<Roster::Answer> written;
    FakeShim first{fixture};
    first.hello(12);
    first.next<wire::Welcome>();
    wire::Input input;
    input.data = "x";
    fixture.roster.send(12, input, 20s, [&](const Roster::Answer& given) { written = given; });
    fixture.roster.send(12, stop_run(1), 20s, [&](const Roster::Answer& given) { stopped = given; });
    const auto token = first.next<wire::Stop>().token;
    FakeShim second{fixture};
    second.hello(12);
    const auto again = second.next<wire::Stop>();
    CHECK(again.token == token);
    fixture.run_until([&] { return written.has_value(); });
    CHECK(written->kind == Roster::Answer::Kind::lost);
    first.done(token);  // of one that has been succeeded: not heard
    second.done(again.token);
    fixture.run_until([&] { return stopped.has_value(); });
    CHECK(stopped->kind == Roster::Answer::Kind::done);
}

TEST_CASE("a shim that says Hello again on its connection is the same: what was asked of it stays asked",
          "[hub][roster]") {
    Fixture fixture;
    FakeShim shim{fixture};
    shim.hello(12);
    shim.next<wire::Welcome>();
    std::optional<Roster::Answer> written;
    wire::Input input;
    input.data = "x";
    fixture.roster.send(12, input, 20s, [&](const Roster::Answer& given) { written = given; });
    const auto token = shim.next<wire::Input>().token;
    shim.hello(12);
    shim.next<wire::Welcome>();
    CHECK(fixture.hellos.size() == 2);
    CHECK_FALSE(written);
    shim.done(token);
    fixture.run_until([&] { return written.has_value(); });
    CHECK(written->kind == Roster::Answer::Kind::done);
}

TEST_CASE("a shim that asks to end is released, and is leaving unless a start crossed its Bye",
          "[hub][roster]") {
    Fixture fixture;
    FakeShim shim{fixture};
    shim.hello(12);
    shim.next<wire::Welcome>();
    wire::StartRun start;
    start.run = 2;
    fixture.roster.send(12, start, 20s, [](const Roster::Answer&) {});
    shim.say(wire::Bye{});
    const auto order = shim.next<wire::StartRun>();
    shim.next<wire::Release>();
    CHECK(fixture.roster.presence(12) == Presence::connected);
    shim.done(order.token);
    shim.say(wire::Bye{});
    shim.next<wire::Release>();
    CHECK(fixture.roster.presence(12) == Presence::leaving);
}

TEST_CASE("output is told once to each who waits for it", "[hub][roster]") {
    Fixture fixture;
    FakeShim shim{fixture};
    shim.hello(12);
    shim.next<wire::Welcome>();
    int near = 0;
    int far = 0;
    const auto first = fixture.roster.on_output(12, 10, [&] { ++near; });
    CHECK(shim.next<wire::Watch>().cursor == 10);
    const auto second = fixture.roster.on_output(12, 50, [&] { ++far; });
    wire::Output output;
    output.tail = 20;
    shim.say(output);
    fixture.run_until([&] { return near == 1; });
    CHECK(far == 0);
    auto watch = shim.next<wire::Watch>();
    while (watch.cursor != 50) watch = shim.next<wire::Watch>();
    output.tail = 60;
    shim.say(output);
    fixture.run_until([&] { return far == 1; });
    CHECK(near == 1);
}

TEST_CASE("a shim of a newer protocol is shown and not commanded", "[hub][roster]") {
    Fixture fixture;
    FakeShim shim{fixture};
    shim.hello(12, wire::kShimProtocol + 1);
    fixture.run_until([&] { return !fixture.hellos.empty(); });
    CHECK(fixture.roster.presence(12) == Presence::newer);
    std::optional<Roster::Answer> answer;
    fixture.roster.send(12, stop_run(1), 20s, [&](const Roster::Answer& given) { answer = given; });
    fixture.run_until([&] { return answer.has_value(); });
    CHECK(answer->kind == Roster::Answer::Kind::no_answer);
}

TEST_CASE("nonsense on the shims' socket disturbs nobody", "[hub][roster]") {
    Fixture fixture;
    FakeShim liar{fixture};
    FakeShim shim{fixture};
    for (const std::string& bytes : {std::string{}, std::string{"\xff\xff\xff"}, std::string(1000, '\x93')})
        liar.channel.send(bytes);
    wire::Done stray;
    stray.token = 1;
    liar.say(stray);
    shim.hello(12);
    shim.next<wire::Welcome>();
    CHECK(fixture.roster.size() == 1);
}

TEST_CASE("a command that nobody answers ends with its limit", "[hub][roster]") {
    Fixture fixture;
    std::optional<Roster::Answer> answer;
    fixture.roster.send(12, stop_run(1), 10ms, [&](const Roster::Answer& given) { answer = given; });
    fixture.run_until([&] { return answer.has_value(); });
    CHECK(answer->kind == Roster::Answer::Kind::no_answer);
}

TEST_CASE("a successor's Hello that is read with a dead shim's last words is the successor's",
          "[hub][roster]") {
    Mortal mortal;
    Fixture fixture;
    FakeShim first{fixture};
    FakeShim second{fixture};
    first.hello(12, wire::kShimProtocol, mortal.pid);
    first.next<wire::Welcome>();
    wire::EventMessage message;
    for (int i = 0; i < 5000; ++i) {  // so many that the Hello comes while they are read
        ++message.event.number;
        first.say(message);
    }
    mortal.die();
    bool has_greeted = false;
    fixture.on_event = [&] {
        if (!std::exchange(has_greeted, true)) second.hello(12);
    };
    fixture.run_until([&] { return fixture.hellos.size() == 2; });
    CHECK(fixture.roster.presence(12) == Presence::connected);
    CHECK(fixture.roster.shim_pid(12) == ::getpid());
}

TEST_CASE("the Hello of a shim that is dead and reaped is not taken for its successor's", "[hub][roster]") {
    Mortal mortal;
    Fixture fixture;
    const pid_t dead = mortal.pid;
    mortal.die();
    FakeShim second{fixture};
    second.hello(12);
    second.next<wire::Welcome>();
    FakeShim first{fixture};
    first.hello(12, wire::kShimProtocol, dead);
    first.hello(13);  // behind it
    fixture.run_until([&] { return fixture.hellos.size() == 2; });
    CHECK(fixture.roster.shim_pid(12) == ::getpid());
    CHECK(fixture.hellos == std::vector<std::uint64_t>{12, 13});
}

namespace {

wire::Input input_of(std::string data) {
    wire::Input input;
    input.run = 1;
    input.id = 77;
    input.data = std::move(data);
    return input;
}

}  // namespace

TEST_CASE("of inputs to a process one is under way at a time, and a successor gets that one again",
          "[hub][roster][input]") {
    Fixture fixture;
    std::vector<Roster::Answer> answers;
    const auto keep = [&](const Roster::Answer& answer) { answers.push_back(answer); };
    Mortal mortal;
    {
        FakeShim first{fixture};
        first.hello(12, wire::kShimProtocol, mortal.pid);
        first.next<wire::Welcome>();
        fixture.roster.send(12, input_of("one"), 20s, keep);
        fixture.roster.send(12, input_of("two"), 20s, keep);
        CHECK(first.next<wire::Input>().data == "one");
        mortal.die();
        fixture.run_until([&] { return !fixture.deaths.empty(); });
        CHECK(first.count_received(wire::Input::kType) == 0);
    }
    FakeShim second{fixture};
    second.hello(12);
    const auto again = second.next<wire::Input>();
    CHECK(again.data == "one");
    CHECK(again.id == 77);
    second.done(again.token);
    const auto next = second.next<wire::Input>();
    CHECK(next.data == "two");
    second.done(next.token);
    fixture.run_until([&] { return answers.size() == 2; });
    CHECK(answers[0].kind == Roster::Answer::Kind::done);
}

TEST_CASE("an input that finds no room in time is taken back, and answered with what the shim says",
          "[hub][roster][input]") {
    Fixture fixture;
    FakeShim shim{fixture};
    shim.hello(12);
    shim.next<wire::Welcome>();
    std::optional<Roster::Answer> answer;
    fixture.roster.send(12, input_of("one"), 1ms, [&](const Roster::Answer& given) { answer = given; });
    const auto input = shim.next<wire::Input>();
    CHECK(shim.next<wire::CancelInput>().input == input.token);
    CHECK_FALSE(answer);
    shim.done(input.token);
    fixture.run_until([&] { return answer.has_value(); });
    CHECK(answer->kind == Roster::Answer::Kind::done);
    CHECK(answer->count == 0);
}

TEST_CASE("input that a shim of an earlier protocol may have taken is not sent again",
          "[hub][roster][input]") {
    Fixture fixture;
    Mortal mortal;
    std::optional<Roster::Answer> answer;
    {
        FakeShim first{fixture};
        first.hello(12, wire::kInputIdSince - 1, mortal.pid);
        first.next<wire::Welcome>();
        fixture.roster.send(12, input_of("one"), 20s, [&](const Roster::Answer& given) { answer = given; });
        first.next<wire::Input>();
        mortal.die();
        fixture.run_until([&] { return !fixture.deaths.empty(); });
    }
    FakeShim second{fixture};
    second.hello(12);
    fixture.run_until([&] { return answer.has_value(); });
    CHECK(answer->kind == Roster::Answer::Kind::lost);
}

TEST_CASE("a shim that was asked and stays silent is told of once, and one that nobody asks is never",
          "[hub][roster][hang]") {
    Fixture fixture{40ms};
    FakeShim asked{fixture};
    FakeShim idle{fixture};
    asked.hello(1);
    idle.hello(2);
    asked.next<wire::Welcome>();
    idle.next<wire::Welcome>();
    fixture.roster.send(1, stop_run(1), 20s, [](const Roster::Answer&) {});
    const auto first = asked.next<wire::Ping>();
    CHECK(asked.next<wire::Ping>().token != first.token);  // asked again meanwhile
    fixture.run_until([&] { return !fixture.hung.empty(); });
    CHECK(fixture.hung == std::vector<std::uint64_t>{1});
    fixture.roster.ping(2);
    fixture.run_until([&] { return fixture.hung.size() == 2; });
    CHECK(fixture.hung.back() == 2);
}

TEST_CASE("a shim that is long at a command, and answers the Ping, does not hang", "[hub][roster][hang]") {
    Fixture fixture{100ms};
    FakeShim shim{fixture};
    shim.hello(1);
    shim.next<wire::Welcome>();
    std::optional<Roster::Answer> answer;
    fixture.roster.send(1, stop_run(1), 20s, [&](const Roster::Answer& given) { answer = given; });
    const auto token = shim.next<wire::Stop>().token;
    wire::Pong pong;
    pong.token = shim.next<wire::Ping>().token;
    shim.say(pong);
    fixture.run_until([&] { return fixture.roster.silent_for(1) == 0ms; });
    bool is_over = false;
    EventLoop::Timer twice{fixture.loop, [&] { is_over = true; }};
    twice.set(200ms);
    fixture.run_until([&] { return is_over; });
    CHECK(fixture.hung.empty());
    CHECK_FALSE(answer);
    shim.done(token);
    fixture.run_until([&] { return answer.has_value(); });
}

TEST_CASE("what a shim said while the hub itself did not run is heard before it counts as hanging",
          "[hub][roster][hang]") {
    Fixture fixture{40ms};
    FakeShim shim{fixture};
    shim.hello(1);
    shim.next<wire::Welcome>();
    fixture.roster.ping(1);
    wire::Pong pong;
    pong.token = shim.next<wire::Ping>().token;
    shim.say(pong);
    const auto end = std::chrono::steady_clock::now() + 200ms;
    while (std::chrono::steady_clock::now() <
           end) {  // all of the patience passes, and the loop does not turn
    }
    fixture.run_until([&] { return fixture.roster.silent_for(1) == 0ms; });
    CHECK(fixture.hung.empty());
}

TEST_CASE("a shim is asked to hand over if it knows how to, and its bye for that is no end",
          "[hub][roster][upgrade]") {
    Fixture fixture;
    FakeShim old{fixture};
    old.hello(1, wire::kHandOverSince - 1);
    old.next<wire::Welcome>();
    CHECK_FALSE(fixture.roster.hand_over(1));
    FakeShim shim{fixture};
    shim.hello(2);
    shim.next<wire::Welcome>();
    CHECK(fixture.roster.hand_over(2));
    CHECK(shim.next<wire::HandOver>().epoch == 99);
    wire::Bye bye;
    bye.hand_over = true;
    shim.say(bye);
    shim.next<wire::Release>();
    CHECK(fixture.roster.presence(2) == Presence::connected);
    CHECK_FALSE(fixture.roster.hand_over(3));
}

namespace {

/// Its sender has long gone, and a Hello of the dead is refused.
std::string with_living_pid(std::string hello) {
    const std::string key = "\xA3pid";
    const std::string of_sender = key + "\xCD\x12\x67";  // 4711
    const auto at = hello.find(of_sender);
    REQUIRE(at != std::string::npos);
    std::string living = key + "\xCE";
    for (int shift = 24; shift >= 0; shift -= 8) living += static_cast<char>(::getpid() >> shift & 0xFF);
    return hello.replace(at, of_sender.size(), living);
}

}  // namespace

TEST_CASE("a shim of the first version is understood by the bytes that it sent", "[hub][roster][upgrade]") {
    const auto golden = [](const std::string& name) {
        return os::find_file_content(std::string{PP_GOLDEN_DIR} + "/wire/v1/" + name + ".bin").value();
    };
    Fixture fixture;
    FakeShim shim{fixture};
    shim.channel.send(with_living_pid(golden("shim_hello")));  // protocol 1, process 12
    CHECK(shim.next<wire::Welcome>().from_event == 1);
    CHECK(fixture.roster.presence(12) == Presence::connected);
    CHECK(fixture.roster.shim_version(12) == "0.1.0");
    shim.channel.send(golden("shim_event"));
    fixture.run_until([&] { return !fixture.events.empty(); });
    CHECK(fixture.events.front() == std::pair<std::uint64_t, std::uint64_t>{12, 77});
    std::optional<Roster::Answer> answer;
    wire::Resize resize;
    resize.run = 3;
    fixture.roster.send(12, resize, 20s, [&](const Roster::Answer& given) { answer = given; });
    fixture.run_until([&] { return answer.has_value(); });
    CHECK(answer->kind == Roster::Answer::Kind::refused);
    CHECK_THAT(answer->text, Catch::Matchers::Contains("earlier pp"));
    CHECK_FALSE(fixture.roster.hand_over(12));
    fixture.roster.ping(12);
    shim.next<wire::Ping>();
    shim.channel.send(golden("shim_pong"));
    fixture.run_until([&] { return fixture.roster.silent_for(12) == 0ms; });
    shim.channel.send(golden("shim_bye"));
    shim.next<wire::Release>();
    CHECK(fixture.roster.presence(12) == Presence::leaving);
}
