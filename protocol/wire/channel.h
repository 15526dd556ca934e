#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace pp::wire {

/// A ZeroMQ context: one per program, made when the first socket is needed. libzmq runs two threads of its own in it.
class Context {
  public:
    /// Throws std::system_error where the system has no threads to give.
    Context();
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

  private:
    friend class Channel;
    struct State;
    std::unique_ptr<State> state_;
};

/// One message, with the peer it came from or goes to (empty at a DEALER).
struct Frame {
    std::string peer;
    std::string bytes;
};

/// A ZeroMQ socket as something that a loop can watch and drain. Non-blocking throughout. The only file that
/// includes zmq.hpp.
///
/// The descriptor is a wake-up and no more: it reports changes, not contents, and a send of one's own can swallow one. So
/// whoever owns the loop calls try_receive() until it is empty, before every sleep (os::Loop::on_prepare), whatever woke it.
class Channel {
  public:
    /// Binds a ROUTER: unroutable peers are told (send returns false), a peer that comes back takes over its name.
    /// The caller holds the lock that says there is no other; bind removes a socket file that is there. Mode 0600.
    /// `backlog` clients may wait to be accepted: a thousand shims come back at once, and with the usual 100 that takes 0.8 s.
    static Channel router(Context& context, const std::string& socket_path, int backlog = 4096);
    /// Connects a DEALER. ZeroMQ's own reconnect is off: a dead hub is polled by nobody.
    static Channel dealer(Context& context, const std::string& socket_path);
    /// The same, and end() tells of the connection.
    static Channel watched_dealer(Context& context, const std::string& socket_path);

    Channel(Channel&&) noexcept;
    Channel& operator=(Channel&&) noexcept;
    ~Channel();

    /// What was sent before the end is delivered all the same: the context's end waits for it, for as long as this.
    /// Otherwise it is dropped.
    void deliver_at_end(std::chrono::milliseconds most);

    enum class End {
        none,
        refused,      ///< there never was a connection: nothing was taken
        disconnected  ///< what the peer had sent is all there to be received: libzmq tells when it has read to the end
    };
    /// Of a watched DEALER; asked before every sleep.
    End end();
    /// To watch for POLLIN, as fd(), of a watched DEALER.
    [[nodiscard]] int end_fd() const;

    /// Of a ROUTER: while so many peers are connected, the socket file bears another name (".full" behind it), so that
    /// nobody finds it. libzmq ends the program when it can accept no more, and has no limit of its own. Those in the
    /// backlog still come in: it should be short.
    void limit_peers(Context& context, std::size_t most);
    /// To watch for POLLIN, as fd(), of one with a limit.
    [[nodiscard]] int peers_fd() const;
    /// Applies the limit to who came and went; called when peers_fd() was readable, and once more where is_door_stuck(). True if
    /// there was anything.
    bool count_peers();
    /// Whether the socket file could not be given the name that it should bear.
    [[nodiscard]] bool is_door_stuck() const;

    /// To watch for POLLIN; never to read or close.
    [[nodiscard]] int fd() const;
    /// Next message whose shape is right (others are dropped); nothing if none waits.
    std::optional<Frame> try_receive();
    /// The same without a system call where nothing can have come: on_wake() was not called since it was last found empty, and
    /// nothing was sent. Whoever uses it calls on_wake() whenever the descriptor is readable.
    std::optional<Frame> try_receive_if_woken();
    void on_wake();
    /// False if the peer is unknown or its queue is full; nothing was sent then.
    bool send(std::string_view bytes, const std::string& peer = {});

  private:
    struct Door;
    struct Connection;
    struct State;
    explicit Channel(std::unique_ptr<State> state);
    static Channel connect(Context& context, const std::string& socket_path, bool watched);
    std::unique_ptr<State> state_;
};

}  // namespace pp::wire
