#include "protocol/os/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "protocol/os/unique_fd.h"

namespace pp::os {
namespace {

constexpr std::size_t kMaxSegments = 64;
constexpr std::size_t kMaxNotes = 64 << 10;
constexpr std::size_t kLongestId = 64;

bool read_at(int fd, void* to, std::size_t size, std::uint64_t offset) {
    return ::pread(fd, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

std::string hex(const unsigned char* bytes, std::size_t count) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

/// Notes are a header, a name and a value, each padded to 4 bytes (elf(5)).
std::string id_in(const std::vector<unsigned char>& notes) {
    for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) <= notes.size();) {
        ElfW(Nhdr) note;
        std::memcpy(&note, notes.data() + at, sizeof note);
        const std::size_t name = at + sizeof note;
        if (note.n_namesz > notes.size() - name) return {};
        const std::size_t value = name + padded(note.n_namesz);
        if (value > notes.size() || note.n_descsz > notes.size() - value) return {};
        const bool is_id = note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
                           std::memcmp(notes.data() + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0;
        if (is_id) return hex(notes.data() + value, std::min<std::size_t>(note.n_descsz, kLongestId));
        at = value + padded(note.n_descsz);
    }
    return {};
}

}  // namespace

std::string build_id(const std::string& path) {
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    ElfW(Ehdr) header;
    if (!fd || !read_at(fd.get(), &header, sizeof header, 0)) return {};
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(ElfW(Phdr))) return {};
    for (std::size_t i = 0; i < std::min<std::size_t>(header.e_phnum, kMaxSegments); ++i) {
        ElfW(Phdr) segment;
        if (!read_at(fd.get(), &segment, sizeof segment, header.e_phoff + i * sizeof segment)) return {};
        if (segment.p_type != PT_NOTE) continue;
        std::vector<unsigned char> notes(std::min<std::size_t>(segment.p_filesz, kMaxNotes));
        if (!read_at(fd.get(), notes.data(), notes.size(), segment.p_offset)) return {};
        if (auto id = id_in(notes); !id.empty()) return id;
    }
    return {};
}

bool executes_build(pid_t pid, const std::string& path) {
    const std::string executed = "/proc/" + std::to_string(pid) + "/exe";
    struct stat running {};
    struct stat there {};
    if (::stat(executed.c_str(), &running) != 0 || ::stat(path.c_str(), &there) != 0) return false;
    if (running.st_ino == there.st_ino && running.st_dev == there.st_dev) return true;
    const auto id = build_id(path);
    return !id.empty() && build_id(executed) == id;
}

}  // namespace pp::os
