// State page, exit record and launch file of one process, as somebody may have left them: each is usable or told as damaged,
// and whatever they say can be shown.
//
// Input: which checksums are made right, then launch and exit record with their lengths before them, then the page.
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "protocol/os/proc.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/process_files.h"
#include "protocol/rundir/process_view.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace pp;
using fuzz::Input;

constexpr rundir::ProcessNumber kProcess = 1;

const rundir::Home& home() {
    static const auto kHome = [] {
        auto made = rundir::Home::from_environment({{"PP_HOME", fuzz::scratch().path()}}, ::geteuid());
        made.prepare();
        std::filesystem::create_directories(made.process(kProcess));
        return made;
    }();
    return kHome;
}

/// Beyond the identity, a page is only looked at if it is of this boot, and a record if its checksum fits.
std::string made_credible(std::string_view bytes, unsigned what) {
    static const std::string kBoot = os::boot_id();
    std::string page{bytes};
    page.resize(ring::kStatePageSize);
    auto& layout = *reinterpret_cast<ring::StatePageLayout*>(page.data());
    std::memcpy(layout.magic, ring::kStateMagic.data(), sizeof layout.magic);
    layout.version = ring::kStateVersion;
    layout.process = kProcess;
    if ((what & 1U) != 0) std::memcpy(layout.boot_id, kBoot.c_str(), kBoot.size() + 1);
    if ((what & 2U) != 0) layout.geometry = ring::Geometry::for_capacity(layout.geometry.capacity);
    for (auto& slot : layout.lifecycles)
        slot.checksum = ring::checksum(&slot.lifecycle, sizeof slot.lifecycle);
    layout.orphan.checksum = ring::checksum(&layout.orphan, offsetof(ring::OrphanExit, checksum));
    return page;
}

std::string page_of(Input& input, unsigned what) {
    const auto bytes = input.rest();
    return (what & 4U) != 0 ? made_credible(bytes, what) : std::string{bytes};
}

/// By the one function that writes it, so that the checksum fits; or as it is.
void put_exit_record(std::string_view bytes, bool is_credible) {
    if (!is_credible) return fuzz::put(home().exit(kProcess), bytes);
    ring::Lifecycle life;
    std::memcpy(&life, bytes.data(), std::min(bytes.size(), sizeof life));
    rundir::write_final_record(home(), kProcess, life);
}

/// As whoever maps the page sees it: a follower, the keeper.
void look_at_mapping() {
    try {
        const auto page = ring::StatePage::open(home().state_page(kProcess), os::MappedFile::Access::read);
        [[maybe_unused]] const auto written = page.written();
    } catch (const std::runtime_error&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    const auto what = input.take<std::uint8_t>();
    const auto now = input.take<std::int64_t>();
    fuzz::put(home().launch(kProcess), input.bytes(input.take<std::uint16_t>()));
    put_exit_record(input.text(), (what & 8U) != 0);
    const auto page = page_of(input, what);
    fuzz::put(home().state_page(kProcess), page);

    const auto files = rundir::read_process_files(home(), kProcess);
    fuzz::expect(files.state || !files.page_damage.empty(), "a page is usable or damaged");
    fuzz::expect(files.damage.find(files.page_damage) != std::string::npos, "what is wrong with the page is said");
    const auto text = rundir::process_json(files, now).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    fuzz::expect(!text.empty() && !rundir::explanation(files).empty(), "a process can be shown");
    look_at_mapping();
    return 0;
}
