#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pp::torture {

/// A stream of numbered records of 64 bytes, each a line: every byte follows from the stream's letter and the byte's place,
/// so that one that is lost, doubled, out of order or torn is found, and where.
struct Numbers {
    char letter = 'm';
    bool cooked = false;  ///< a terminal has made "\r\n" of every "\n"

    [[nodiscard]] std::size_t record_size() const { return cooked ? 65 : 64; }
    /// The bytes from `place` on.
    void fill(std::uint64_t place, std::span<char> into) const;
    /// The number of the whole record that `bytes` begins with; -1 if it does not begin with one.
    [[nodiscard]] std::int64_t number_in(std::span<const char> bytes) const;
};

/// Holds what arrives against what was written. It looks for the next whole record where they differ, and goes on from
/// there, so that one fault is told once.
class NumberCheck {
  public:
    explicit NumberCheck(Numbers numbers) : numbers_{numbers} {}

    void take(std::span<const char> bytes);
    /// So many bytes are known not to be there.
    void skip(std::uint64_t count) { place_ += count; }

    [[nodiscard]] std::uint64_t place() const { return place_; }
    [[nodiscard]] std::uint64_t taken() const { return taken_; }
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    [[nodiscard]] std::uint64_t doubled() const { return doubled_; }
    /// The first faults, for a person; empty if all that was taken is what was written.
    [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }

  private:
    std::size_t first_difference(std::span<const char> bytes) const;
    std::size_t next_record(std::span<const char> bytes) const;
    void note(std::span<const char> bytes, std::size_t whole_at);

    Numbers numbers_;
    std::uint64_t place_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t doubled_ = 0;
    std::vector<std::string> faults_;
};

}  // namespace pp::torture
