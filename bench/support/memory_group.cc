#include "bench/support/memory_group.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "protocol/os/error.h"

namespace pp::bench {
namespace {

/// Where a hierarchy is mounted: `options` holds the controller, or the type is cgroup2 for the unified one.
std::string find_mount(const std::string& controller) {
    std::ifstream mounts{"/proc/self/mounts"};
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields{line};
        std::string device, path, type, options;
        fields >> device >> path >> type >> options;
        if (controller.empty()
                ? type == "cgroup2"
                : type == "cgroup" && ("," + options + ",").find("," + controller + ",") != std::string::npos)
            return path;
    }
    return {};
}

/// The group of this process in a hierarchy: lines `4:memory:/a/b` and `0::/a/b`.
std::string find_own_group(const std::string& controller) {
    std::ifstream groups{"/proc/self/cgroup"};
    for (std::string line; std::getline(groups, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (("," + controllers + ",").find("," + controller + ",") != std::string::npos)
            return line.substr(second + 1);
    }
    return {};
}

std::uint64_t number_in(const std::string& path) {
    std::uint64_t number = 0;
    if (!(std::ifstream{path} >> number)) throw std::runtime_error("cannot read " + path);
    return number;
}

std::uint64_t stat_in(const std::string& path, const std::string& key) {
    std::ifstream file{path};
    std::string name;
    for (std::uint64_t value = 0; file >> name >> value;) {
        if (name == key) return value;
    }
    throw std::runtime_error("no " + key + " in " + path);
}

void move_to(const std::string& group, pid_t pid) {
    std::ofstream file{group + "/cgroup.procs"};
    file << pid << std::flush;
    if (!file) throw std::runtime_error("cannot move a process to " + group);
}

}  // namespace

std::optional<MemoryGroup> MemoryGroup::try_make() {
    static int made = 0;
    for (const std::string controller : {"memory", ""}) {
        const auto mount = find_mount(controller);
        const auto own = find_own_group(controller);
        if (mount.empty() || own.empty()) continue;
        const std::string parent = mount + (own == "/" ? "" : own);
        const std::string path =
            parent + "/pp-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
        if (::mkdir(path.c_str(), 0755) != 0) continue;
        const std::string usage = controller.empty() ? "/memory.current" : "/memory.usage_in_bytes";
        MemoryGroup group{parent, path, controller.empty()};
        if (::access((path + usage).c_str(), R_OK) == 0) return group;
    }
    return std::nullopt;
}

MemoryGroup::MemoryGroup(std::string parent, std::string path, bool unified)
    : parent_{std::move(parent)}, path_{std::move(path)}, unified_{unified} {}

MemoryGroup::MemoryGroup(MemoryGroup&& other) noexcept
    : parent_{std::move(other.parent_)}, path_{std::exchange(other.path_, {})}, unified_{other.unified_} {}

MemoryGroup::~MemoryGroup() {
    if (!path_.empty()) ::rmdir(path_.c_str());
}

void MemoryGroup::add(pid_t pid) const {
    move_to(path_, pid);
}
void MemoryGroup::leave() const {
    move_to(parent_, ::getpid());
}

std::uint64_t MemoryGroup::held() const {
    const std::string stat = path_ + "/memory.stat";
    const std::string total = unified_ ? "" : "total_";
    const auto usage = number_in(path_ + (unified_ ? "/memory.current" : "/memory.usage_in_bytes"));
    const auto files = stat_in(stat, total + "inactive_file") + stat_in(stat, total + "active_file");
    return usage > files ? usage - files : 0;
}

}  // namespace pp::bench
