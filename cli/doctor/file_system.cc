#include "cli/doctor/file_system.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "protocol/os/unique_fd.h"

namespace pp::cli::doctor {
namespace {

constexpr std::size_t kPage = 4096;

struct Named {
    long type;
    std::string_view name;
};
constexpr std::array<Named, 16> kNames{{{EXT4_SUPER_MAGIC, "ext4"},
                                        {BTRFS_SUPER_MAGIC, "btrfs"},
                                        {XFS_SUPER_MAGIC, "xfs"},
                                        {TMPFS_MAGIC, "tmpfs"},
                                        {RAMFS_MAGIC, "ramfs"},
                                        {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
                                        {F2FS_SUPER_MAGIC, "f2fs"},
                                        {NFS_SUPER_MAGIC, "nfs"},
                                        {SMB_SUPER_MAGIC, "smb"},
                                        {0xFE534D42, "smb2"},
                                        {0xFF534D42, "cifs"},
                                        {V9FS_MAGIC, "9p"},
                                        {FUSE_SUPER_MAGIC, "fuse"},
                                        {CEPH_SUPER_MAGIC, "ceph"},
                                        {ECRYPTFS_SUPER_MAGIC, "ecryptfs"},
                                        {0x2FC12FC1, "zfs"}}};

/// A file without a name, where the file system has such; else one that loses its name at once.
os::UniqueFd scratch_file(const std::string& directory) {
    os::UniqueFd unnamed{::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (unnamed || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return unnamed;
    std::string path = directory + "/pp-doctor-XXXXXX";
    os::UniqueFd named{::mkostemp(path.data(), O_CLOEXEC)};
    if (named) ::unlink(path.c_str());
    return named;
}

/// Another description of the same file, as another program would have.
os::UniqueFd open_again(const os::UniqueFd& file) {
    return os::UniqueFd{::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDWR | O_CLOEXEC)};
}

int try_file(const std::string& directory) {
    return error_of(scratch_file(directory).get());
}

struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return lock;
}

int try_locks(const std::string& directory) {
    const auto file = scratch_file(directory);
    if (!file) return errno;
    const auto again = open_again(file);
    if (!again) return errno;
    auto lock = whole_file();
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) return errno;
    lock = whole_file();
    if (::fcntl(again.get(), F_OFD_GETLK, &lock) != 0) return errno;
    return lock.l_type == F_WRLCK ? 0 : ENOLCK;
}

/// A page of a file, mapped; null, with errno, if it cannot be.
class MappedPage {
  public:
    MappedPage(const os::UniqueFd& file, int protection)
        : at_{::mmap(nullptr, kPage, protection, MAP_SHARED | MAP_POPULATE, file.get(), 0)} {}
    ~MappedPage() {
        if (*this) ::munmap(at_, kPage);
    }
    MappedPage(const MappedPage&) = delete;
    MappedPage& operator=(const MappedPage&) = delete;
    explicit operator bool() const { return at_ != MAP_FAILED; }
    template <class Value>
    [[nodiscard]] Value* as() const {
        return static_cast<Value*>(at_);
    }

  private:
    void* at_;
};

/// A follower sleeps on a page that it may only read; here for no time at all.
int try_futex(const std::string& directory) {
    const auto file = scratch_file(directory);
    if (!file || ::ftruncate(file.get(), kPage) != 0) return errno;
    const MappedPage page{file, PROT_READ};
    if (!page) return errno;
    const timespec none{};
    ::syscall(SYS_futex, page.as<const std::uint32_t>(), FUTEX_WAIT, 0U, &none, nullptr, 0);
    return errno == ETIMEDOUT ? 0 : errno;
}

constexpr std::string_view kSample = "captured by the kernel";

os::UniqueFd pipe_with_sample() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    os::UniqueFd read_end{ends[0]};
    const os::UniqueFd write_end{ends[1]};
    if (::write(write_end.get(), kSample.data(), kSample.size()) != static_cast<ssize_t>(kSample.size()))
        return {};
    return read_end;
}

/// As a shim captures: the pipe into the file, the new offset into a page of another file.
int try_splice(const std::string& directory, const std::string& run) {
    const auto ring = scratch_file(directory);
    if (!ring) return errno;
    const auto counted = scratch_file(run);
    if (!counted || ::ftruncate(counted.get(), kPage) != 0) return errno;
    const MappedPage page{counted, PROT_READ | PROT_WRITE};
    if (!page) return errno;
    const auto pipe = pipe_with_sample();
    if (!pipe) return errno;
    auto* const offset = page.as<off64_t>();
    *offset = kPage;
    const ssize_t moved =
        ::splice(pipe.get(), nullptr, ring.get(), offset, kSample.size(), SPLICE_F_NONBLOCK);
    if (moved < 0) return errno;
    std::array<char, kSample.size()> kept{};
    const bool is_there = ::pread(ring.get(), kept.data(), kept.size(), kPage) == moved &&
                          std::string_view{kept.data(), kept.size()} == kSample;
    return is_there && *offset == static_cast<off64_t>(kPage + kSample.size()) ? 0 : EIO;
}

}  // namespace

std::string file_system_name(long type) {
    const auto found =
        std::find_if(kNames.begin(), kNames.end(), [&](const Named& one) { return one.type == type; });
    if (found != kNames.end()) return std::string{found->name};
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%lx", static_cast<unsigned long>(type));
    return text.data();
}

std::string file_system_name(const std::string& directory) {
    struct statfs status {};
    if (::statfs(directory.c_str(), &status) != 0) return {};
    return file_system_name(static_cast<long>(status.f_type));
}

bool is_in_memory(const std::string& name) {
    return name == "tmpfs" || name == "ramfs";
}

bool is_remote(const std::string& name) {
    static constexpr std::array<std::string_view, 7> kRemote{"nfs", "smb",  "smb2", "cifs",
                                                             "9p",  "fuse", "ceph"};
    return std::find(kRemote.begin(), kRemote.end(), name) != kRemote.end();
}

std::string nearest_existing(const std::string& directory) {
    std::string at = directory;
    struct stat status {};
    while (at.size() > 1 && ::stat(at.c_str(), &status) != 0) {
        const auto slash = at.rfind('/');
        at = slash == 0 ? "/" : at.substr(0, slash);
    }
    return at;
}

std::vector<Probe> run_probes(const std::string& directory) {
    if (const int error = try_file(directory); error != 0)
        return {{"room for a file", error, "nothing of pp can run"}};
    return {{"room for a file", 0, ""},
            {"OFD locks", try_locks(directory), "two hubs could not tell each other"},
            {"futexes in read-only mappings", try_futex(directory), "nobody could follow a log"}};
}

std::vector<Probe> state_probes(const std::string& directory, const std::string& run) {
    if (const int error = try_file(directory); error != 0)
        return {{"room for a file", error, "nothing can be started, and no output kept"}};
    return {{"room for a file", 0, ""},
            {"OFD locks", try_locks(directory), "two shims of a process could not tell each other"},
            {"splice into files", try_splice(directory, run),
             "output is captured by read, and some of it is lost when a shim is killed"}};
}

}  // namespace pp::cli::doctor
