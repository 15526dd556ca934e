#include "shim/keeper_link.h"

#include <fcntl.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "protocol/os/unix_socket.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using shim::KeeperLink;
using wire::HeldKind;
using wire::KeeperMessage;
using wire::KeeperVerb;

namespace {

/// A shim's link, with the keeper played by the test.
struct Fixture {
    test::TempDir directory;
    rundir::Home home = rundir::Home::from_environment({{"PP_HOME", directory.path()}}, ::geteuid());
    os::Loop loop;
    os::UniqueFd page{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    std::array<os::UniqueFd, 2> ends = os::seqpacket_pair();
    std::vector<std::string> troubles;
    int asked_again = 0;  ///< how often all was to be deposited
    KeeperLink link{loop,
                    home,
                    1,
                    page.get(),
                    std::move(ends[1]),
                    {[] {},
                     [this] {
                         ++asked_again;
                         link.deposit(HeldKind::output, 1, ring::Stream::out, page.get());
                     },
                     [this](const std::string& trouble) { troubles.push_back(trouble); }}};

    std::optional<KeeperMessage> next() {
        KeeperMessage message;
        os::ReceiveEnd end{};
        const auto got = os::receive_message(ends[0].get(), std::as_writable_bytes(std::span{&message, 1}), end);
        if (!got) return std::nullopt;
        if (message.verb == KeeperVerb::deposit) CHECK(got->fds.size() == 1);
        return message;
    }
    void say(KeeperVerb verb, int value = 0) {
        KeeperMessage message;
        message.verb = verb;
        message.value = value;
        os::send_message(ends[0].get(), std::as_bytes(std::span{&message, 1}));
    }
};

}  // namespace

TEST_CASE("a deposit that can neither be sent nor kept is told, and all is deposited again", "[shim][keeper]") {
    Fixture fixture;
    fixture.say(KeeperVerb::ready);
    for (std::uint32_t run = 1; run < 1000; ++run)  // more than the socket takes
        fixture.link.deposit(HeldKind::output, run, ring::Stream::out, fixture.page.get());
    constexpr int kNotOpen = 9999;
    fixture.link.deposit(HeldKind::input, 1, ring::Stream::merged, kNotOpen);
    REQUIRE(fixture.troubles.size() == 1);
    CHECK_THAT(fixture.troubles[0], Catch::Matchers::Contains("Bad file descriptor"));
    while (fixture.asked_again == 0) {
        while (const auto message = fixture.next()) CHECK(message->kind != HeldKind::input);
        fixture.loop.turn();
    }
    CHECK(fixture.troubles.size() == 1);
}

TEST_CASE("a deposit that the keeper had no room for is brought again", "[shim][keeper]") {
    Fixture fixture;
    fixture.say(KeeperVerb::ready);
    REQUIRE(fixture.next()->verb == KeeperVerb::attach);
    fixture.link.deposit(HeldKind::output, 1, ring::Stream::out, fixture.page.get());
    REQUIRE(fixture.next()->verb == KeeperVerb::deposit);
    fixture.say(KeeperVerb::refused, EMFILE);
    while (fixture.asked_again == 0) fixture.loop.turn();
    CHECK(fixture.next()->verb == KeeperVerb::deposit);
}

TEST_CASE("what is withdrawn waits no longer to be deposited", "[shim][keeper]") {
    Fixture fixture;
    fixture.say(KeeperVerb::ready);
    constexpr std::uint32_t kLast = 1000;
    for (std::uint32_t run = 1; run <= kLast; ++run)
        fixture.link.deposit(HeldKind::output, run, ring::Stream::out, fixture.page.get());
    fixture.link.withdraw(HeldKind::output, kLast, ring::Stream::out);
    std::uint32_t newest = 0;
    while (true) {
        const auto message = fixture.next();
        if (!message) {
            fixture.loop.turn();
            continue;
        }
        if (message->verb == KeeperVerb::withdraw) break;
        newest = message->run;
    }
    CHECK(newest == kLast - 1);
}
