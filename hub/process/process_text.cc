#include "hub/process/process_text.h"

#include <nlohmann/json.hpp>

#include "protocol/rundir/process_view.h"

namespace pp::hub {

std::string process_line(const rundir::ProcessFiles& files) {
    const auto life = files.lifecycle();
    const auto state = rundir::state_of(files);
    std::string text = rundir::process_id(files.number) + " ";
    if (files.launch) text += files.launch->name;
    text += ": " + state;
    if (const int pid = rundir::live_pid(files); pid > 0) text += ", pid " + std::to_string(pid);
    if (life.run > 0) text += ", run " + std::to_string(life.run);
    if (state == "finished" || (state == "damaged" && files.page_damage.empty())) text += ", " + rundir::explanation(files);
    if (life.descendants > 0)
        text += ", " + std::to_string(life.descendants) + " descendant" + (life.descendants == 1 ? "" : "s") +
                " alive";
    if (const auto damage = rundir::damage_of(files); !damage.empty()) text += ", damaged: " + damage;
    if (const auto trouble = rundir::trouble(files); !trouble.empty()) text += ", " + trouble;
    if (files.launch) text += " — " + files.launch->command + " in " + files.launch->working_directory;
    return text;
}

ProcessText::ProcessText(const rundir::ProcessFiles& files)
    : settled_{rundir::settled_process_json(files).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)},
      line_{process_line(files)} {
    settled_.pop_back();
}

void ProcessText::append_json(std::string& text, const rundir::ProcessFiles& files, std::int64_t now_ns) const {
    const auto uptime = rundir::uptime_ms(files, now_ns);
    text += settled_;
    text += ",\"cursor\":" + std::to_string(files.state ? files.state->tail : 0);
    text += ",\"uptime_ms\":" + (uptime ? std::to_string(*uptime) : "null") + "}";
}

}  // namespace pp::hub
