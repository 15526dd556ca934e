#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace pp::os {

/// Owns a shared mapping of a file. The file must not shrink while mapped: who maps a file that others may
/// truncate must expect SIGBUS (see ring::Reader for how rings are guarded).
class MappedFile {
  public:
    enum class Access { read, read_write };

    MappedFile() = default;
    /// Maps `size` bytes from `offset` (a multiple of the page size). `populate` fills the page tables at once.
    MappedFile(int fd, std::size_t offset, std::size_t size, Access access, bool populate = false);
    MappedFile(MappedFile&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    MappedFile& operator=(MappedFile&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~MappedFile();

    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    explicit operator bool() const { return data_ != nullptr; }

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace pp::os
