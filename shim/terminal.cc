#include "shim/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "protocol/os/error.h"

namespace pp::shim {
namespace {

constexpr int kNone = 0xff;  // _POSIX_VDISABLE
constexpr char kControlD = 4;

void set_modes(int slave) {
    termios modes{};
    if (::tcgetattr(slave, &modes) != 0) os::throw_errno("tcgetattr");
    modes.c_iflag |= IUTF8;
    if (::tcsetattr(slave, TCSANOW, &modes) != 0) os::throw_errno("tcsetattr");
}

}  // namespace

Terminal open_terminal(TerminalSize size) {
    Terminal terminal;
    terminal.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    if (!terminal.master) os::throw_errno("open", "/dev/ptmx");
    if (::grantpt(terminal.master.get()) != 0) os::throw_errno("grantpt");
    if (::unlockpt(terminal.master.get()) != 0) os::throw_errno("unlockpt");
    terminal.slave = open_slave(terminal.master.get());
    set_modes(terminal.slave.get());
    if (const int error = resize(terminal.master.get(), size)) os::throw_error(error, "resize", "the terminal");
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) os::throw_errno("pipe");
    terminal.aux_read.reset(ends[0]);
    terminal.aux_write.reset(ends[1]);
    return terminal;
}

/// By the master, not by a path: /dev/pts may be another mount than the master's.
os::UniqueFd open_slave(int master) {
    os::UniqueFd slave{::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (!slave) os::throw_errno("open", "the terminal's slave");
    return slave;
}

int resize(int master, TerminalSize size) {
    const winsize wanted{static_cast<unsigned short>(size.rows), static_cast<unsigned short>(size.columns), 0, 0};
    return ::ioctl(master, TIOCSWINSZ, &wanted) == 0 ? 0 : errno;
}

TerminalSize size_of(int master) {
    winsize found{};
    if (::ioctl(master, TIOCGWINSZ, &found) != 0) return {0, 0};
    return {found.ws_row, found.ws_col};
}

char end_of_input(int master) {
    termios modes{};
    if (::tcgetattr(master, &modes) != 0 || modes.c_cc[VEOF] == kNone) return kControlD;
    return static_cast<char>(modes.c_cc[VEOF]);
}

}  // namespace pp::shim
