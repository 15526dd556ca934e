// The keeper, whole and in this process, with hubs and shims at its sockets that say whatever they like, hand it whatever
// descriptors they like, die, and leave it at its limit. It answers its other peers all the while, and says nothing that is
// no message.
//
// In the place of start_shim.cc stands one that starts nothing: its "process" is an eventfd, which ends when it is written to.
#include "shim/keeper/keeper.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/os/read_file.h"
#include "protocol/os/unix_socket.h"
#include "shim/keeper/start_shim.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace pp;
using fuzz::expect;
using fuzz::Input;
using wire::KeeperMessage;
using wire::KeeperVerb;

constexpr int kMaxSteps = 200;
constexpr std::size_t kMaxPeers = 12;
constexpr pid_t kFirstPid = 1 << 29;  // beyond those of the system

/// Who started one: our ends of what the keeper holds.
struct FakeShim {
    pid_t pid = 0;
    os::UniqueFd process;
    os::UniqueFd socket;
};
std::vector<FakeShim> fake_shims;
int start_error = 0;  ///< of the next starts

os::UniqueFd duplicate(int fd) { return os::UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)}; }

}  // namespace

namespace pp::keeper {

StartedShim start_shim(std::uint64_t, bool) noexcept {
    StartedShim started;
    started.error = start_error;
    if (start_error != 0) return started;
    try {
        auto ends = os::seqpacket_pair();
        FakeShim shim;
        shim.pid = kFirstPid + static_cast<pid_t>(fake_shims.size());
        shim.process.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        auto theirs = duplicate(shim.process.get());
        shim.socket = std::move(ends[1]);
        started.error = shim.process && theirs ? 0 : EMFILE;
        if (started.error != 0) return started;
        started.process = os::PidFd{std::move(theirs), shim.pid};
        started.socket = std::move(ends[0]);
        fake_shims.push_back(std::move(shim));
    } catch (const std::system_error& error) {
        started.error = error.code().value();
    }
    return started;
}

bool is_shortage(int error) { return error == EMFILE || error == EAGAIN; }

}  // namespace pp::keeper

namespace {

const rundir::Home& home() {
    static const auto kHome = [] {
        auto made = rundir::Home::from_environment({{"PP_HOME", fuzz::scratch().path()}}, ::geteuid());
        made.prepare();
        return made;
    }();
    return kHome;
}

/// A page as a shim would send it; or one that somebody has damaged or cut.
os::UniqueFd page(std::string_view damage, bool is_cut) {
    static const auto kPage = os::find_file_content(std::string{PP_GOLDEN_DIR} + "/state/v1/p1.state");
    os::UniqueFd file{::memfd_create("page", MFD_CLOEXEC)};
    std::string content = *kPage;
    content.replace(0x80, damage.size(), damage);
    content.resize(is_cut ? damage.size() : content.size());
    expect(::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()), "a page is written");
    return file;
}

/// Everything that there is around a keeper.
class Surroundings {
  public:
    Surroundings() : log_{home().log("keeper")}, keeper_{home(), log_, os::OfdLock::try_take(home().keeper_lock()).value()} {
        watcher_ = std::move(*os::find_seqpacket(home().keeper_socket()));
        settle();
    }

    void step(Input& input) {
        switch (input.take<std::uint8_t>() % 8) {
            case 0: return connect();
            case 1: return hang_up(input.take<std::uint8_t>());
            case 2: return kill_shim(input.take<std::uint8_t>());
            case 3: return lose_orphan(input);
            case 4: start_error = input.flag() ? (input.flag() ? EAGAIN : ENOENT) : 0; return;
            case 5: return limit(input.take<std::uint8_t>());
            default: return say_something(input);
        }
    }

    /// Asks the keeper how it is until it has answered: with that all that was said before has been read.
    void settle() {
        KeeperMessage question;
        question.verb = KeeperVerb::status;
        expect(os::send_message(watcher_.get(), std::as_bytes(std::span{&question, 1})), "the keeper can be asked");
        std::optional<KeeperMessage> answer;
        while (!answer || answer->verb != KeeperVerb::status_is) {
            if (answer || (answer = receive(watcher_))) {
                if (answer->verb != KeeperVerb::status_is) answer.reset();
                continue;
            }
            keeper_.turn();
            expect(!keeper_.ended(), "a keeper stays while somebody is there");
        }
        expect(answer->value >= 0 && answer->pid == ::getpid(), "a keeper knows itself");
        for (auto& peer : peers_) drain(peer);
        for (auto& shim : fake_shims) drain(shim.socket);
    }

  private:
    void connect() {
        if (peers_.size() == kMaxPeers) return;
        if (auto found = os::find_seqpacket(home().keeper_socket())) peers_.push_back(std::move(*found));
    }
    void hang_up(unsigned which) {
        if (!peers_.empty()) peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(which % peers_.size()));
    }
    void kill_shim(unsigned which) {
        if (fake_shims.empty()) return;
        auto& shim = fake_shims[which % fake_shims.size()];
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(shim.process.get(), &one, sizeof one);
        if (which % 2 == 0) shim.socket.reset();
    }

    /// What a dead shim leaves behind comes to the keeper, and ends: a real child, whose pid stands in a page or does not.
    void lose_orphan(Input& input) {
        if (orphans_++ > 0) return;  // they take time
        const pid_t pid = ::fork();
        if (pid == 0) ::_exit(3);
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
        if (pages_.empty() || !input.flag()) return;
        ::pwrite(pages_[input.take<std::uint8_t>() % pages_.size()].get(), &pid, sizeof pid,
                 offsetof(ring::StatePageLayout, spawned));
    }

    /// Few descriptors are left, or many again.
    void limit(unsigned left) {
        rlimit wanted{};
        ::getrlimit(RLIMIT_NOFILE, &wanted);
        wanted.rlim_cur = wanted.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &wanted);
        if (left >= 16) return;
        const os::UniqueFd lowest = duplicate(watcher_.get());
        wanted.rlim_cur = static_cast<rlim_t>(lowest.get()) + left;
        ::setrlimit(RLIMIT_NOFILE, &wanted);
        settle();
        wanted.rlim_cur = wanted.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &wanted);
    }

    os::UniqueFd& speaker(unsigned which) {
        const auto all = peers_.size() + fake_shims.size();
        if (all == 0) return watcher_;
        which %= static_cast<unsigned>(all);
        return which < peers_.size() ? peers_[which] : fake_shims[which - peers_.size()].socket;
    }

    void say_something(Input& input) {
        const auto& socket = speaker(input.take<std::uint8_t>());
        if (!socket || &socket == &watcher_) return;
        KeeperMessage message;
        message.verb = static_cast<KeeperVerb>(input.take<std::uint8_t>() % 17);
        message.process = input.take<std::uint8_t>() % 4;
        message.run = input.take<std::uint8_t>() % 4;
        message.kind = static_cast<wire::HeldKind>(input.take<std::uint8_t>() % 9);
        message.stream = static_cast<ring::Stream>(input.take<std::uint8_t>() % 5);
        message.flag = input.take<std::uint8_t>() % 3;
        message.pid = kFirstPid + input.take<std::uint8_t>() % 4;
        std::vector<os::UniqueFd> fds;
        const auto wanted = input.take<std::uint8_t>();
        if (message.verb == KeeperVerb::attach && wanted % 4 == 0) {  // as it should be
            fds.push_back(duplicate(socket.get()));
            fds.push_back(page(input.text(), false));
        } else {
            for (auto count = wanted % 8U; count > 0; --count) fds.push_back(something(input));
        }
        send(socket, message, fds, input);
        if (message.verb == KeeperVerb::attach && fds.size() == 2) pages_.push_back(std::move(fds[1]));
    }

    static os::UniqueFd something(Input& input) {
        switch (input.take<std::uint8_t>() % 4) {
            case 0: return page(input.text(), input.flag());
            case 1: return os::UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
            case 2: return std::move(os::seqpacket_pair()[0]);
            default: return os::UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        }
    }

    /// Whole, with a text, of another length, or no message at all.
    static void send(const os::UniqueFd& socket, const KeeperMessage& message, const std::vector<os::UniqueFd>& fds,
                     Input& input) {
        std::string bytes{reinterpret_cast<const char*>(&message), sizeof message};
        const auto how = input.take<std::uint8_t>();
        if (how % 8 == 6) bytes = wire::with_text(message, input.text());
        if (how % 8 == 7) {
            bytes.resize(input.take<std::uint16_t>() % 700U, 'x');
            const auto damage = input.text();
            bytes.replace(0, std::min(damage.size(), bytes.size()), damage);
        }
        std::vector<int> numbers;
        for (const auto& fd : fds) {
            if (fd) numbers.push_back(fd.get());
        }
        os::send_message(socket.get(), std::as_bytes(std::span{bytes}), numbers);
    }

    static std::optional<KeeperMessage> receive(const os::UniqueFd& socket) {
        std::array<std::byte, wire::kMaxKeeperMessage> buffer;
        os::ReceiveEnd end{};
        const auto received = os::receive_message(socket.get(), buffer, end);
        if (!received) return std::nullopt;
        KeeperMessage message;
        expect(received->size >= sizeof message, "what a keeper says is as long as a message");
        std::memcpy(&message, buffer.data(), sizeof message);
        expect((received->size > sizeof message) == (message.verb == KeeperVerb::status_is), "its text is its version");
        expect(message.magic == wire::kKeeperMagic, "what a keeper says is a message");
        expect((message.verb == KeeperVerb::held) == !received->fds.empty() || received->truncated,
               "a keeper gives back what it holds, and nothing else");
        return message;
    }
    static void drain(const os::UniqueFd& socket) {
        while (socket && receive(socket)) {
        }
    }

    keeper::Log log_;
    keeper::Keeper keeper_;
    os::UniqueFd watcher_;
    std::vector<os::UniqueFd> peers_;
    std::vector<os::UniqueFd> pages_;
    int orphans_ = 0;
};

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    home();
    const auto before = open_descriptors();
    {
        Surroundings around;
        for (int i = 0; i < kMaxSteps && !input.empty(); ++i) {
            around.step(input);
            if (input.flag()) around.settle();
        }
        around.settle();
    }
    fake_shims.clear();
    start_error = 0;
    expect(open_descriptors() == before, "no descriptor is left open");
    return 0;
}
