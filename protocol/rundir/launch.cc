#include "protocol/rundir/launch.h"

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"
#include "protocol/wire/codec.h"

namespace pp::rundir {

std::optional<Launch> find_launch(const std::string& path) {
    const auto content = os::find_file_content(path, wire::kMaxMessage);
    if (!content) return std::nullopt;
    try {
        auto launch = wire::decode<Launch>(*content);
        if (launch.version > wire::kLaunchVersion)
            throw wire::BadMessage("version is " + std::to_string(launch.version) + ", known is " +
                             std::to_string(wire::kLaunchVersion));
        if (launch.argv.empty()) throw wire::BadMessage("field 'argv' is empty");
        return launch;
    } catch (const wire::BadMessage& bad) {
        throw wire::BadMessage("launch file " + path + ": " + bad.what());
    }
}

void write_launch(const std::string& path, const Launch& launch) {
    os::write_atomic_file(path, wire::encode(launch), 0600, os::Durability::fsync);
}

}  // namespace pp::rundir
