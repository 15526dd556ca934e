// Stands in for libFuzzer where there is none: gives each file that is named, and each in a directory that is named, to the
// target once. Ends with the target's crash, or with how many there were.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void give(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    const std::string content{std::istreambuf_iterator<char>{file}, {}};
    std::printf("%s\n", path.c_str());  // the last one said is the one that crashed
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
}

}  // namespace

int main(int argc, char** argv) {
    int given = 0;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) {
            give(argv[i]);
            ++given;
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
            give(entry.path());
            ++given;
        }
    }
    std::printf("%d inputs\n", given);
    return given > 0 ? 0 : 1;
}
