#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/torture/client.h"
#include "tests/torture/numbers.h"
#include "tests/torture/random.h"

namespace pp::torture {

/// Feeds a numbered stream into a process's stdin through the hub, one message at a time, and keeps book of what was
/// acknowledged. Where nobody knows how much of a message was taken, its numbers are not sent again.
class InputPump {
  public:
    InputPump(Client& client, std::uint64_t process, Random random) : client_{client}, process_{process}, random_{random} {}

    /// Until `end` is set, or so many bytes were sent; then closes stdin.
    void pump(const std::atomic<bool>& end, std::uint64_t most);
    /// Holds what came out of the process against the book.
    [[nodiscard]] std::vector<std::string> faults_in(const std::string& arrived) const;
    /// How many messages may have been taken in part, in whole or not at all.
    [[nodiscard]] std::uint64_t unsure() const;
    /// Refusals that no killing explains.
    [[nodiscard]] const std::vector<std::string>& refusals() const { return refusals_; }

  private:
    /// One message. It begins with a mark, which no record holds, unless it goes on with what the one before left.
    struct Piece {
        std::uint64_t place = 0;
        std::uint64_t size = 0;  ///< of what was taken for certain; of what may have been taken, if that is not known
        bool is_marked = true;
        bool is_certain = true;
    };
    [[nodiscard]] std::string text_of(const Piece& piece) const;
    void send(Piece piece);
    void close();

    Client& client_;
    std::uint64_t process_;
    Random random_;
    Numbers numbers_{'i', false};
    std::uint64_t place_ = 0;
    std::vector<Piece> book_;
    std::vector<std::string> refusals_;
};

}  // namespace pp::torture
