#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "protocol/os/unique_fd.h"

namespace pp::bench {

/// The least that a server on epoll can do: a thread that takes requests of one size over TCP on 127.0.0.1,
/// and answers each with so many bytes. What pp's hub is held against.
class EchoServer {
  public:
    EchoServer(std::size_t request, std::size_t reply);
    ~EchoServer();
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    void serve() const;
    void answer(int connection, std::string& received) const;

    std::size_t request_;
    std::string reply_;
    os::UniqueFd listener_;
    os::UniqueFd stop_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

/// A connection to a port of 127.0.0.1, without Nagle's delay. Blocking.
os::UniqueFd connect_to(std::uint16_t port);
/// Sends all, then reads so many bytes.
void exchange(int connection, const std::string& request, std::size_t reply);

}  // namespace pp::bench
