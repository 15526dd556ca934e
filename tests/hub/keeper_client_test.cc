#include "hub/shims/keeper_client.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "protocol/os/read_file.h"
#include "protocol/os/unix_socket.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::hub;
using namespace std::chrono_literals;
using wire::KeeperMessage;
using wire::KeeperVerb;

namespace {

/// A hub's end, with the keeper played by the test.
struct Fixture {
    explicit Fixture(std::chrono::milliseconds answer_limit = 20s, std::chrono::milliseconds patience = 20s)
        : limits{patience, answer_limit} {
        home.prepare();
    }

    test::TempDir directory;
    rundir::Home home = rundir::Home::from_environment({{"PP_HOME", directory.path()}}, ::geteuid());
    KeeperClient::Limits limits;
    EventLoop loop;
    Worker worker{loop};
    Log log{home.log("hub")};
    std::optional<os::UniqueFd> listener;
    os::UniqueFd keeper;
    std::map<std::uint64_t, int> answers;  ///< errno by process
    std::string problem;
    std::optional<KeeperClient> client;

    void listen() { listener = os::listen_seqpacket(home.keeper_socket()); }
    void make_client() {
        client.emplace(loop, worker, home, log, KeeperClient::Callbacks{[](auto, auto) {}, [] {}}, limits);
    }
    void accept() {
        auto end = os::AcceptEnd::nothing_waits;
        keeper = std::move(os::accept_own_uid(listener->get(), end).value());
    }
    void ask(std::uint64_t process) {
        client->spawn(process, false, [this, process](int error, const std::string& text) {
            answers[process] = error;
            problem = text;
        });
    }
    /// The next `spawn` that has come; nothing if none has.
    std::optional<std::uint64_t> next_asked() {
        while (true) {
            KeeperMessage message;
            os::ReceiveEnd end{};
            const auto got = os::receive_message(keeper.get(), std::as_writable_bytes(std::span{&message, 1}), end);
            if (!got) return std::nullopt;
            if (message.verb == KeeperVerb::spawn) return message.process;
        }
    }
    void answer(std::uint64_t process) {
        KeeperMessage message;
        message.verb = KeeperVerb::spawned;
        message.process = process;
        os::send_message(keeper.get(), std::as_bytes(std::span{&message, 1}));
    }
};

}  // namespace

TEST_CASE("a thousand shims asked of a keeper that is busy are all asked for when it goes on", "[hub][keeper]") {
    constexpr std::uint64_t kCount = 1000;
    Fixture fixture;
    fixture.listen();
    fixture.make_client();
    for (std::uint64_t i = 1; i <= kCount; ++i) fixture.ask(i);  // far more than the socket takes
    fixture.accept();
    while (fixture.answers.size() < kCount) {
        while (const auto process = fixture.next_asked()) fixture.answer(*process);
        fixture.loop.turn();
    }
    for (const auto& [process, error] : fixture.answers) CHECK(error == 0);
}

TEST_CASE("what a keeper did not answer before it died is asked of the next one", "[hub][keeper]") {
    Fixture fixture;
    fixture.listen();
    fixture.make_client();
    fixture.ask(1);
    fixture.accept();
    REQUIRE(fixture.next_asked() == 1);
    fixture.listen();  // the next one
    fixture.keeper.reset();
    fixture.loop.turn();
    fixture.accept();
    REQUIRE(fixture.next_asked() == 1);
    fixture.answer(1);
    while (fixture.answers.empty()) fixture.loop.turn();
    CHECK(fixture.answers[1] == 0);
}

TEST_CASE("a keeper that does not answer fails the start in time, and the next one is asked anew", "[hub][keeper]") {
    Fixture fixture{50ms};
    fixture.listen();
    fixture.make_client();
    fixture.ask(1);
    fixture.accept();
    while (fixture.answers.empty()) fixture.loop.turn();
    CHECK(fixture.answers[1] == ETIMEDOUT);
    CHECK_THAT(fixture.problem, Catch::Matchers::Contains("the keeper has not answered"));
    REQUIRE(fixture.next_asked() == 1);
    fixture.ask(1);
    CHECK(fixture.next_asked() == 1);
}

TEST_CASE("a keeper that says anything is not taken for one that hangs", "[hub][keeper][hang]") {
    Fixture fixture{20s, 40ms};
    fixture.listen();
    fixture.make_client();
    fixture.ask(1);
    fixture.accept();
    int asked_for_life = 0;
    while (asked_for_life < 8) {  // twice the patience
        KeeperMessage message;
        os::ReceiveEnd end{};
        if (!os::receive_message(fixture.keeper.get(), std::as_writable_bytes(std::span{&message, 1}), end)) {
            fixture.loop.turn();
            continue;
        }
        if (message.verb != KeeperVerb::status) continue;
        ++asked_for_life;
        message.verb = KeeperVerb::status_is;
        os::send_message(fixture.keeper.get(), std::as_bytes(std::span{&message, 1}));
    }
    fixture.answer(1);
    while (fixture.answers.empty()) fixture.loop.turn();
    CHECK(fixture.answers[1] == 0);
}

TEST_CASE("one that hangs and is not known to be a keeper is left alone", "[hub][keeper][hang]") {
    Fixture fixture{200ms, 20ms};
    fixture.listen();  // it is this test that listens
    fixture.make_client();
    fixture.ask(1);
    fixture.accept();
    while (fixture.answers.empty()) fixture.loop.turn();
    CHECK(fixture.answers[1] == ETIMEDOUT);
    const auto log = os::find_file_content(fixture.home.log("hub")).value_or("");
    CHECK_THAT(log, Catch::Matchers::Contains("is not known to be a keeper: it is left alone"));
}

TEST_CASE("an upgrade is answered by the new program alone, and a refusal says why", "[hub][keeper][upgrade]") {
    Fixture fixture;
    fixture.listen();
    fixture.make_client();
    fixture.client->ensure();
    fixture.accept();
    std::optional<std::string> answer;
    const auto upgrade = [&] {
        answer.reset();
        fixture.client->upgrade("/proc/self/exe", [&](const std::string& problem) { answer = problem; });
    };
    const auto say = [&](KeeperVerb verb, std::uint8_t flag, int value) {
        KeeperMessage message;
        message.verb = verb;
        message.flag = flag;
        message.value = value;
        const auto bytes = wire::with_text(message, verb == KeeperVerb::status_is ? "9.9.9" : "");
        os::send_message(fixture.keeper.get(), std::as_bytes(std::span{bytes}));
    };
    upgrade();
    say(KeeperVerb::status_is, 0, 0);  // what was asked before
    while (fixture.client->keeper_version().empty()) fixture.loop.turn();
    CHECK_FALSE(answer);
    say(KeeperVerb::status_is, 1, 0);
    while (!answer) fixture.loop.turn();
    CHECK(answer->empty());
    CHECK(fixture.client->keeper_version() == "9.9.9");
    upgrade();
    say(KeeperVerb::refused, 0, ENOEXEC);
    while (!answer) fixture.loop.turn();
    CHECK_THAT(*answer, Catch::Matchers::Contains("Exec format error"));
    upgrade();
    fixture.keeper.reset();
    while (!answer) fixture.loop.turn();
    CHECK_THAT(*answer, Catch::Matchers::Contains("has died of it"));
    fixture.client->upgrade("/no/such/program", [&](const std::string& problem) { answer = problem; });
    CHECK_THAT(*answer, Catch::Matchers::Contains("No such file"));
}
